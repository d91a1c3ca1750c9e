import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { at, Client, listAt, ok, refused, textAt } from '../support/client.ts';
import { ConfiguredIsland } from '../support/configured-island.ts';
import { freePort } from '../support/free-port.ts';
import { testPassword } from '../support/test-network.ts';
import { until } from '../support/until.ts';
import { api } from './support.ts';

describe('Partners over the admin API', function () {
  this.timeout(60_000);

  let islands: ConfiguredIsland[];
  let owners: Client[];

  before(async () => {
    const adminPorts = [await freePort(), await freePort()];
    islands = await Promise.all(
      ['acme.test', 'bolt.test'].map((name, index) =>
        ConfiguredIsland.start(
          name,
          (port) => `listeners:\n  - {port: ${port}}\n  - {port: ${adminPorts[index]}, resources: [admin]}\n`,
        ),
      ),
    );
    owners = await Promise.all(
      islands.map(async ({ homeserver: { accounts } }, index) => {
        const userId = await accounts.create('boss', testPassword, true);
        const session = await accounts.openSession(userId, { remoteAddress: '127.0.0.1' });
        const door = { port: adminPorts[index] ?? 0 };
        return Client.of(door, { user_id: userId, access_token: session.accessToken });
      }),
    );
  });

  after(() => Promise.all(islands.map((island) => island.stop())));

  const pair = () => [owners[0], owners[1], islands[0]] as [Client, Client, ConfiguredIsland];

  it('come by their cards, once the fingerprint is right, and go', async () => {
    const [acme, bolt, island] = pair();
    const card = textAt(await ok(bolt.get(`${api}/card`)), 'card');
    const preview = await ok(acme.post(`${api}/partners/preview`, { card }));
    assert.equal(preview['server_name'], 'bolt.test');
    assert.match(textAt(preview, 'description'), /What people of acme\.test may do then:/);
    const fingerprint = textAt(preview, 'keys', 0, 'fingerprint');
    const own = await ok(bolt.get(`${api}/keys`));
    assert.equal(fingerprint, at(own, 'current', 'fingerprint'));

    const other = textAt(await ok(acme.get(`${api}/keys`)), 'current', 'fingerprint');
    const wrong = await refused(
      400,
      'M_INVALID_PARAM',
      acme.post(`${api}/partners`, { card, fingerprint: other }),
    );
    assert.match(textAt(wrong, 'error'), /not the fingerprint of the card\. Nothing was changed/);
    await refused(400, 'M_INVALID_PARAM', acme.post(`${api}/partners`, { card, fingerprint: '12345' }));
    assert.equal(island.homeserver.partners.get('bolt.test'), undefined);

    await ok(acme.post(`${api}/partners`, { card, fingerprint }));
    const back = textAt(await ok(acme.get(`${api}/card`, { for: 'bolt.test' })), 'card');
    await ok(bolt.post(`${api}/partners`, { card: back, fingerprint: other.replaceAll(' ', '-') }));
    await until(() => island.homeserver.federation.link.status('bolt.test').state === 'connected');
    const partners = listAt(await ok(acme.get(`${api}/partners`)), 'partners');
    assert.deepEqual(
      partners.map((partner) => [partner['server_name'], at(partner, 'link', 'state')]),
      [['bolt.test', 'connected']],
    );

    const file = `${island.homeserver.config.directory}/conf.d/partners/bolt.test.yaml`;
    assert.ok(existsSync(file));
    await ok(acme.delete(`${api}/partners/bolt.test`));
    assert.ok(!existsSync(file));
    assert.equal(island.homeserver.partners.get('bolt.test'), undefined);
    await refused(404, 'M_NOT_FOUND', acme.delete(`${api}/partners/bolt.test`));
  });

  it('are in the audit log with who added them, by which fingerprint', async () => {
    const [acme, , island] = pair();
    // What a reload makes of it is said beside it, by `configuration`.
    const byAdmins = async (action: string) =>
      (await island.audited(action)).filter(({ actor }) => actor !== 'configuration');
    assert.deepEqual(
      (await byAdmins('partner.add')).map(({ outcome, actor, detail }) => [
        outcome,
        actor,
        detail?.['server_name'],
      ]),
      [
        ['failed', acme.userId, undefined],
        ['failed', acme.userId, undefined],
        ['done', acme.userId, 'bolt.test'],
      ],
    );
    const [removed] = await byAdmins('partner.remove');
    assert.deepEqual(
      [removed?.outcome, removed?.actor, removed?.subject],
      ['done', acme.userId, 'bolt.test'],
    );
  });
});
