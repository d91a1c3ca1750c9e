import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson, canonicalMembers, canonicalText } from '../../protocol/canonical-json.ts';
import { isObject, JsonError, type JsonValue, maxJsonDepth, parseJson } from '../../protocol/json.ts';
import { jsonObjects, jsonValues, objectFrom } from '../support/json-values.ts';

/** Of the appendices, "Canonical JSON": what is given, and what is to be produced. */
const vectors = [
  ['{}', '{}'],
  ['{ "one": 1, "two": "Two" }', '{"one":1,"two":"Two"}'],
  ['{ "b": "2", "a": "1" }', '{"a":"1","b":"2"}'],
  ['{"b":"2","a":"1"}', '{"a":"1","b":"2"}'],
  [
    `{ "auth": { "success": true, "mxid": "@john.doe:example.com", "profile": { "display_name": "John Doe",
       "three_pids": [ { "medium": "email", "address": "john.doe@example.org" },
                       { "medium": "msisdn", "address": "123456789" } ] } } }`,
    '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
  ],
  ['{ "a": "日本語" }', '{"a":"日本語"}'],
  ['{ "本": 2, "日": 1 }', '{"日":1,"本":2}'],
  ['{ "a": "\\u65E5" }', '{"a":"日"}'],
  ['{ "a": null }', '{"a":null}'],
  // Numbers that no event may hold, but other JSON may.
  ['{ "a": -0, "b": 1e10 }', '{"a":0,"b":10000000000}'],
] as const;

function refuses(value: unknown): void {
  // What the types forbid, and code without types could hand over.
  assert.throws(
    () => canonicalJson(value as JsonValue),
    (error) => error instanceof JsonError && error.code === 'M_BAD_JSON',
  );
}

