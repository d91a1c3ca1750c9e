import assert from 'node:assert/strict';
import fc from 'fast-check';
import { propertyPath } from '../../protocol/property-path.ts';

describe('A dot-separated property path', () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ['content.body', ['content', 'body']],
    ['type', ['type']],
    ['content.m\\.relates_to', ['content', 'm.relates_to']],
    ['content.m\\\\foo', ['content', 'm\\foo']],
    // Other escapes are left as they are.
    ['content.m\\xfoo', ['content', 'm\\xfoo']],
    ['a\\', ['a\\']],
    ['', ['']],
    ['.', ['', '']],
    ['a..b', ['a', '', 'b']],
    ['a\\\\.b', ['a\\', 'b']],
    ['a\\\\\\.b', ['a\\.b']],
    ['\u{1f600}.b', ['\u{1f600}', 'b']],
  ];
  for (const [path, keys] of table) {
    it(`${JSON.stringify(path)} leads to ${JSON.stringify(keys)}`, () => {
      assert.deepEqual(propertyPath(path), keys);
    });
  }

  it('gives back the keys that were escaped to make it', () => {
    const keys = fc.array(fc.string({ unit: fc.constantFrom('a', '.', '\\') }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(keys, (path) => {
        const text = path.map((key) => key.replaceAll('\\', '\\\\').replaceAll('.', '\\.')).join('.');
        assert.deepEqual(propertyPath(text), path);
      }),
      { numRuns: 300 },
    );
  });
});
