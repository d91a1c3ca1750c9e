import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import type { Operation } from '../../server/admin/operation.ts';
import { roles } from '../../server/admin/roles.ts';
import { type OperationName, operations } from '../../server/admin/table.ts';
import type { Answer, Client } from '../support/client.ts';
import { type TestIsland, TestNetwork, testPassword } from '../support/test-network.ts';
import { administrator, api, auditOf } from './support.ts';

const table: readonly Pick<Operation, 'name' | 'roles' | 'http' | 'params' | 'result' | 'audit'>[] =
  operations;

/** Parameters with which an operation does what it is for; the others get what fits their schemas. */
const samples: Partial<Record<OperationName, JsonObject>> = {
  'user.add': { user: 'new', password: testPassword, admin: true },
  'user.reset-password': { user: 'ann', password: testPassword },
  'user.sessions': { user: 'ann' },
  'user.logout': { user: 'ann' },
  'user.deactivate': { user: 'bob' },
  'role.add': { user: 'ann', role: 'support' },
  'role.remove': { user: 'ann', role: 'support' },
  'department.add': { user: 'ann', department: 'purchasing' },
  'department.remove': { user: 'ann', department: 'purchasing' },
  'partner.suspend': { server_name: 'bolt.test', reason: 'a test' },
  'partner.resume': { server_name: 'bolt.test' },
};

/** A value that a schema may take, of nobody and nothing. */
function anyValue(schema: unknown): JsonValue {
  if (typeof schema !== 'object' || schema === null) return 'nobody';
  if ('enum' in schema && Array.isArray(schema.enum)) return schema.enum[0];
  if ('const' in schema) return schema.const as JsonValue;
  if ('type' in schema && schema.type === 'integer') return 1;
  if ('type' in schema && schema.type === 'boolean') return false;
  if ('type' in schema && schema.type === 'array') return [];
  if ('type' in schema && schema.type === 'object') return {};
  return 'nobody.test';
}

function anyParams({ params }: (typeof table)[number]): JsonObject {
  const required = new Set('required' in params && Array.isArray(params.required) ? params.required : []);
  return Object.fromEntries(
    Object.entries(params.properties)
      .filter(([name]) => required.has(name))
      .map(([name, schema]) => [name, anyValue(schema)]),
  );
}

/** Calls an operation over HTTP. */
function call(client: Client, { http }: (typeof table)[number], params: JsonObject): Promise<Answer> {
  const rest = new Map(Object.entries(params));
  const path = http.path.replace(/:(\w+)/g, (_, name: string) => {
    const value = rest.get(name);
    rest.delete(name);
    return encodeURIComponent(String(value));
  });
  if (http.method === 'GET' || http.method === 'DELETE') {
    const query = new URLSearchParams(
      [...rest].map(([name, value]): [string, string] => [name, String(value)]),
    );
    return client.request(http.method, `${api}${path}${query.size === 0 ? '' : `?${query}`}`);
  }
  return client.request(http.method, `${api}${path}`, { body: Object.fromEntries(rest) });
}

describe('The table of admin operations', function () {
  this.timeout(60_000);

  let network: TestNetwork;
  let island: TestIsland;

  before(async () => {
    network = await TestNetwork.start(['acme.test', 'bolt.test'], { adminApi: true });
    await network.introduce('bolt.test', 'acme.test');
    island = network.island('acme.test');
    for (const name of ['ann', 'bob']) await island.session(name);
  });

  after(() => network.stop());

  it('has each name and each place once, named as the audit log names things', () => {
    const names = table.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    const places = table.map(({ http }) => `${http.method} ${http.path.replace(/:\w+/g, ':')}`);
    assert.equal(new Set(places).size, places.length);
    for (const { name, http, params, roles: suitable } of table) {
      assert.match(name, /^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$/);
      assert.ok(suitable.length > 0, name);
      for (const [, param = ''] of http.path.matchAll(/:(\w+)/g)) assert.ok(param in params.properties, name);
    }
  });

  for (const role of [...roles, undefined]) {
    it(`lets ${role ?? 'nobody without a role'} do what the role is for, and nothing else`, async () => {
      const localpart = `with-${role ?? 'none'}`;
      const client = await administrator(island, localpart, role === undefined ? [] : [role]);
      const before = await auditOf(island);
      let denied = 0;
      for (const operation of table) {
        const isAllowed = role !== undefined && operation.roles.includes(role);
        const { status, body } = await call(client, operation, anyParams(operation));
        const shown = `${operation.name}: ${status} ${JSON.stringify(body)}`;
        if (isAllowed) assert.ok(status !== 403 && status !== 401 && status < 500, shown);
        else assert.deepEqual([status, body['errcode']], [403, 'M_FORBIDDEN'], shown);
        if (!isAllowed) denied += 1;
        const line = (await auditOf(island)).at(-1);
        const outcome = isAllowed ? (status === 200 ? 'done' : 'failed') : 'denied';
        assert.deepEqual(
          [line?.action, line?.actor, line?.outcome],
          [operation.name, client.userId, outcome],
          shown,
        );
      }
      const after = await auditOf(island);
      assert.equal(after.length, before.length + table.length, 'one line for each call');
      assert.equal(
        after.filter(({ outcome, actor }) => outcome === 'denied' && actor === client.userId).length,
        denied,
      );
    });
  }

  it('adds to the audit log and leaves what is there, whatever is done', async () => {
    const owner = await administrator(island, 'olga', roles);
    const ajv = addFormats.default(new Ajv2020({ strict: false }));
    for (const operation of table) {
      const before = await auditOf(island);
      const sample = samples[operation.name as OperationName];
      const { status, body } = await call(owner, operation, sample ?? anyParams(operation));
      if (sample !== undefined) assert.equal(status, 200, `${operation.name}: ${JSON.stringify(body)}`);
      if (status === 200)
        assert.ok(
          ajv.validate(operation.result, body),
          `${operation.name}: ${ajv.errorsText()} ${JSON.stringify(body)}`,
        );
      const after = await auditOf(island);
      assert.deepEqual(after.slice(0, before.length), before, operation.name);
      assert.ok(after.length > before.length, operation.name);
    }
    assert.equal((await island.homeserver.db.audit.verify()).fault, undefined);
    const suspicious = table.filter(({ name, http }) => name.startsWith('audit.') && http.method !== 'GET');
    assert.deepEqual(suspicious, []);
  });
});