describe('Canonical JSON', () => {
  for (const [given, canonical] of vectors) {
    it(`of ${given.replace(/\s+/g, ' ').slice(0, 60)} is as the specification says`, () => {
      assert.equal(canonicalJson(parseJson(given, { numbers: 'any' })), canonical);
    });
  }

  it('has its keys in the order of code points, those beyond the BMP last', () => {
    const keys = [
      '\u{1f600}',
      '\uffff',
      '\u{10000}',
      'b',
      'a\u{10000}',
      'a\ue000',
      'a',
      '',
      '10',
      '9',
      '0',
      'B',
      '\u0000',
    ];
    const expected = [
      '',
      '\u0000',
      '0',
      '10',
      '9',
      'B',
      'a',
      'a\ue000',
      'a\u{10000}',
      'b',
      '\uffff',
      '\u{10000}',
      '\u{1f600}',
    ];
    const text = canonicalJson(objectFrom(keys.map((key) => [key, 1])));
    assert.equal(text, `{${expected.map((key) => `${JSON.stringify(key)}:1`).join(',')}}`);
  });

  it('orders keys by their first difference, then by their length', () => {
    const keys = ['\u{10000}b', '\u{10000}', '\u{10000}a', '\u{10400}'];
    assert.equal(
      canonicalJson(objectFrom(keys.map((key) => [key, 1]))),
      '{"\u{10000}":1,"\u{10000}a":1,"\u{10000}b":1,"\u{10400}":1}',
    );
  });

  it('orders keys that look like integers as texts, which no JavaScript object does', () => {
    assert.equal(
      canonicalJson({ 2: 'b', 10: 'a', '-1': 'c', 1: 'd' }),
      '{"-1":"c","1":"d","10":"a","2":"b"}',
    );
  });

  it('has __proto__ among its keys like any other', () => {
    const object = objectFrom([
      ['a', 1],
      ['__proto__', { b: 2 }],
      ['Z', 3],
    ]);
    assert.equal(canonicalJson(object), '{"Z":3,"__proto__":{"b":2},"a":1}');
  });

  it('escapes what has to be escaped, in the shortest way, and nothing else', () => {
    const escaped: Record<string, string> = {
      '"': '\\"',
      '\\': '\\\\',
      '\b': '\\b',
      '\f': '\\f',
      '\n': '\\n',
      '\r': '\\r',
      '\t': '\\t',
    };
    for (let code = 0; code < 0x20; code += 1) {
      const char = String.fromCharCode(code);
      const text = escaped[char] ?? `\\u${code.toString(16).padStart(4, '0')}`;
      assert.equal(canonicalJson(char), `"${text}"`);
    }
    assert.equal(canonicalJson('"\\'), '"\\"\\\\"');
    for (const char of ['/', '\u007f', '\u0080', '\u2028', '\u2029', '<', 'é', '\ufeff', '\u{1f600}'])
      assert.equal(canonicalJson(char), `"${char}"`);
  });

  it('writes integers from -(2^53)+1 to 2^53-1, without sign of zero and without exponent', () => {
    const numbers: readonly (readonly [number, string])[] = [
      [0, '0'],
      [-0, '0'],
      [1e15, '1000000000000000'],
      [9007199254740991, '9007199254740991'],
      [-9007199254740991, '-9007199254740991'],
    ];
    for (const [value, text] of numbers) assert.equal(canonicalJson(value), text);
  });

  it('has no form for other numbers', () => {
    for (const value of [0.5, 1e-7, 2 ** 53, -(2 ** 53), 1e21, Number.NaN, Infinity, -Infinity]) {
      refuses(value);
      refuses({ a: [value] });
    }
  });

  it('has no form for half of a surrogate pair, in values or keys', () => {
    for (const text of ['\ud83d', '\ude00', '\ude00\ud83d', 'a\ud83db']) {
      refuses(text);
      refuses({ [text]: 1 });
    }
  });

  it('has no form for what is not JSON', () => {
    for (const value of [undefined, () => 1, 1n, Symbol('x'), [undefined], { a: undefined }]) refuses(value);
  });

  it('goes as deep as it is told and no deeper', () => {
    const nested = (depth: number): JsonValue => {
      let value: JsonValue = 1;
      for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
      return value;
    };
    assert.equal(canonicalJson(nested(2), 2), '{"a":[1]}');
    assert.throws(() => canonicalJson(nested(3), 2), JsonError);
    assert.equal(canonicalJson(1, 0), '1');
    assert.ok(canonicalJson(nested(maxJsonDepth)));
    refuses(nested(maxJsonDepth + 1));
    refuses(nested(100_000));
    assert.equal(canonicalText(canonicalMembers({ a: nested(2) }, 3)), '{"a":{"a":[1]}}');
    assert.throws(() => canonicalMembers({ a: nested(3) }, 3), JsonError);
  });

  it('is the same in whatever order the keys were set', () => {
    fc.assert(
      fc.property(jsonObjects, fc.infiniteStream(fc.nat()), (object, order) => {
        const shuffle = (value: JsonValue): JsonValue => {
          if (Array.isArray(value)) return value.map(shuffle);
          if (!isObject(value)) return value;
          const members = Object.entries(value).map(
            ([key, item]) => [order.next().value, [key, shuffle(item)]] as const,
          );
          return objectFrom(members.sort(([a], [b]) => a - b).map(([, member]) => member));
        };
        assert.equal(canonicalJson(shuffle(object)), canonicalJson(object));
      }),
      { numRuns: 300 },
    );
  });

  it('is its own canonical form, and means the same value', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        const text = canonicalJson(value);
        const parsed = parseJson(text);
        assert.deepEqual(parsed, value);
        assert.equal(canonicalJson(parsed), text);
        assert.deepEqual(JSON.parse(text), value);
      }),
      { numRuns: 300 },
    );
  });

  it('is the shortest text: parsing the same value from any layout gives it', () => {
    fc.assert(
      fc.property(jsonValues, (value) => {
        const spaced = JSON.stringify(value, null, 2);
        const text = canonicalJson(parseJson(spaced));
        assert.equal(text, canonicalJson(value));
        assert.ok(Buffer.byteLength(text) <= Buffer.byteLength(spaced));
      }),
      { numRuns: 200 },
    );
  });
});
