import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { operations } from '../../server/admin/table.ts';
import { at } from '../support/client.ts';

const file = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs', 'admin-api.json');

describe('docs/admin-api.json', () => {
  const api: JsonValue = JSON.parse(readFileSync(file, 'utf8'));

  it('is OpenAPI 3.1, and has every operation at its place', () => {
    assert.equal(at(api, 'openapi'), '3.1.0');
    const found: string[] = [];
    for (const { name, http, params, roles } of operations) {
      const path = http.path.replace(/:(\w+)/g, '{$1}');
      const entry = at(api, 'paths', path, http.method.toLowerCase());
      assert.equal(at(entry, 'operationId'), name, `${name} is missing: npm run docs`);
      const suitable = at(entry, 'x-roles');
      assert.ok(Array.isArray(suitable) && isDeepStrictEqual(new Set(suitable), new Set(roles)), name);
      const list = at(entry, 'parameters');
      const inUrl = Array.isArray(list) ? list.map((parameter) => at(parameter, 'name')) : [];
      const body = at(entry, 'requestBody', 'content', 'application/json', 'schema', 'properties');
      const inBody = isObject(body) ? Object.keys(body) : [];
      assert.deepEqual([...inUrl, ...inBody].sort(), Object.keys(params.properties).sort(), name);
      for (const [, param = ''] of http.path.matchAll(/:(\w+)/g)) assert.ok(inUrl.includes(param), name);
      for (const status of ['200', '400', '401', '403', '404', '409'])
        assert.ok(at(entry, 'responses', status), `${name} ${status}`);
      found.push(`${http.method.toLowerCase()} ${path}`);
    }
    const paths = Object.entries(objectAt(api, 'paths'));
    const listed = paths.flatMap(([path, methods]) =>
      Object.keys(isObject(methods) ? methods : {}).map((method) => `${method} ${path}`),
    );
    assert.deepEqual(listed.sort(), found.sort());
  });

  it('refers to what is there, and its schemas are JSON Schema', () => {
    const ajv = addFormats.default(new Ajv2020({ strict: false }));
    let schemas = 0;
    let references = 0;
    walk(api, (key, value) => {
      if (key === '$ref') {
        references += 1;
        const target = at(api, ...String(value).replace(/^#\//, '').split('/'));
        assert.ok(isObject(target), `${String(value)} is not there`);
      }
      if (key === 'schema' && isObject(value) && value['$ref'] === undefined) {
        schemas += 1;
        assert.doesNotThrow(() => ajv.compile(value), JSON.stringify(value));
      }
    });
    assert.ok(schemas > operations.length && references > operations.length);
  });

  it('marks what is secret', () => {
    const body = at(api, 'paths', '/users', 'post', 'requestBody', 'content', 'application/json', 'schema');
    assert.equal(at(body, 'properties', 'password', 'writeOnly'), true);
  });
});

function objectAt(value: JsonValue, key: string): JsonObject {
  const found = at(value, key);
  return isObject(found) ? found : assert.fail(`${key} is no object`);
}

function walk(
  value: JsonValue | undefined,
  visit: (key: string, value: JsonValue | undefined) => void,
): void {
  if (Array.isArray(value)) for (const entry of value) walk(entry, visit);
  else if (isObject(value))
    for (const [key, entry] of Object.entries(value)) {
      visit(key, entry);
      walk(entry, visit);
    }
}
