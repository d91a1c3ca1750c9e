import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import {
  eventOf,
  idsOf,
  nextBatch,
  roomsIn,
  stateOf,
  textsOf,
  timelineOf,
  typesOf,
} from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('/sync: timeline and state', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
  });

  after(() => network.stop());

  const roomOfBoth = async (options: JsonObject = {}): Promise<string> => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
    await ok(bob.post(v3`/rooms/${roomId}/join`));
    return roomId;
  };
  const setState = async (roomId: string, type: string, content: JsonObject, key = ''): Promise<string> =>
    textAt(await ok(alice.put(v3`/rooms/${roomId}/state/${type}/${key}`, content)), 'event_id');
  const limited = (sync: JsonObject, roomId: string) =>
    at(sync, 'rooms', 'join', roomId, 'timeline', 'limited');
  const prevBatch = (sync: JsonObject, roomId: string): string =>
    textAt(sync, 'rooms', 'join', roomId, 'timeline', 'prev_batch');
  const filter = (value: JsonObject): { filter: string } => ({ filter: JSON.stringify(value) });
  const ofRoom = (roomId: string, room: JsonObject = {}) => filter({ room: { rooms: [roomId], ...room } });

  describe('at first', () => {
    it('gives each room its newest events and the state before them', async () => {
      const roomId = await roomOfBoth({ name: 'Desk' });
      for (let n = 1; n <= 12; n += 1) await alice.say(roomId, String(n));
      const sync = await bob.sync();
      const timeline = timelineOf(sync, roomId);
      assert.deepEqual(
        textsOf(timeline),
        Array.from({ length: 10 }, (_, index) => String(index + 3)),
      );
      assert.equal(limited(sync, roomId), true);
      assert.deepEqual(
        typesOf(stateOf(sync, roomId)).sort(),
        [
          'm.room.create',
          'm.room.guest_access',
          'm.room.history_visibility',
          'm.room.join_rules',
          'm.room.member/@alice:acme.test',
          'm.room.member/@bob:acme.test',
          'm.room.name',
          'm.room.power_levels',
        ].sort(),
      );
      for (const event of [...timeline, ...stateOf(sync, roomId)]) assert.equal(event['room_id'], undefined);
      const older = await ok(
        bob.get(v3`/rooms/${roomId}/messages`, { dir: 'b', from: prevBatch(sync, roomId), limit: 2 }),
      );
      assert.deepEqual(textsOf(listAt(older, 'chunk')), ['2', '1']);
    });

    it('repeats no state that the timeline shows, and gives what it was before', async () => {
      const roomId = await roomOfBoth({ name: 'Old' });
      await setState(roomId, 'm.room.topic', { topic: 'Only' });
      for (let n = 1; n <= 8; n += 1) await alice.say(roomId, String(n));
      await setState(roomId, 'm.room.name', { name: 'New' });
      const sync = await bob.sync(undefined, ofRoom(roomId, { timeline: { limit: 3 } }));
      assert.deepEqual(at(eventOf(timelineOf(sync, roomId), 'm.room.name'), 'content'), { name: 'New' });
      assert.deepEqual(at(eventOf(stateOf(sync, roomId), 'm.room.name'), 'content'), { name: 'Old' });
      assert.deepEqual(at(eventOf(stateOf(sync, roomId), 'm.room.topic'), 'content'), { topic: 'Only' });
      const whole = await bob.sync(undefined, ofRoom(roomId, { timeline: { limit: 100 } }));
      assert.equal(limited(whole, roomId), false);
      assert.deepEqual(stateOf(whole, roomId), []);
      assert.equal(timelineOf(whole, roomId)[0]?.['type'], 'm.room.create');
    });

    it('gives nothing of a room that the user is not in', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      assert.ok(!roomsIn(await bob.sync(), 'join').includes(roomId));
    });
  });

  describe('later', () => {
    it('gives what is new, once', async () => {
      const roomId = await roomOfBoth();
      const first = nextBatch(await bob.sync());
      const quiet = await bob.sync(first);
      assert.deepEqual(Object.keys(quiet), ['next_batch']);
      const one = await alice.say(roomId, 'one');
      const topic = await setState(roomId, 'm.room.topic', { topic: 'new' });
      const sync = await bob.sync(first);
      assert.deepEqual(idsOf(timelineOf(sync, roomId)), [one, topic]);
      assert.deepEqual(stateOf(sync, roomId), []);
      assert.equal(limited(sync, roomId), false);
      assert.equal(timelineOf(sync, roomId)[1]?.['state_key'], '');
      assert.deepEqual(Object.keys(await bob.sync(nextBatch(sync))), ['next_batch']);
      // A token stays good: the answer is the same, whoever has asked in between.
      assert.deepEqual(idsOf(timelineOf(await bob.sync(first), roomId)), [one, topic]);
    });

    it('leaves a gap where there is too much, with a way into it and the state at its end', async () => {
      const roomId = await roomOfBoth({ name: 'Before' });
      const since = nextBatch(await bob.sync());
      const inGap = await setState(roomId, 'm.room.name', { name: 'In the gap' });
      await setState(roomId, 'm.room.topic', { topic: 'In the gap' });
      const twice = await setState(roomId, 'm.room.topic', { topic: 'Last in the gap' });
      const missed: string[] = [];
      for (let n = 1; n <= 6; n += 1) missed.push(await alice.say(roomId, String(n)));
      const name = await setState(roomId, 'm.room.name', { name: 'In the timeline' });
      const avatar = await setState(roomId, 'm.room.avatar', { url: 'mxc://acme.test/x' });
      const last = await alice.say(roomId, 'last');
      const sync = await bob.sync(since, filter({ room: { timeline: { limit: 3 } } }));
      assert.deepEqual(idsOf(timelineOf(sync, roomId)), [name, avatar, last]);
      assert.equal(limited(sync, roomId), true);
      // The name as it was when the timeline starts; the avatar was not there yet; nothing else has changed.
      assert.deepEqual(idsOf(stateOf(sync, roomId)).sort(), [inGap, twice].sort());
      const gap = await ok(
        bob.get(v3`/rooms/${roomId}/messages`, {
          dir: 'b',
          from: prevBatch(sync, roomId),
          to: since,
          limit: 50,
        }),
      );
      assert.deepEqual(idsOf(listAt(gap, 'chunk')).slice(0, 6), missed.reverse());
      assert.equal(listAt(gap, 'chunk').length, 9);
      assert.equal(gap['end'], undefined);
    });

    it('gives with use_state_after the state at the end of the timeline', async () => {
      const roomId = await roomOfBoth({ name: 'Before' });
      const since = nextBatch(await bob.sync());
      await setState(roomId, 'm.room.name', { name: 'In the gap' });
      for (let n = 1; n <= 3; n += 1) await alice.say(roomId, String(n));
      const name = await setState(roomId, 'm.room.name', { name: 'In the timeline' });
      const later = await bob.sync(since, {
        use_state_after: 'true',
        ...filter({ room: { timeline: { limit: 1 } } }),
      });
      assert.deepEqual(idsOf(timelineOf(later, roomId)), [name]);
      assert.equal(at(later, 'rooms', 'join', roomId, 'state'), undefined);
      assert.deepEqual(idsOf(listAt(later, 'rooms', 'join', roomId, 'state_after', 'events')), [name]);
      const first = await bob.sync(undefined, { use_state_after: 'true' });
      const after = listAt(first, 'rooms', 'join', roomId, 'state_after', 'events');
      assert.deepEqual(at(eventOf(after, 'm.room.name'), 'content'), { name: 'In the timeline' });
      assert.ok(eventOf(after, 'm.room.create') !== undefined);
      await alice.say(roomId, 'no state');
      const quiet = await bob.sync(nextBatch(first), { use_state_after: 'true' });
      assert.deepEqual(at(quiet, 'rooms', 'join', roomId, 'state_after'), { events: [] });
    });

    it('gives with full_state all of the state at once, and only what is new of the timeline', async () => {
      const roomId = await roomOfBoth({ name: 'Full' });
      await alice.say(roomId, 'known');
      const since = nextBatch(await bob.sync());
      const started = Date.now();
      const sync = await bob.sync(since, { full_state: 'true', timeout: 20_000 });
      assert.ok(Date.now() - started < 15_000);
      assert.deepEqual(timelineOf(sync, roomId), []);
      assert.ok(typesOf(stateOf(sync, roomId)).includes('m.room.name'));
      assert.ok(typesOf(stateOf(sync, roomId)).includes('m.room.create'));
      const news = await alice.say(roomId, 'new');
      assert.deepEqual(idsOf(timelineOf(await bob.sync(since, { full_state: 'true' }), roomId)), [news]);
    });

    it('is for the user who changes their profile no new room', async () => {
      const roomId = await roomOfBoth();
      await alice.say(roomId, 'known');
      const since = nextBatch(await bob.sync());
      await ok(bob.put(v3`/profile/${bob.userId}/displayname`, { displayname: `Bob ${roomId.length}` }));
      const sync = await bob.sync(since);
      assert.deepEqual(typesOf(timelineOf(sync, roomId)), [`m.room.member/${bob.userId}`]);
      assert.equal(limited(sync, roomId), false);
      assert.deepEqual(stateOf(sync, roomId), []);
      const [event] = timelineOf(sync, roomId);
      assert.equal(at(event, 'unsigned', 'prev_content', 'membership'), 'join');
    });

    it('shows redactions as events and what they redacted without its content', async () => {
      const roomId = await roomOfBoth();
      const regretted = await alice.say(roomId, 'regretted');
      const since = nextBatch(await bob.sync());
      const early = nextBatch(await alice.sync());
      const also = await alice.say(roomId, 'also regretted');
      await ok(alice.put(v3`/rooms/${roomId}/redact/${regretted}/1`, { reason: 'so' }));
      await ok(alice.put(v3`/rooms/${roomId}/redact/${also}/2`, {}));
      const timeline = timelineOf(await bob.sync(since), roomId);
      assert.deepEqual(typesOf(timeline), ['m.room.message', 'm.room.redaction', 'm.room.redaction']);
      assert.deepEqual(timeline[0]?.['content'], {});
      assert.equal(at(timeline[0], 'unsigned', 'redacted_because', 'redacts'), also);
      assert.equal(timeline[1]?.['redacts'], regretted);
      assert.equal(at(timeline[1], 'content', 'redacts'), regretted);
      assert.deepEqual(textsOf(timelineOf(await alice.sync(early), roomId)), []);
    });

    it('tells its own transaction id to the sending device alone', async () => {
      const roomId = await roomOfBoth();
      const phone = await Client.logIn(network.island('acme.test'), 'alice');
      const [laptopSince, phoneSince] = [nextBatch(await alice.sync()), nextBatch(await phone.sync())];
      await ok(
        phone.put(v3`/rooms/${roomId}/send/m.room.message/from-the-phone`, { msgtype: 'm.text', body: 'x' }),
      );
      const [onPhone] = timelineOf(await phone.sync(phoneSince), roomId);
      assert.equal(at(onPhone, 'unsigned', 'transaction_id'), 'from-the-phone');
      const [onLaptop] = timelineOf(await alice.sync(laptopSince), roomId);
      assert.equal(onLaptop?.['event_id'], onPhone?.['event_id']);
      assert.equal(at(onLaptop, 'unsigned', 'transaction_id'), undefined);
      assert.ok(Number(at(onLaptop, 'unsigned', 'age')) >= 0);
      assert.equal(at(onLaptop, 'unsigned', 'membership'), 'join');
    });
  });

  describe('the summary', () => {
    it('counts members and names heroes, and changes when they do', async () => {
      const carol = await Client.create(network.island('acme.test'), 'carol');
      const roomId = await alice.createRoom({ invite: [bob.userId, carol.userId] });
      const first = await alice.sync();
      const summary = (sync: JsonObject) => at(sync, 'rooms', 'join', roomId, 'summary');
      assert.deepEqual(summary(first), {
        'm.joined_member_count': 1,
        'm.invited_member_count': 2,
        'm.heroes': [bob.userId, carol.userId],
      });
      await ok(carol.post(v3`/rooms/${roomId}/join`));
      const second = await alice.sync(nextBatch(first));
      assert.equal(at(summary(second), 'm.joined_member_count'), 2);
      assert.equal(at(summary(second), 'm.invited_member_count'), 1);
      await alice.say(roomId, 'hi');
      const third = await alice.sync(nextBatch(second));
      assert.deepEqual(summary(third) ?? {}, {});
      await setState(roomId, 'm.room.name', { name: 'Named' });
      const fourth = await alice.sync(nextBatch(third));
      assert.equal(at(summary(fourth), 'm.heroes'), undefined);
      await setState(roomId, 'm.room.name', {});
      await ok(carol.post(v3`/rooms/${roomId}/leave`));
      await ok(bob.post(v3`/rooms/${roomId}/leave`));
      const fifth = await alice.sync(nextBatch(fourth));
      assert.deepEqual(at(summary(fifth), 'm.heroes'), [carol.userId, bob.userId]);
    });
  });

  describe('the token', () => {
    it('is good after a restart: nothing lost, nothing twice', async () => {
      const roomId = await roomOfBoth();
      const since = nextBatch(await bob.sync());
      const before = await alice.say(roomId, 'before');
      await network.restart('acme.test');
      const after = await alice.say(roomId, 'after');
      const sync = await bob.sync(since);
      assert.deepEqual(idsOf(timelineOf(sync, roomId)), [before, after]);
      assert.deepEqual(roomsIn(sync, 'join'), [roomId]);
      assert.deepEqual(Object.keys(await bob.sync(nextBatch(sync))), ['next_batch']);
    });

    it('that we never gave is refused', async () => {
      for (const since of ['nonsense', 's1', 's_', 's1_2_', 's1_2_3_4', 's-1_0_a', '1'])
        await refused(400, 'M_INVALID_PARAM', bob.get(v3`/sync`, { since }));
    });
  });
});
