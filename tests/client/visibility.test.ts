import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { idsOf, textsOf, timelineOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

/** In what somebody may see at the end, for each setting of `history_visibility`. */
const expected: Record<string, Record<string, readonly string[]>> = {
  // Bob was invited after `first`, joined after `second`, left after `third`.
  former: {
    world_readable: ['first', 'second', 'third', 'fourth'],
    shared: ['first', 'second', 'third'],
    invited: ['second', 'third'],
    joined: ['third'],
  },
  // Carol joined after `third`.
  late: {
    world_readable: ['first', 'second', 'third', 'fourth'],
    shared: ['first', 'second', 'third', 'fourth'],
    invited: ['fourth'],
    joined: ['fourth'],
  },
  // Dave was invited after `third` and did nothing.
  invited: {
    world_readable: ['first', 'second', 'third', 'fourth'],
    shared: [],
    invited: ['fourth'],
    joined: [],
  },
  // Erin has nothing to do with the room.
  stranger: {
    world_readable: ['first', 'second', 'third', 'fourth'],
    shared: [],
    invited: [],
    joined: [],
  },
};

describe('history visibility', () => {
  let network: TestNetwork;
  let alice: Client;
  const people: Record<string, Client> = {};

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    for (const [who, name] of [
      ['former', 'bob'],
      ['late', 'carol'],
      ['invited', 'dave'],
      ['stranger', 'erin'],
    ] as const)
      people[who] = await Client.create(island, name);
  });

  after(() => network.stop());

  const person = (who: string): Client => {
    const client = people[who];
    if (client === undefined) assert.fail(who);
    return client;
  };
  const invite = (roomId: string, who: string) =>
    ok(alice.post(v3`/rooms/${roomId}/invite`, { user_id: person(who).userId }));
  const join = (roomId: string, who: string) => ok(person(who).post(v3`/rooms/${roomId}/join`));

  for (const visibility of ['world_readable', 'shared', 'invited', 'joined']) {
    describe(visibility, () => {
      let roomId: string;
      const ids = new Map<string, string>();

      before(async () => {
        roomId = await alice.createRoom({
          preset: 'public_chat',
          initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: visibility } }],
        });
        const say = async (text: string) => ids.set(text, await alice.say(roomId, text));
        await say('first');
        await invite(roomId, 'former');
        await say('second');
        await join(roomId, 'former');
        await say('third');
        await ok(person('former').post(v3`/rooms/${roomId}/leave`));
        await join(roomId, 'late');
        await invite(roomId, 'invited');
        await say('fourth');
      });

      /** What one finds by `/messages`; undefined where the door is shut. */
      const paged = async (user: Client, dir: 'b' | 'f'): Promise<string[] | undefined> => {
        const answer = await user.get(v3`/rooms/${roomId}/messages`, { dir, limit: 100 });
        if (answer.status === 403) return undefined;
        assert.equal(answer.status, 200);
        const texts = textsOf(listAt(answer.body, 'chunk'));
        return dir === 'b' ? texts.reverse() : texts;
      };

      for (const who of ['former', 'late', 'invited', 'stranger']) {
        it(`shows the ${who} one the same through every door`, async () => {
          const user = person(who);
          const wanted = [...(expected[who]?.[visibility] ?? [])];
          const isShut = who === 'stranger' && visibility !== 'world_readable';
          for (const dir of ['b', 'f'] as const)
            assert.deepEqual(await paged(user, dir), isShut ? undefined : wanted, `/messages ${dir}`);
          const single: string[] = [];
          const around: string[] = [];
          for (const [text, id] of ids) {
            const found = await user.get(v3`/rooms/${roomId}/event/${id}`);
            if (found.status === 200) single.push(text);
            else assert.equal(found.status, 404);
            const context = await user.get(v3`/rooms/${roomId}/context/${id}`, { limit: 100 });
            assert.equal(context.status, found.status, `/context of ${text}`);
            if (context.status !== 200) continue;
            around.push(text);
            const near = textsOf([
              ...listAt(context.body, 'events_before').reverse(),
              ...listAt([context.body['event'] ?? null]),
              ...listAt(context.body, 'events_after'),
            ]);
            assert.deepEqual(near, wanted, `around ${text}`);
          }
          assert.deepEqual(single, wanted, '/event');
          assert.deepEqual(around, wanted, '/context');
        });
      }

      it('shows as much in /sync', async () => {
        const late = timelineOf(await person('late').sync(), roomId);
        assert.deepEqual(textsOf(late), expected['late']?.[visibility]);
        const filter = JSON.stringify({ room: { include_leave: true, timeline: { limit: 50 } } });
        const former = timelineOf(await person('former').sync(undefined, { filter }), roomId, 'leave');
        const seen = (expected['former']?.[visibility] ?? []).filter((text) => text !== 'fourth');
        assert.deepEqual(textsOf(former), seen);
        for (const who of ['invited', 'stranger'])
          assert.deepEqual(timelineOf(await person(who).sync(), roomId), []);
      });

      it('shows of the state no more than the time in the room', async () => {
        await ok(alice.put(v3`/rooms/${roomId}/state/m.room.topic/`, { topic: 'after' }));
        const isOpen = visibility === 'world_readable';
        for (const who of ['former', 'late', 'invited', 'stranger']) {
          const user = person(who);
          const isMember = isOpen || who === 'late';
          const isIn = isMember || who === 'former';
          const topic = user.get(v3`/rooms/${roomId}/state/m.room.topic/`);
          if (isMember) assert.deepEqual(await ok(topic), { topic: 'after' });
          else if (isIn) await refused(404, 'M_NOT_FOUND', topic);
          else await refused(403, 'M_FORBIDDEN', topic);
          const state = await user.get(v3`/rooms/${roomId}/state`);
          const members = await user.get(v3`/rooms/${roomId}/members`);
          assert.equal(state.status, isIn ? 200 : 403);
          assert.equal(members.status, isIn ? 200 : 403);
          if (!isIn) continue;
          const types = listAt(state.json).map((event) => event['type']);
          assert.equal(types.includes('m.room.topic'), isMember);
          const known = listAt(members.body, 'chunk').map((event) => event['state_key']);
          // Carol came after Bob had left.
          assert.equal(known.includes(person('late').userId), isMember);
        }
      });

      it('lets a former member know nothing more after a ban, and a forgetful one nothing at all', async () => {
        const bob = person('former');
        await ok(alice.post(v3`/rooms/${roomId}/ban`, { user_id: bob.userId }));
        const fifth = await alice.say(roomId, 'fifth');
        const isOpen = visibility === 'world_readable';
        assert.deepEqual(
          (await paged(bob, 'b'))?.filter((text) => text !== 'fifth'),
          expected['former']?.[visibility],
        );
        assert.equal((await bob.get(v3`/rooms/${roomId}/event/${fifth}`)).status, isOpen ? 200 : 404);
        if (!isOpen) await refused(404, 'M_NOT_FOUND', bob.get(v3`/rooms/${roomId}/state/m.room.topic/`));
        await ok(bob.post(v3`/rooms/${roomId}/forget`));
        assert.equal((await paged(bob, 'b')) === undefined, !isOpen);
        for (const id of ids.values())
          assert.equal((await bob.get(v3`/rooms/${roomId}/event/${id}`)).status, isOpen ? 200 : 404);
        const filter = JSON.stringify({ room: { include_leave: true } });
        assert.deepEqual(timelineOf(await bob.sync(undefined, { filter }), roomId, 'leave'), []);
      });
    });
  }

  it('is what it was when an event was sent, not what it became', async () => {
    const set = (roomId: string, value: string) =>
      ok(
        alice.put(v3`/rooms/${roomId}/state/m.room.history_visibility/`, { history_visibility: value }),
      ) as Promise<JsonObject>;
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await set(roomId, 'joined');
    const hidden = await alice.say(roomId, 'hidden');
    const opening = await set(roomId, 'world_readable');
    const open = await alice.say(roomId, 'open');
    const closing = await set(roomId, 'joined');
    const closed = await alice.say(roomId, 'closed');
    const erin = person('stranger');
    const status = async (id: unknown) => (await erin.get(v3`/rooms/${roomId}/event/${String(id)}`)).status;
    assert.equal(await status(hidden), 404);
    assert.equal(await status(opening['event_id']), 200);
    assert.equal(await status(open), 200);
    assert.equal(await status(closing['event_id']), 200);
    assert.equal(await status(closed), 404);
    await refused(403, 'M_FORBIDDEN', erin.get(v3`/rooms/${roomId}/messages`, { dir: 'b' }));
    await join(roomId, 'stranger');
    const chunk = listAt(await ok(erin.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 50 })), 'chunk');
    assert.deepEqual(textsOf(chunk), ['open']);
    assert.ok(!idsOf(chunk).includes(closed));
  });

  it('gives who left and came back what was shared in between', async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await join(roomId, 'former');
    await ok(person('former').post(v3`/rooms/${roomId}/leave`));
    const id = await alice.say(roomId, 'in between');
    await refused(404, 'M_NOT_FOUND', person('former').get(v3`/rooms/${roomId}/event/${id}`));
    await join(roomId, 'former');
    await ok(person('former').get(v3`/rooms/${roomId}/event/${id}`));
  });
});
