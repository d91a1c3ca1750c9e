import assert from 'node:assert/strict';
import { federationRoutes } from '../../federation/routes/table.ts';
import { until } from '../support/until.ts';
import { TestIsland } from './support/island.ts';

describe('an island without partners', () => {
  let a: TestIsland;
  let c: TestIsland;

  before(async () => {
    a = new TestIsland('a.test');
    c = new TestIsland('c.test');
    await a.start();
    await c.start();
  });

  after(async () => {
    await a.remove();
    await c.remove();
  });

  const ask = async (origin: string, method: string, uri: string) => {
    const body = async (): Promise<Buffer> => Buffer.from('{}');
    const response = await a.federation.answer({ origin, method, uri, headers: {}, body });
    assert.ok(Buffer.isBuffer(response.body));
    return { status: response.status, errcode: JSON.parse(response.body.toString()).errcode };
  };

  it('refuses every operation to everybody, keys and version too', async () => {
    assert.ok(federationRoutes.length > 20);
    for (const route of federationRoutes) {
      const uri = route.path.replace(/:\w+/g, 'x');
      assert.deepEqual(await ask('c.test', route.method, uri), { status: 403, errcode: 'M_FORBIDDEN' }, uri);
    }
    assert.deepEqual(await ask('c.test', 'GET', '/_matrix/nothing'), { status: 403, errcode: 'M_FORBIDDEN' });
  });

  it('refuses an unknown server, a suspended partner and one whose time is over by the same answer', async () => {
    const answers = new Set<string>();
    for (const entries of [[], [c.entry({ state: 'suspended' })], [c.entry({ validUntil: 1 })]]) {
      a.registry.replace(entries);
      for (const { method, path } of [...federationRoutes, { method: 'GET', path: '/_matrix/%6eothing' }]) {
        const uri = path.replace(/:\w+/g, 'x');
        const body = async (): Promise<Buffer> => Buffer.from('{}');
        const { body: bytes, ...rest } = await a.federation.answer({
          origin: 'c.test',
          method,
          uri,
          headers: {},
          body,
        });
        answers.add(JSON.stringify({ ...rest, body: String(bytes) }));
      }
    }
    a.registry.replace([]);
    assert.equal(answers.size, 1, [...answers].join('\n'));
    assert.match([...answers].join(), /"status":403.*M_FORBIDDEN/);
  });

  it('refuses the link of someone who only added us, until we add them', async () => {
    c.registry.replace([a.entry()]);
    await until(() => a.lines.some((line) => JSON.stringify(line).includes('c.test')));
    assert.notEqual(c.federation.link.status('a.test').state, 'connected');
    a.registry.replace([c.entry()]);
    await until(() => c.federation.link.status('a.test').state === 'connected');
    const response = await c.federation.link.request('a.test', {
      method: 'GET',
      uri: '/_matrix/key/v2/server',
      priority: 'query',
      deadlineMs: 5_000,
    });
    assert.equal(response.status, 200);
    const keys = JSON.parse((await response.body()).toString());
    assert.equal(keys.verify_keys[a.key.keyId].key, a.key.publicKey);
  });

  it('refuses again, and closes the link, when the partner is suspended or its time is over', async () => {
    for (const entry of [c.entry({ state: 'suspended' }), c.entry({ validUntil: 1 })]) {
      a.registry.replace([entry]);
      await until(() => a.federation.link.status('c.test').state !== 'connected');
      assert.equal((await ask('c.test', 'GET', '/_matrix/federation/v1/version')).status, 403);
      await assert.rejects(
        a.federation.remote.profile('@li:c.test', a.user('alice')),
        /not an active partner/,
      );
    }
    a.registry.replace([c.entry()]);
    assert.equal((await ask('c.test', 'GET', '/_matrix/federation/v1/version')).status, 200);
  });
});
