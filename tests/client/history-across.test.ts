import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { ephemeralOf, idsOf, nextBatch, stateOf, textsOf, timelineOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('a room of another island, for who joins it', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;
  let roomId: string;
  const said: string[] = [];

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    alice = await Client.create(network.island('acme.test'), 'alice');
    bob = await Client.create(network.island('bolt.test'), 'bob');
    roomId = await alice.createRoom({ preset: 'public_chat', room_alias_name: 'across', name: 'Across' });
    for (let n = 1; n <= 25; n += 1) said.push(await alice.say(roomId, String(n)));
    await ok(bob.post(v3`/join/${'#across:acme.test'}`));
  });

  after(() => network.stop());

  /** Syncs on until the room's timeline brings this event. */
  const until = async (user: Client, since: string, eventId: string): Promise<JsonObject> => {
    for (let token = since; ; ) {
      const sync = await user.sync(token, { timeout: 10_000 });
      if (idsOf(timelineOf(sync, roomId)).includes(eventId)) return sync;
      assert.ok('rooms' in sync, 'the event does not come');
      token = nextBatch(sync);
    }
  };

  it('begins with the join and the state of then', async () => {
    const sync = await bob.sync();
    assert.deepEqual(
      timelineOf(sync, roomId).map(({ state_key: key }) => key),
      [bob.userId],
    );
    const state = stateOf(sync, roomId);
    assert.ok(state.some(({ type }) => type === 'm.room.create'));
    assert.ok(state.some(({ content }) => at(content, 'name') === 'Across'));
    assert.equal(at(sync, 'rooms', 'join', roomId, 'summary', 'm.joined_member_count'), 2);
  });

  it('is paged back to its creation, piece by piece from the other island', async () => {
    const found: JsonObject[] = [];
    let from: string | undefined;
    for (let pages = 0; pages < 30; pages += 1) {
      const body = await ok(bob.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 6, from }));
      found.push(...listAt(body, 'chunk'));
      if (body['end'] === undefined) break;
      from = textAt(body, 'end');
    }
    assert.equal(found.at(-1)?.['type'], 'm.room.create');
    assert.deepEqual(
      idsOf(found).filter((id) => said.includes(id)),
      [...said].reverse(),
    );
    assert.equal(new Set(idsOf(found)).size, found.length);
    const forth = await ok(bob.get(v3`/rooms/${roomId}/messages`, { dir: 'f', limit: 100 }));
    assert.deepEqual(idsOf(listAt(forth, 'chunk')), idsOf(found).reverse());
    const around = await ok(bob.get(v3`/rooms/${roomId}/context/${said[9] ?? ''}`, { limit: 2 }));
    assert.deepEqual(textsOf(listAt(around, 'events_before')), ['9']);
  });

  it('does not grow backwards in later syncs', async () => {
    const sync = await bob.sync();
    assert.deepEqual(Object.keys(await bob.sync(nextBatch(sync))), ['next_batch']);
    assert.ok(textsOf(timelineOf(sync, roomId)).length <= 9);
  });

  it('goes on in both directions, with receipts and typing', async () => {
    const [atAlice, atBob] = [nextBatch(await alice.sync()), nextBatch(await bob.sync())];
    const hello = await alice.say(roomId, 'hello');
    await until(bob, atBob, hello);
    const reply = await bob.say(roomId, 'hello yourself');
    const back = await until(alice, atAlice, reply);
    assert.equal(at(back, 'rooms', 'join', roomId, 'timeline', 'limited'), false);
    await ok(bob.post(v3`/rooms/${roomId}/receipt/m.read/${hello}`));
    await ok(bob.put(v3`/rooms/${roomId}/typing/${bob.userId}`, { typing: true, timeout: 60_000 }));
    const found = { receipt: false, typing: false };
    for (let token = nextBatch(back); !found.receipt || !found.typing; ) {
      const sync = await alice.sync(token, { timeout: 10_000 });
      assert.ok('rooms' in sync, JSON.stringify(found));
      token = nextBatch(sync);
      for (const { content } of ephemeralOf(sync, roomId, 'm.receipt'))
        found.receipt ||= at(content, hello, 'm.read', bob.userId) !== undefined;
      for (const { content } of ephemeralOf(sync, roomId, 'm.typing'))
        found.typing ||= JSON.stringify(content).includes(bob.userId);
    }
  });

  it('keeps private receipts at home', async () => {
    const since = nextBatch(await alice.sync());
    await ok(bob.post(v3`/rooms/${roomId}/receipt/m.read.private/${await bob.say(roomId, 'mine')}`));
    await network.settled();
    const sync = await alice.sync(since);
    assert.deepEqual(textsOf(timelineOf(sync, roomId)), ['mine']);
    assert.deepEqual(ephemeralOf(sync, roomId, 'm.receipt'), []);
  });

  it('shows who is put out from afar the end of the stay, and nothing of what follows', async () => {
    const since = nextBatch(await bob.sync());
    await ok(alice.post(v3`/rooms/${roomId}/kick`, { user_id: bob.userId, reason: 'closing time' }));
    const after = await alice.say(roomId, 'now we are alone');
    const sync = await bob.sync(since, { timeout: 10_000 });
    const timeline = timelineOf(sync, roomId, 'leave');
    assert.equal(at(timeline.at(-1), 'content', 'reason'), 'closing time');
    await network.settled();
    assert.deepEqual(Object.keys(await bob.sync(nextBatch(sync))), ['next_batch']);
    await refused(404, 'M_NOT_FOUND', bob.get(v3`/rooms/${roomId}/event/${after}`));
    await ok(bob.get(v3`/rooms/${roomId}/event/${said[3] ?? ''}`));
  });
});
