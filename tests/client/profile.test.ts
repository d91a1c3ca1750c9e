import assert from 'node:assert/strict';
import { at, Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

const picture = 'mxc://acme.test/abcDEF_-1';

describe('profiles', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let alice: Client;
  let bob: Client;
  let anybody: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    anybody = Client.anonymous(island);
  });

  after(() => network.stop());

  const profile = (client: Client, userId: string) => client.get(v3`/profile/${userId}`);
  const setName = (client: Client, displayname: string) =>
    client.put(v3`/profile/${client.userId}/displayname`, { displayname });

  it('start empty, are set key by key and read by anybody, whole or in part', async () => {
    assert.deepEqual(await ok(profile(anybody, alice.userId)), {});
    await refused(404, 'M_NOT_FOUND', anybody.get(v3`/profile/${alice.userId}/displayname`));
    assert.deepEqual(await ok(setName(alice, 'Alice 🌍')), {});
    assert.deepEqual(
      await ok(alice.put(v3`/profile/${alice.userId}/avatar_url`, { avatar_url: picture })),
      {},
    );
    const whole = { displayname: 'Alice 🌍', avatar_url: picture };
    for (const client of [alice, bob, anybody])
      assert.deepEqual(await ok(profile(client, alice.userId)), whole);
    const name = await ok(anybody.get(v3`/profile/${alice.userId}/displayname`));
    assert.deepEqual(name, { displayname: 'Alice 🌍' });
  });

  it('forget a key that is deleted, or set to nothing', async () => {
    const path = v3`/profile/${bob.userId}/displayname`;
    for (const clear of [() => bob.delete(path), () => setName(bob, '')]) {
      await ok(setName(bob, 'Bob'));
      assert.deepEqual(await ok(clear()), {});
      assert.deepEqual(await ok(profile(bob, bob.userId)), {});
      // Deleting what is not there is no error.
      await ok(bob.delete(path));
    }
  });

  it('are written by their own user alone', async () => {
    const path = v3`/profile/${alice.userId}/displayname`;
    await refused(403, 'M_FORBIDDEN', bob.put(path, { displayname: 'Mallory' }));
    await refused(403, 'M_FORBIDDEN', bob.delete(path));
    await refused(401, 'M_MISSING_TOKEN', anybody.put(path, { displayname: 'Mallory' }));
    await refused(401, 'M_MISSING_TOKEN', anybody.delete(path));
  });

  it('have limits and shapes', async () => {
    const put = (key: string, body: Record<string, string | number | null>) =>
      bob.put(v3`/profile/${bob.userId}/${key}`, body);
    await refused(400, 'M_MISSING_PARAM', put('displayname', {}));
    await refused(400, 'M_BAD_JSON', put('displayname', { displayname: 7 }));
    await refused(400, 'M_BAD_JSON', put('displayname', { displayname: null }));
    await ok(put('displayname', { displayname: 'x'.repeat(256) }));
    await refused(400, 'M_INVALID_PARAM', put('displayname', { displayname: 'x'.repeat(257) }));
    await refused(400, 'M_INVALID_PARAM', put('displayname', { displayname: 'ü'.repeat(129) }));
    for (const url of ['https://acme.test/a.png', 'mxc://', 'mxc://acme.test', 'mxc://acme.test/a/b', 'x']) {
      await refused(400, 'M_INVALID_PARAM', put('avatar_url', { avatar_url: url }));
    }
    const long = `mxc://acme.test/${'x'.repeat(1_000)}`;
    await refused(400, 'M_INVALID_PARAM', put('avatar_url', { avatar_url: long }));
  });

  it('have only the keys that the capabilities name', async () => {
    const { capabilities } = await ok(alice.get(v3`/capabilities`));
    const allowed = at(capabilities, 'm.profile_fields', 'allowed');
    assert.deepEqual(allowed, ['displayname', 'avatar_url']);
    for (const key of ['m.tz', 'org.example.job']) {
      await refused(403, 'M_FORBIDDEN', alice.put(v3`/profile/${alice.userId}/${key}`, { [key]: 'x' }));
      await refused(403, 'M_FORBIDDEN', alice.delete(v3`/profile/${alice.userId}/${key}`));
      await refused(404, 'M_NOT_FOUND', anybody.get(v3`/profile/${alice.userId}/${key}`));
    }
    await refused(400, 'M_INVALID_PARAM', alice.put(v3`/profile/${alice.userId}/Job`, { Job: 'x' }));
    const long = `org.example.${'x'.repeat(255)}`;
    await refused(400, 'M_KEY_TOO_LARGE', alice.put(v3`/profile/${alice.userId}/${long}`, { [long]: 'x' }));
  });

  it('have no keys that are parts of every JavaScript object', async () => {
    for (const key of ['constructor', '__proto__', 'toString']) {
      await refused(404, 'M_NOT_FOUND', anybody.get(v3`/profile/${alice.userId}/${key}`));
      await refused(400, 'M_INVALID_PARAM', alice.put(v3`/profile/${alice.userId}/${key}`, { key: 'x' }));
    }
  });

  it('are not found of users that are not there', async () => {
    await refused(404, 'M_NOT_FOUND', profile(anybody, '@nobody:acme.test'));
    for (const name of ['alice', '@alice', '@alice:', '@alice:ac me', '#alice:acme.test']) {
      await refused(400, 'M_INVALID_PARAM', profile(anybody, name));
    }
  });

  it('change the member events of the rooms in which their user is, and of no others', async () => {
    const carol = await Client.create(island, 'carol');
    await ok(setName(carol, 'Carol'));
    const joined = await carol.createRoom({ preset: 'public_chat' });
    const left = await carol.createRoom({ preset: 'public_chat' });
    await ok(bob.post(v3`/join/${left}`));
    await ok(carol.post(v3`/rooms/${left}/leave`));
    const invited = await bob.createRoom({ invite: [carol.userId] });
    const member = (client: Client, roomId: string) =>
      client.get(v3`/rooms/${roomId}/state/m.room.member/${carol.userId}`);
    assert.equal((await ok(member(carol, joined)))['displayname'], 'Carol');

    await ok(setName(carol, 'Caroline'));
    await ok(carol.put(v3`/profile/${carol.userId}/avatar_url`, { avatar_url: picture }));
    assert.deepEqual(await ok(member(carol, joined)), {
      membership: 'join',
      displayname: 'Caroline',
      avatar_url: picture,
    });
    assert.equal((await ok(member(bob, left)))['membership'], 'leave');
    const invitation = await ok(member(bob, invited));
    assert.deepEqual([invitation['membership'], invitation['displayname']], ['invite', 'Carol']);

    // Nothing changes: no event.
    const count = async (): Promise<number> => {
      const page = await ok(carol.get(v3`/rooms/${joined}/messages`, { dir: 'b', limit: 100 }));
      return listAt(page, 'chunk').filter(({ type }) => type === 'm.room.member').length;
    };
    const before = await count();
    await ok(setName(carol, 'Caroline'));
    assert.equal(await count(), before);

    await ok(setName(carol, ''));
    assert.equal((await ok(member(carol, joined)))['displayname'], undefined);
  });

  it('reach the rooms in the order in which they were changed', async () => {
    const dora = await Client.create(island, 'dora');
    const rooms = await Promise.all([1, 2, 3].map(() => dora.createRoom()));
    await Promise.all(['one', 'two', 'three', 'four'].map((name) => setName(dora, name)));
    const { displayname } = await ok(profile(dora, dora.userId));
    for (const roomId of rooms) {
      const member = await ok(dora.get(v3`/rooms/${roomId}/state/m.room.member/${dora.userId}`));
      assert.equal(member['displayname'], displayname);
    }
  });

  it('of partners are asked for by those who are logged in, never by strangers', async () => {
    const eve = await Client.create(network.island('bolt.test'), 'eve');
    await ok(setName(eve, 'Eve of Bolt'));
    assert.deepEqual(await ok(profile(eve, eve.userId)), { displayname: 'Eve of Bolt' });
    // Partners see whom they share a room with.
    const roomId = await eve.createRoom();
    await ok(eve.post(v3`/rooms/${roomId}/invite`, { user_id: alice.userId }));
    const displayname = 'Eve of Bolt (bolt.test)';
    assert.deepEqual(await ok(profile(alice, eve.userId)), {
      displayname,
      'org.archipelago.external': { server_name: 'bolt.test', label: 'bolt.test' },
    });
    assert.deepEqual(await ok(alice.get(v3`/profile/${eve.userId}/displayname`)), { displayname });
    await refused(404, 'M_NOT_FOUND', profile(alice, '@nobody:bolt.test'));
    await refused(403, 'M_FORBIDDEN', profile(anybody, eve.userId));
    const expired = Client.of(island, { access_token: 'not a token'.replaceAll(' ', '') });
    await refused(403, 'M_FORBIDDEN', profile(expired, eve.userId));
    assert.equal((await ok(profile(expired, alice.userId)))['displayname'], 'Alice 🌍');
    // Whoever is no partner is not asked at all.
    await refused(403, 'M_FORBIDDEN', profile(alice, '@x:stranger.test'));
  });
});
