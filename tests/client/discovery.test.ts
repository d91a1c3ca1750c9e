import assert from 'node:assert/strict';
import { at, Client, ok, refused, v3 } from '../support/client.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('what a client asks before it does anything', () => {
  let network: TestNetwork;
  let anybody: Client;
  let alice: Client;

  before(async () => {
    network = await TestNetwork.start([]);
    const island = await network.add('acme.test', {
      publicBaseurl: 'https://matrix.acme.test',
      defaultRoomVersion: '11',
    });
    anybody = Client.anonymous(island);
    alice = await Client.create(island, 'alice');
  });

  after(() => network.stop());

  it('is answered with the versions of the specification', async () => {
    const { versions, unstable_features: features } = await ok(anybody.get('/_matrix/client/versions'));
    assert.ok(Array.isArray(versions) && versions.includes('v1.1') && versions.includes('v1.18'));
    assert.deepEqual(features, {});
    // A token that no longer counts keeps nobody from asking.
    await ok(Client.of(network.island('acme.test'), { access_token: 'old' }).get('/_matrix/client/versions'));
  });

  it('is told where the server is, if the administrator says so', async () => {
    const found = await ok(anybody.get('/.well-known/matrix/client'));
    assert.deepEqual(found, { 'm.homeserver': { base_url: 'https://matrix.acme.test' } });
    const other = Client.anonymous(await network.add('bolt.test'));
    await refused(404, 'M_NOT_FOUND', other.get('/.well-known/matrix/client'));
  });

  it('is told what the server can do', async () => {
    await refused(401, 'M_MISSING_TOKEN', anybody.get(v3`/capabilities`));
    const { capabilities } = await ok(alice.get(v3`/capabilities`));
    assert.deepEqual(at(capabilities, 'm.room_versions'), {
      default: '11',
      available: { 10: 'stable', 11: 'stable', 12: 'stable' },
    });
    for (const name of ['m.change_password', 'm.set_displayname', 'm.set_avatar_url', 'm.profile_fields']) {
      assert.equal(at(capabilities, name, 'enabled'), true, name);
    }
    for (const name of ['m.3pid_changes', 'm.get_login_token']) {
      assert.equal(at(capabilities, name, 'enabled'), false, name);
    }
  });

  it('is told that there is no TURN server, and which bridges there are: none', async () => {
    const island = network.island('acme.test');
    // Not held against the schema, which has no form for a server without TURN.
    const turn = await fetch(`${island.url}/_matrix/client/v3/voip/turnServer`, {
      headers: { Authorization: `Bearer ${alice.accessToken}` },
    });
    assert.deepEqual([turn.status, await turn.json()], [200, {}]);
    assert.deepEqual(await ok(alice.get(v3`/thirdparty/protocols`)), {});
    for (const path of [v3`/voip/turnServer`, v3`/thirdparty/protocols`]) {
      await refused(401, 'M_MISSING_TOKEN', anybody.get(path));
    }
  });

  it('finds a page for people at the root, which runs nothing', async () => {
    const { status, headers, bytes } = await anybody.get('/');
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/html; charset=utf-8');
    assert.match(String(headers['content-security-policy']), /^default-src 'none'/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    const page = bytes.toString('utf8');
    assert.match(page, /<html lang="en">/);
    assert.match(page, /acme\.test/);
    assert.match(page, /https:\/\/matrix\.acme\.test/);
    assert.match(page, /Element/);
    assert.match(page, /The administrator of this server helps/);
    assert.doesNotMatch(page, /<script|onclick|javascript:/i);
  });

  it('reads there that accounts are made in the client, only where that is so', async () => {
    const open = await network.add('open.test', { enableRegistration: true });
    const page = (await Client.anonymous(open).get('/')).bytes.toString('utf8');
    assert.match(page, /No account yet\? Make one in the client/);
    assert.match(page, /the address of this page/);
  });
});
