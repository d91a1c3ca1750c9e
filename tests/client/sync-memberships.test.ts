import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, textAt, v3 } from '../support/client.ts';
import {
  eventOf,
  idsOf,
  nextBatch,
  roomsIn,
  type Section,
  stateOf,
  textsOf,
  timelineOf,
  typesOf,
} from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('/sync: invitations, joins and leaves', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
  });

  after(() => network.stop());

  const act = (user: Client, action: string, roomId: string, target: Client, reason = '') =>
    ok(user.post(v3`/rooms/${roomId}/${action}`, { user_id: target.userId, reason }));
  const join = (user: Client, roomId: string) => ok(user.post(v3`/join/${roomId}`));
  const leave = (user: Client, roomId: string) => ok(user.post(v3`/rooms/${roomId}/leave`));
  const inviteState = (sync: JsonObject, roomId: string) =>
    listAt(sync, 'rooms', 'invite', roomId, 'invite_state', 'events');
  const sections = (sync: JsonObject, roomId: string) =>
    (['join', 'invite', 'leave'] as Section[]).filter((section) => roomsIn(sync, section).includes(roomId));
  const limited = (sync: JsonObject, roomId: string, section = 'join') =>
    at(sync, 'rooms', section, roomId, 'timeline', 'limited');
  const nothing = async (user: Client, since: string) =>
    assert.deepEqual(Object.keys(await user.sync(since)), ['next_batch']);

  describe('an invitation', () => {
    it('shows what the room is, in stripped form, and stays until it is answered', async () => {
      const since = nextBatch(await bob.sync());
      const roomId = await alice.createRoom({
        name: 'Secret plans',
        topic: 'Plans',
        room_alias_name: 'plans',
        invite: [bob.userId],
        is_direct: true,
        initial_state: [{ type: 'test.private', content: { secret: true } }],
      });
      await alice.say(roomId, 'not for Bob yet');
      for (const sync of [await bob.sync(since), await bob.sync()]) {
        assert.deepEqual(sections(sync, roomId), ['invite']);
        const state = inviteState(sync, roomId);
        assert.deepEqual(
          typesOf(state).sort(),
          [
            'm.room.canonical_alias',
            'm.room.create',
            'm.room.join_rules',
            'm.room.member/@alice:acme.test',
            'm.room.member/@bob:acme.test',
            'm.room.name',
            'm.room.topic',
          ].sort(),
        );
        for (const event of state)
          assert.deepEqual(Object.keys(event).sort(), ['content', 'sender', 'state_key', 'type']);
        const own = eventOf(state, 'm.room.member', bob.userId);
        assert.deepEqual([own?.['sender'], at(own, 'content', 'is_direct')], [alice.userId, true]);
      }
      const again = await bob.sync(since);
      await nothing(bob, nextBatch(again));
      await act(alice, 'invite', roomId, bob);
      assert.deepEqual(sections(await bob.sync(nextBatch(again)), roomId), ['invite']);
    });

    it('becomes a joined room with all of its state when it is accepted', async () => {
      const roomId = await alice.createRoom({ name: 'Desk', invite: [bob.userId] });
      for (let n = 1; n <= 12; n += 1) await alice.say(roomId, String(n));
      const since = nextBatch(await bob.sync());
      await join(bob, roomId);
      const sync = await bob.sync(since);
      assert.deepEqual(sections(sync, roomId), ['join']);
      assert.equal(limited(sync, roomId), true);
      assert.equal(timelineOf(sync, roomId).at(-1)?.['state_key'], bob.userId);
      assert.equal(timelineOf(sync, roomId).length, 10);
      const types = typesOf(stateOf(sync, roomId));
      for (const type of [
        'm.room.create',
        'm.room.name',
        'm.room.power_levels',
        'm.room.member/@alice:acme.test',
      ])
        assert.ok(types.includes(type), type);
      await nothing(bob, nextBatch(sync));
    });

    it('becomes a left room when it is rejected or withdrawn, with that event and nothing else', async () => {
      for (const end of [
        (roomId: string) => leave(bob, roomId),
        (roomId: string) => act(alice, 'kick', roomId, bob),
        (roomId: string) => act(alice, 'ban', roomId, bob),
      ]) {
        const roomId = await alice.createRoom({ name: 'Secret', invite: [bob.userId] });
        await alice.say(roomId, 'secret');
        const invited = await bob.sync();
        assert.deepEqual(sections(invited, roomId), ['invite']);
        await end(roomId);
        const sync = await bob.sync(nextBatch(invited));
        assert.deepEqual(sections(sync, roomId), ['leave']);
        assert.deepEqual(typesOf(timelineOf(sync, roomId, 'leave')), [`m.room.member/${bob.userId}`]);
        assert.deepEqual(stateOf(sync, roomId, 'leave'), []);
        await nothing(bob, nextBatch(sync));
        assert.deepEqual(sections(await bob.sync(), roomId), []);
      }
    });
  });

  describe('leaving', () => {
    it('shows the rest of the stay once, the leave last, and nothing after', async () => {
      for (const [end, reason] of [
        [(roomId: string) => leave(bob, roomId), undefined],
        [(roomId: string) => act(alice, 'kick', roomId, bob, 'out'), 'out'],
        [(roomId: string) => act(alice, 'ban', roomId, bob, 'out'), 'out'],
      ] as const) {
        const roomId = await alice.createRoom({ preset: 'public_chat' });
        await join(bob, roomId);
        const since = nextBatch(await bob.sync());
        await alice.say(roomId, 'last words');
        await end(roomId);
        await alice.say(roomId, 'good that he is gone');
        const sync = await bob.sync(since);
        assert.deepEqual(sections(sync, roomId), ['leave']);
        const timeline = timelineOf(sync, roomId, 'leave');
        assert.deepEqual(typesOf(timeline), ['m.room.message', `m.room.member/${bob.userId}`]);
        assert.equal(at(timeline[1], 'content', 'reason'), reason);
        assert.equal(limited(sync, roomId, 'leave'), false);
        await alice.say(roomId, 'still talking');
        await nothing(bob, nextBatch(sync));
        assert.deepEqual(sections(await bob.sync(), roomId), []);
      }
    });

    it('brings what changed of the state in the gap before its timeline', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Before' });
      await join(bob, roomId);
      const since = nextBatch(await bob.sync());
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'In the gap' }));
      for (let n = 1; n <= 12; n += 1) await alice.say(roomId, String(n));
      await leave(bob, roomId);
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'Too late' }));
      const sync = await bob.sync(since);
      assert.equal(limited(sync, roomId, 'leave'), true);
      assert.equal(timelineOf(sync, roomId, 'leave').length, 10);
      const state = stateOf(sync, roomId, 'leave');
      assert.deepEqual(typesOf(state), ['m.room.name']);
      assert.deepEqual(state[0]?.['content'], { name: 'In the gap' });
      const from = textAt(sync, 'rooms', 'leave', roomId, 'timeline', 'prev_batch');
      const gap = await ok(bob.get(v3`/rooms/${roomId}/messages`, { dir: 'b', from, to: since }));
      assert.deepEqual(textsOf(listAt(gap, 'chunk')), ['3', '2', '1']);
    });

    it('shows a stay that began and ended since the last sync whole', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Short' });
      const since = nextBatch(await bob.sync());
      await join(bob, roomId);
      await alice.say(roomId, 'hello');
      await leave(bob, roomId);
      const sync = await bob.sync(since);
      assert.deepEqual(sections(sync, roomId), ['leave']);
      assert.deepEqual(textsOf(timelineOf(sync, roomId, 'leave')), ['hello']);
      const all = [...stateOf(sync, roomId, 'leave'), ...timelineOf(sync, roomId, 'leave')];
      assert.ok(eventOf(all, 'm.room.create') !== undefined);
      assert.deepEqual(at(eventOf(all, 'm.room.name'), 'content'), { name: 'Short' });
    });

    it('shows a ban after a kick without what came in between', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Before' });
      await join(bob, roomId);
      const since = nextBatch(await bob.sync());
      await alice.say(roomId, 'for Bob');
      await act(alice, 'kick', roomId, bob);
      const kicked = nextBatch(await bob.sync(since));
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'Without Bob' }));
      await alice.say(roomId, 'not for Bob');
      await act(alice, 'ban', roomId, bob);
      const member = `m.room.member/${bob.userId}`;
      const both = await bob.sync(since);
      assert.deepEqual(typesOf(timelineOf(both, roomId, 'leave')), ['m.room.message', member, member]);
      assert.deepEqual(textsOf(timelineOf(both, roomId, 'leave')), ['for Bob']);
      assert.deepEqual(stateOf(both, roomId, 'leave'), []);
      const ban = await bob.sync(kicked);
      assert.deepEqual(typesOf(timelineOf(ban, roomId, 'leave')), [member]);
      assert.deepEqual(stateOf(ban, roomId, 'leave'), []);
    });

    it('shows left rooms in a first sync to who asks for them, with their state, until they are forgotten', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Left' });
      await join(bob, roomId);
      for (let n = 1; n <= 12; n += 1) await alice.say(roomId, String(n));
      await leave(bob, roomId);
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'Later' }));
      const filter = JSON.stringify({ room: { include_leave: true } });
      const sync = await bob.sync(undefined, { filter });
      assert.deepEqual(sections(sync, roomId), ['leave']);
      assert.equal(timelineOf(sync, roomId, 'leave').at(-1)?.['state_key'], bob.userId);
      assert.equal(timelineOf(sync, roomId, 'leave').length, 10);
      assert.deepEqual(at(eventOf(stateOf(sync, roomId, 'leave'), 'm.room.name'), 'content'), {
        name: 'Left',
      });
      assert.ok(eventOf(stateOf(sync, roomId, 'leave'), 'm.room.create') !== undefined);
      assert.deepEqual(sections(await bob.sync(), roomId), []);
      await ok(bob.post(v3`/rooms/${roomId}/forget`));
      assert.deepEqual(sections(await bob.sync(undefined, { filter }), roomId), []);
    });
  });

  describe('joining', () => {
    it('gives a new room whole in the next sync', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Lobby' });
      const since = nextBatch(await bob.sync());
      await join(bob, roomId);
      const sync = await bob.sync(since, { filter: JSON.stringify({ room: { timeline: { limit: 1 } } }) });
      assert.deepEqual(sections(sync, roomId), ['join']);
      assert.deepEqual(typesOf(timelineOf(sync, roomId)), [`m.room.member/${bob.userId}`]);
      assert.ok(typesOf(stateOf(sync, roomId)).includes('m.room.name'));
      assert.equal(at(sync, 'rooms', 'join', roomId, 'summary', 'm.joined_member_count'), 2);
      const own = await alice.createRoom();
      const [first] = timelineOf(await alice.sync(), own);
      assert.equal(first?.['type'], 'm.room.create');
    });

    it('again gives the state anew, and a timeline that starts anew', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Lobby' });
      await join(bob, roomId);
      await alice.say(roomId, 'seen');
      await leave(bob, roomId);
      const since = nextBatch(await bob.sync());
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'Renamed' }));
      await join(bob, roomId);
      const sync = await bob.sync(since);
      assert.deepEqual(sections(sync, roomId), ['join']);
      assert.equal(limited(sync, roomId), true);
      const state = [...stateOf(sync, roomId), ...timelineOf(sync, roomId)];
      assert.deepEqual(state.filter(({ type }) => type === 'm.room.name').at(-1)?.['content'], {
        name: 'Renamed',
      });
      await nothing(bob, nextBatch(sync));
    });

    it('again within two syncs is one going on: nothing that was seen comes twice', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      await join(bob, roomId);
      const seen = await alice.say(roomId, 'seen');
      const since = nextBatch(await bob.sync());
      await leave(bob, roomId);
      const missed = await alice.say(roomId, 'missed');
      await join(bob, roomId);
      const sync = await bob.sync(since);
      assert.deepEqual(sections(sync, roomId), ['join']);
      const ids = idsOf(timelineOf(sync, roomId));
      assert.equal(ids.length, 3);
      assert.equal(ids[1], missed);
      assert.ok(!ids.includes(seen));
      assert.equal(limited(sync, roomId), false);
    });
  });

  describe('an invitation from another island', () => {
    let carol: Client;

    before(async () => {
      carol = await Client.create(network.island('bolt.test'), 'carol');
    });

    it('shows what the room is, and is gone from every device when one rejects it', async () => {
      const phone = await Client.logIn(network.island('bolt.test'), 'carol');
      const roomId = await alice.createRoom({ name: 'Across', invite: [carol.userId] });
      const [onLaptop, onPhone] = [await carol.sync(), await phone.sync()];
      for (const sync of [onLaptop, onPhone]) {
        const state = inviteState(sync, roomId);
        assert.deepEqual(at(eventOf(state, 'm.room.name'), 'content'), { name: 'Across' });
        assert.equal(at(eventOf(state, 'm.room.member', carol.userId), 'content', 'membership'), 'invite');
        for (const event of state)
          assert.deepEqual(Object.keys(event).sort(), ['content', 'sender', 'state_key', 'type']);
      }
      await nothing(phone, nextBatch(onPhone));
      await leave(carol, roomId);
      for (const [user, sync] of [
        [carol, onLaptop],
        [phone, onPhone],
      ] as const) {
        const after = await user.sync(nextBatch(sync));
        assert.deepEqual(sections(after, roomId), ['leave']);
        await nothing(user, nextBatch(after));
        assert.deepEqual(sections(await user.sync(), roomId), []);
      }
    });

    it('is gone when it is withdrawn, comes again, and becomes a room', async () => {
      const roomId = await alice.createRoom({ name: 'Across', invite: [carol.userId] });
      let sync = await carol.sync();
      const goOn = async (): Promise<string[]> => {
        sync = await carol.sync(nextBatch(sync), { timeout: 10_000 });
        return sections(sync, roomId);
      };
      assert.deepEqual(sections(sync, roomId), ['invite']);
      await act(alice, 'kick', roomId, carol);
      assert.deepEqual(await goOn(), ['leave']);
      await act(alice, 'invite', roomId, carol);
      assert.deepEqual(await goOn(), ['invite']);
      await join(carol, roomId);
      assert.deepEqual(await goOn(), ['join']);
      assert.equal(timelineOf(sync, roomId).at(-1)?.['state_key'], carol.userId);
      assert.deepEqual(at(eventOf(stateOf(sync, roomId), 'm.room.name'), 'content'), { name: 'Across' });
      const said = await alice.say(roomId, 'welcome');
      assert.deepEqual(await goOn(), ['join']);
      assert.deepEqual(idsOf(timelineOf(sync, roomId)), [said]);
    });
  });

  it('tells who joined while the room was being closed elsewhere that they are not in it after all', async () => {
    const carol = await Client.create(network.island('bolt.test'), 'carol2');
    const dave = await Client.create(network.island('bolt.test'), 'dave');
    for (const version of ['11', '12']) {
      const roomId = await alice.createRoom({ preset: 'public_chat', room_version: version });
      await ok(carol.post(`${v3`/join/${roomId}`}?via=acme.test`));
      const before = nextBatch(await dave.sync());
      network.cut('acme.test', 'bolt.test');
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.join_rules/`, { join_rule: 'invite' }));
      await join(dave, roomId);
      const joined = await dave.sync(before);
      assert.deepEqual(sections(joined, roomId), ['join']);
      network.heal('acme.test', 'bolt.test');
      await network.linked('acme.test', 'bolt.test');
      const left = await dave.sync(nextBatch(joined), { timeout: 15_000 });
      assert.deepEqual(sections(left, roomId), ['leave']);
      await nothing(dave, nextBatch(left));
      assert.deepEqual(await ok(dave.get(v3`/joined_rooms`)), { joined_rooms: [] });
      const { joined: members } = await ok(alice.get(v3`/rooms/${roomId}/joined_members`));
      assert.deepEqual(Object.keys(members ?? {}).sort(), [alice.userId, carol.userId].sort());
      await act(alice, 'invite', roomId, dave);
      const invited = await dave.sync(nextBatch(left), { timeout: 15_000 });
      assert.deepEqual(sections(invited, roomId), ['invite']);
      await join(dave, roomId);
      assert.deepEqual(sections(await dave.sync(nextBatch(invited)), roomId), ['join']);
      await leave(dave, roomId);
    }
  });
});
