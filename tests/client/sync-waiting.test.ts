import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { ephemeralOf, idsOf, nextBatch, roomsIn, textsOf, timelineOf } from '../support/sync.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('/sync: waiting', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let alice: Client;
  let bob: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    roomId = await alice.createRoom({ preset: 'public_chat' });
    await ok(bob.post(v3`/rooms/${roomId}/join`));
  });

  after(() => network.stop());

  const waiting = (count: number) =>
    network.until(() => island.homeserver.sync.waiting === count, `not ${count} calls wait`);
  /** Starts a call that has to wait, lets something happen, and gives the answer. */
  const woken = async (user: Client, happen: () => Promise<unknown>): Promise<JsonObject> => {
    const since = nextBatch(await user.sync());
    const answer = user.sync(since, { timeout: 15_000 });
    await waiting(1);
    await happen();
    const started = Date.now();
    const sync = await answer;
    assert.ok(Date.now() - started < 12_000, 'woken by the timeout');
    return sync;
  };

  it('answers at once where there is something, and after the timeout where there is nothing', async () => {
    assert.deepEqual(roomsIn(await bob.sync(undefined, { timeout: 15_000 }), 'join'), [roomId]);
    const since = nextBatch(await bob.sync());
    const said = await alice.say(roomId, 'there already');
    assert.deepEqual(idsOf(timelineOf(await bob.sync(since, { timeout: 15_000 }), roomId)), [said]);
    const now = nextBatch(await bob.sync());
    const started = Date.now();
    const quiet = await bob.sync(now, { timeout: 300 });
    assert.ok(Date.now() - started >= 295);
    assert.deepEqual(Object.keys(quiet), ['next_batch']);
    await waiting(0);
  });

  it('wakes on whatever is for the user', async () => {
    const said = await woken(bob, () => alice.say(roomId, 'wake up'));
    assert.deepEqual(textsOf(timelineOf(said, roomId)), ['wake up']);
    const typing = await woken(bob, () =>
      ok(alice.put(v3`/rooms/${roomId}/typing/${alice.userId}`, { typing: true, timeout: 60_000 })),
    );
    assert.deepEqual(ephemeralOf(typing, roomId, 'm.typing')[0]?.['content'], { user_ids: [alice.userId] });
    const eventId = await alice.say(roomId, 'read me');
    const receipt = await woken(alice, () => ok(bob.post(v3`/rooms/${roomId}/receipt/m.read/${eventId}`)));
    assert.ok(at(ephemeralOf(receipt, roomId, 'm.receipt')[0], 'content', eventId, 'm.read', bob.userId));
    const data = await woken(bob, () =>
      ok(bob.put(v3`/user/${bob.userId}/account_data/test.data`, { a: 1 })),
    );
    assert.deepEqual(listAt(data, 'account_data', 'events'), [{ type: 'test.data', content: { a: 1 } }]);
    const other = await alice.createRoom();
    const invite = await woken(bob, () =>
      ok(alice.post(v3`/rooms/${other}/invite`, { user_id: bob.userId })),
    );
    assert.deepEqual(roomsIn(invite, 'invite'), [other]);
    const joined = await woken(bob, () => ok(bob.post(v3`/rooms/${other}/join`)));
    assert.deepEqual(roomsIn(joined, 'join'), [other]);
    const kicked = await woken(bob, () => ok(alice.post(v3`/rooms/${other}/kick`, { user_id: bob.userId })));
    assert.deepEqual(roomsIn(kicked, 'leave'), [other]);
  });

  it('sleeps on through what is not for the user, or what the filter hides', async () => {
    const mine = await alice.createRoom();
    const filter = JSON.stringify({ room: { timeline: { not_types: ['test.hidden'] } } });
    const since = nextBatch(await bob.sync());
    const answer = bob.sync(since, { timeout: 15_000, filter });
    await waiting(1);
    await alice.say(mine, 'to myself');
    await ok(alice.put(v3`/rooms/${roomId}/send/test.hidden/1`, {}));
    await ok(alice.put(v3`/user/${alice.userId}/account_data/test.data`, { a: 1 }));
    const said = await alice.say(roomId, 'to Bob');
    assert.deepEqual(idsOf(timelineOf(await answer, roomId)), [said]);
    assert.deepEqual(roomsIn(await answer, 'join'), [roomId]);
  });

  it('wakes every device of a user, and each goes on from its own place', async () => {
    const phone = await Client.logIn(island, 'bob');
    const [one, two] = [nextBatch(await bob.sync()), nextBatch(await phone.sync())];
    const answers = [bob.sync(one, { timeout: 15_000 }), phone.sync(two, { timeout: 15_000 })];
    await network.until(() => island.homeserver.sync.waiting > 0, 'nobody waits');
    const said = await alice.say(roomId, 'to both');
    for (const sync of await Promise.all(answers)) assert.deepEqual(idsOf(timelineOf(sync, roomId)), [said]);
  });

  it('forgets calls whose client has gone', async () => {
    const since = nextBatch(await bob.sync());
    const call = request({
      host: '127.0.0.1',
      port: island.port,
      path: `${v3`/sync`}?timeout=60000&since=${since}`,
      headers: { authorization: `Bearer ${bob.accessToken}` },
      agent: false,
    });
    call.on('error', () => undefined);
    call.end();
    await once(call, 'socket');
    await waiting(1);
    call.destroy();
    await waiting(0);
  });

  it('lets waiting calls go when the island stops', async () => {
    const since = nextBatch(await bob.sync());
    const answer = bob.sync(since, { timeout: 60_000 });
    await waiting(1);
    await network.restart('acme.test');
    assert.deepEqual(Object.keys(await answer), ['next_batch']);
    assert.deepEqual(Object.keys(await bob.sync(nextBatch(await answer))), ['next_batch']);
  });

  it('takes set_presence, and refuses parameters that are none', async () => {
    for (const value of ['offline', 'online', 'unavailable'])
      await bob.sync(undefined, { set_presence: value });
    for (const query of [
      { timeout: 'long' },
      { timeout: -1 },
      { filter: '{' },
      { filter: '{"room":1}' },
      { filter: 'none' },
    ])
      await refused(400, 'M_INVALID_PARAM', bob.get(v3`/sync`, query));
    await refused(401, 'M_MISSING_TOKEN', Client.anonymous(island).get(v3`/sync`));
  });
});
