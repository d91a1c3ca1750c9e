import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, textAt, v3 } from '../support/client.ts';
import { idsOf, nextBatch, roomsIn, stateOf, textsOf, timelineOf, typesOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('/sync: filters', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;
  let carol: Client;
  let roomId: string;
  let other: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    carol = await Client.create(island, 'carol');
    roomId = await alice.createRoom({ preset: 'public_chat', name: 'One' });
    other = await alice.createRoom({ preset: 'public_chat', name: 'Other' });
    for (const room of [roomId, other])
      for (const user of [bob, carol]) await ok(user.post(v3`/rooms/${room}/join`));
    await bob.say(roomId, 'from Bob');
    await alice.say(other, 'elsewhere');
    for (let n = 1; n <= 12; n += 1) await alice.say(roomId, String(n));
    await ok(carol.put(v3`/rooms/${roomId}/send/test.odd/1`, { url: 'mxc://acme.test/1' }));
  });

  after(() => network.stop());

  const inline = (filter: JsonObject) => ({ filter: JSON.stringify(filter) });
  const first = (filter: JsonObject, user = bob) => user.sync(undefined, inline(filter));
  const room = (filter: JsonObject) => ({ room: filter });
  const account = (user: Client, roomPath: string, type: string) =>
    ok(user.put(`${v3`/user/${user.userId}`}${roomPath}/account_data/${type}`, { a: 1 }));

  it('can be stored and named', async () => {
    const path = v3`/user/${bob.userId}/filter`;
    const filterId = textAt(await ok(bob.post(path, room({ rooms: [other] }))), 'filter_id');
    assert.deepEqual(roomsIn(await bob.sync(undefined, { filter: filterId }), 'join'), [other]);
  });

  it('choose rooms, and in a part of the answer their events', async () => {
    assert.deepEqual(roomsIn(await first(room({ rooms: [roomId] })), 'join'), [roomId]);
    assert.deepEqual(roomsIn(await first(room({ not_rooms: [roomId] })), 'join'), [other]);
    assert.deepEqual(roomsIn(await first(room({ rooms: [roomId], not_rooms: [roomId] })), 'join'), []);
    const sync = await first(room({ timeline: { not_rooms: [roomId] }, state: { rooms: [roomId] } }));
    assert.deepEqual(timelineOf(sync, roomId), []);
    assert.notDeepEqual(timelineOf(sync, other), []);
    assert.notDeepEqual(stateOf(sync, roomId), []);
    assert.deepEqual(stateOf(sync, other), []);
    await account(bob, `/rooms/${encodeURIComponent(roomId)}`, 'test.room');
    const data = (answer: JsonObject) => listAt(answer, 'rooms', 'join', roomId, 'account_data', 'events');
    assert.equal(data(await first({})).length, 1);
    assert.deepEqual(data(await first(room({ account_data: { not_rooms: [roomId] } }))), []);
  });

  it('choose events by type and sender, and reach back until the timeline is full', async () => {
    const timeline = async (filter: JsonObject) =>
      timelineOf(await first(room({ rooms: [roomId], timeline: filter })), roomId);
    assert.deepEqual(typesOf(await timeline({ types: ['test.*'] })), ['test.odd']);
    assert.deepEqual(textsOf(await timeline({ senders: [bob.userId] })), ['from Bob']);
    assert.deepEqual(
      textsOf(await timeline({ senders: [bob.userId], types: ['m.room.message'], limit: 1 })),
      ['from Bob'],
    );
    assert.ok(
      (await timeline({ not_senders: [alice.userId] })).every(({ sender }) => sender !== alice.userId),
    );
    assert.deepEqual(typesOf(await timeline({ contains_url: true })), ['test.odd']);
    const messages = await timeline({ types: ['m.room.message'], limit: 13 });
    assert.equal(messages.length, 13);
    assert.deepEqual(textsOf(messages).slice(0, 2), ['from Bob', '1']);
    assert.deepEqual(await timeline({ types: [] }), []);
    const none = await first(room({ rooms: [roomId], timeline: { limit: 0 } }));
    assert.deepEqual(timelineOf(none, roomId), []);
    assert.equal(at(none, 'rooms', 'join', roomId, 'timeline', 'limited'), true);
    // What the timeline does not show is not lost: paging goes on where it stopped.
    const from = textAt(none, 'rooms', 'join', roomId, 'timeline', 'prev_batch');
    const older = await ok(bob.get(v3`/rooms/${roomId}/messages`, { dir: 'b', from, limit: 1 }));
    assert.deepEqual(typesOf(listAt(older, 'chunk')), ['test.odd']);
  });

  it('choose state and account data', async () => {
    const state = async (filter: JsonObject) =>
      typesOf(stateOf(await first(room({ rooms: [roomId], state: filter })), roomId));
    assert.deepEqual(await state({ types: ['m.room.name'] }), ['m.room.name']);
    assert.ok(!(await state({ not_types: ['m.room.*'] })).some((type) => type.startsWith('m.room.')));
    assert.deepEqual(await state({ senders: [carol.userId] }), [`m.room.member/${carol.userId}`]);
    await account(bob, '', 'test.global');
    const global = async (filter: JsonObject) =>
      listAt(await first({ account_data: filter }), 'account_data', 'events').map(({ type }) => type);
    assert.deepEqual(await global({ types: ['test.*'] }), ['test.global']);
    assert.deepEqual(await global({ not_types: ['test.*'] }), ['m.push_rules']);
    assert.deepEqual(await global({ types: [] }), []);
  });

  it('hide nothing that changed of the state behind a timeline that does not show it', async () => {
    const filter = room({ rooms: [roomId], timeline: { types: ['m.room.message'] } });
    const since = nextBatch(await first(filter));
    const path = v3`/rooms/${roomId}/state/m.room.topic/`;
    await ok(alice.put(path, { topic: 'a' }));
    const said = await alice.say(roomId, 'between');
    await ok(alice.put(path, { topic: 'b' }));
    const sync = await bob.sync(since, inline(filter));
    assert.deepEqual(idsOf(timelineOf(sync, roomId)), [said]);
    assert.deepEqual(
      stateOf(sync, roomId).map(({ content }) => content),
      [{ topic: 'b' }],
    );
  });

  it('pick fields, with escaped dots', async () => {
    await ok(alice.put(v3`/rooms/${roomId}/send/test.fields/1`, { 'a.b': { c: 1, d: 2 }, e: 3 }));
    const sync = await first({
      event_fields: ['content.a\\.b.c', 'content.nothing', 'sender.none'],
      room: { rooms: [roomId], timeline: { limit: 1 } },
    });
    const [event] = timelineOf(sync, roomId);
    assert.deepEqual(event?.['content'], { 'a.b': { c: 1 } });
    assert.equal(event?.['unsigned'], undefined);
    // What makes an event is there all the same.
    for (const key of ['type', 'event_id', 'sender', 'origin_server_ts'])
      assert.ok(event !== undefined && key in event, key);
  });

  it('give events as servers have them in the federation format', async () => {
    const sync = await first({
      event_format: 'federation',
      room: { rooms: [roomId], timeline: { limit: 1 } },
    });
    const [event] = timelineOf(sync, roomId);
    for (const key of ['auth_events', 'prev_events', 'depth', 'hashes', 'signatures', 'room_id', 'event_id'])
      assert.ok(event !== undefined && key in event, key);
  });

  describe('with lazily loaded members', () => {
    const lazy = (limit: number) =>
      room({ rooms: [roomId], state: { lazy_load_members: true }, timeline: { limit } });
    const members = (sync: JsonObject) =>
      stateOf(sync, roomId)
        .filter(({ type }) => type === 'm.room.member')
        .map(({ state_key: key }) => key)
        .sort();

    it('give those who are needed: senders and oneself, and heroes where the room has no name', async () => {
      assert.deepEqual(members(await first(lazy(1))), [alice.userId, bob.userId].sort());
      const nameless = await alice.createRoom({ preset: 'public_chat' });
      for (const user of [bob, carol]) await ok(user.post(v3`/rooms/${nameless}/join`));
      await alice.say(nameless, 'hi');
      const sync = await first({ room: { ...lazy(1).room, rooms: [nameless] } });
      assert.deepEqual(
        stateOf(sync, nameless)
          .filter(({ type }) => type === 'm.room.member')
          .map(({ state_key: key }) => key)
          .sort(),
        [alice.userId, bob.userId, carol.userId],
      );
      assert.ok(typesOf(stateOf(sync, nameless)).includes('m.room.power_levels'));
    });

    it('give senders whom the client may not know with what they say', async () => {
      const since = nextBatch(await first(lazy(1)));
      await carol.say(roomId, 'you do not know me');
      assert.deepEqual(members(await bob.sync(since, inline(lazy(10)))), [carol.userId]);
    });

    it('lose no change of a member in a gap', async () => {
      const dave = await Client.create(network.island('acme.test'), 'dave');
      await ok(dave.post(v3`/rooms/${roomId}/join`));
      const since = nextBatch(await first(lazy(1)));
      await ok(dave.post(v3`/rooms/${roomId}/leave`));
      for (let n = 1; n <= 3; n += 1) await alice.say(roomId, String(n));
      const sync = await bob.sync(since, inline(lazy(2)));
      assert.deepEqual(members(sync), [alice.userId, dave.userId]);
      const left = stateOf(sync, roomId).find(({ state_key: key }) => key === dave.userId);
      assert.equal(at(left, 'content', 'membership'), 'leave');
    });
  });
});
