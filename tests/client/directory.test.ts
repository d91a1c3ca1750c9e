import assert from 'node:assert/strict';
import { Client, ok, refused, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('aliases of rooms', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let alice: Client;
  let bob: Client;
  let anybody: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    anybody = Client.anonymous(island);
    roomId = await alice.createRoom({ preset: 'public_chat' });
  });

  after(() => network.stop());

  const path = (alias: string): string => v3`/directory/room/${alias}`;
  const aliasesOf = (client: Client, room: string) => client.get(v3`/rooms/${room}/aliases`);

  it('are made by members, found by anybody, removed again', async () => {
    for (const alias of ['#plan:acme.test', '#a/b ü%2F#?:acme.test']) {
      await refused(404, 'M_NOT_FOUND', anybody.get(path(alias)));
      assert.deepEqual(await ok(alice.put(path(alias), { room_id: roomId })), {});
      assert.deepEqual(await ok(anybody.get(path(alias))), { room_id: roomId, servers: ['acme.test'] });
      assert.deepEqual(await ok(aliasesOf(alice, roomId)), { aliases: [alias] });
      assert.deepEqual(await ok(alice.delete(path(alias))), {});
      await refused(404, 'M_NOT_FOUND', anybody.get(path(alias)));
      await refused(404, 'M_NOT_FOUND', alice.delete(path(alias)));
    }
    assert.deepEqual(await ok(aliasesOf(alice, roomId)), { aliases: [] });
  });

  it('name one room each', async () => {
    const other = await alice.createRoom();
    await ok(alice.put(path('#one:acme.test'), { room_id: roomId }));
    await refused(409, 'M_UNKNOWN', alice.put(path('#one:acme.test'), { room_id: other }));
    await ok(alice.delete(path('#one:acme.test')));
  });

  it('are made only by members, and removed by their maker, a moderator or an admin', async () => {
    await refused(403, 'M_FORBIDDEN', bob.put(path('#x:acme.test'), { room_id: roomId }));
    await refused(403, 'M_FORBIDDEN', bob.put(path('#x:acme.test'), { room_id: '!unknown:acme.test' }));
    await refused(401, 'M_MISSING_TOKEN', anybody.put(path('#x:acme.test'), { room_id: roomId }));
    await ok(bob.post(v3`/join/${roomId}`));
    await ok(bob.put(path('#bobs:acme.test'), { room_id: roomId }));
    await ok(alice.put(path('#alices:acme.test'), { room_id: roomId }));
    await refused(403, 'M_FORBIDDEN', bob.delete(path('#alices:acme.test')));
    await ok(alice.delete(path('#bobs:acme.test')));
    const admin = await Client.create(island, 'admin', { admin: true });
    await ok(admin.delete(path('#alices:acme.test')));
  });

  it('are listed to members, and to all where everybody may read', async () => {
    const stranger = await Client.create(island, 'stranger');
    await refused(403, 'M_FORBIDDEN', aliasesOf(stranger, roomId));
    await refused(403, 'M_FORBIDDEN', aliasesOf(stranger, '!unknown:acme.test'));
    const visibility = { history_visibility: 'world_readable' };
    await ok(alice.put(v3`/rooms/${roomId}/state/m.room.history_visibility/`, visibility));
    assert.deepEqual(await ok(aliasesOf(stranger, roomId)), { aliases: [] });
  });

  it('must be aliases, and ours', async () => {
    for (const alias of [
      'plan',
      '#plan',
      '#:acme.test',
      '#plan:',
      '!plan:acme.test',
      `#${'x'.repeat(255)}:acme.test`,
    ]) {
      await refused(400, 'M_INVALID_PARAM', alice.put(path(alias), { room_id: roomId }));
    }
    for (const alias of ['plan', '#plan', '#plan:'])
      await refused(400, 'M_INVALID_PARAM', anybody.get(path(alias)));
    await refused(400, 'M_INVALID_PARAM', alice.put(path('#plan:bolt.test'), { room_id: roomId }));
    await refused(400, 'M_INVALID_PARAM', alice.put(path('#plan:acme.test'), { room_id: 'room' }));
    await refused(400, 'M_MISSING_PARAM', alice.put(path('#plan:acme.test'), {}));
  });

  it('come with a new room, and show in it', async () => {
    const made = await alice.createRoom({ room_alias_name: 'made', preset: 'private_chat' });
    assert.deepEqual((await ok(anybody.get(path('#made:acme.test'))))['room_id'], made);
    const canonical = await ok(alice.get(v3`/rooms/${made}/state/m.room.canonical_alias/`));
    assert.deepEqual(canonical, { alias: '#made:acme.test' });
    await refused(400, 'M_ROOM_IN_USE', alice.post(v3`/createRoom`, { room_alias_name: 'made' }));
  });

  it('of partners are found by those who are logged in, never by strangers', async () => {
    const eve = await Client.create(network.island('bolt.test'), 'eve');
    const theirs = await eve.createRoom({ room_alias_name: 'theirs', preset: 'public_chat' });
    const found = await ok(alice.get(path('#theirs:bolt.test')));
    assert.deepEqual(found, { room_id: theirs, servers: ['bolt.test'] });
    await refused(404, 'M_NOT_FOUND', alice.get(path('#nothing:bolt.test')));
    await refused(403, 'M_FORBIDDEN', anybody.get(path('#theirs:bolt.test')));
    await refused(403, 'M_FORBIDDEN', alice.get(path('#x:stranger.test')));
    assert.deepEqual(await ok(alice.post(v3`/join/${'#theirs:bolt.test'}`)), { room_id: theirs });
  });
});
