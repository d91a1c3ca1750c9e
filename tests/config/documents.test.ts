import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { parse } from 'yaml';
import { editorSchema } from '../../config/editor-schema.ts';
import { objectionTo } from '../../config/kinds.ts';
import { homeserverSchema } from '../../config/schema.ts';
import { type Shape, shapeOf } from '../../config/schema-kit.ts';
import { initialConfig } from '../../server/cli/initial-config.ts';
import { ConfigFolder, partnerEntry } from './support.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
const example = /```yaml\n([^`]*)```/.exec(page)?.[1] ?? '';

/** Every key of the schema with its path. */
function* keys(shape: Shape, path = ''): Generator<[path: string, shape: Shape]> {
  yield [path, shape];
  for (const part of [shape.properties, shape.patternProperties])
    for (const [key, child] of Object.entries(part ?? {})) yield* keys(child, `${path}.${key}`);
  if (shape.items !== undefined) yield* keys(shape.items, `${path}[]`);
}

describe('The documentation of the configuration', () => {
  it('has an example that is right', async () => {
    const config = await new ConfigFolder(example).config();
    assert.equal(config.partners[0]?.displayName, 'Bolt Ltd');
  });

  it('says of every key what it means, and gives examples and defaults that are right', () => {
    for (const [path, shape] of keys(shapeOf(homeserverSchema))) {
      const isKey = /\.[a-z_]+$/.test(path) && shape.type !== 'object';
      if (isKey) assert.match(shape.description ?? '', /^[^[\s]/, path);
      for (const value of [
        ...(shape.examples ?? []),
        ...(shape.default === undefined ? [] : [shape.default]),
      ]) {
        const kind = shape.kind ?? shape.items?.kind;
        const texts = Array.isArray(value) ? value : [value];
        if (kind !== undefined)
          for (const text of texts)
            assert.equal(objectionTo(kind, String(text)), undefined, `${path}: ${text}`);
      }
    }
  });

  it('names every key', () => {
    for (const key of Object.keys(shapeOf(homeserverSchema).properties ?? {}))
      assert.ok(page.includes(`\n### \`${key}\``), key);
  });
});

describe('The schema for editors', () => {
  const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
  const isRight = ajv.compile(editorSchema());
  const judge = (text: string): string[] => {
    isRight(parse(text));
    return (isRight.errors ?? []).map(({ instancePath, keyword }) => `${instancePath} ${keyword}`);
  };

  it('finds nothing wrong with what is right', () => {
    for (const text of [
      initialConfig('acme.example', 8008),
      example,
      'server_name: acme.example\npartners:\nlisteners: null\n',
      `partners:\n${partnerEntry('bolt.example')}`,
    ])
      assert.deepEqual(judge(text), [], text);
  });

  it('finds what is wrong by itself', () => {
    assert.deepEqual(judge('listners: []'), [' additionalProperties']);
    assert.deepEqual(judge('card_lifetime: -5m'), ['/card_lifetime pattern']);
    assert.deepEqual(judge('listeners: [{port: 80080}]'), ['/listeners/0/port maximum']);
    assert.deepEqual(judge('partners: [{server_name: bolt.example}]'), ['/partners/0 required']);
    assert.deepEqual(judge('partner_defaults: {policy: {files: {direction: sideways}}}'), [
      '/partner_defaults/policy/files/direction enum',
    ]);
  });

  it('says when a change takes effect', () => {
    const text = JSON.stringify(editorSchema());
    assert.match(text, /Where this island listens\. A change takes effect with a restart\./);
    assert.match(text, /The largest file that may be uploaded\. A change takes effect with a reload\./);
  });
});
