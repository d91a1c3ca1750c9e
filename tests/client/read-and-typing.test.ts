import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { ephemeralOf, nextBatch } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('receipts, unread counts and typing', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;
  let carol: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    carol = await Client.create(island, 'carol');
  });

  after(() => network.stop());

  /** Three people, so that messages notify as in a group. */
  const roomOfAll = async (options: JsonObject = {}): Promise<string> => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
    for (const user of [bob, carol]) await ok(user.post(v3`/rooms/${roomId}/join`));
    return roomId;
  };
  const say = async (user: Client, roomId: string, content: JsonObject): Promise<string> => {
    const txn = `t${Math.random()}`;
    const body = { msgtype: 'm.text', ...content };
    return textAt(await ok(user.put(v3`/rooms/${roomId}/send/m.room.message/${txn}`, body)), 'event_id');
  };
  /** A message of Alice's that mentions Bob. */
  const callBob = (roomId: string, content: JsonObject = {}): Promise<string> =>
    say(alice, roomId, { body: 'you', 'm.mentions': { user_ids: [bob.userId] }, ...content });
  const receipt = (user: Client, roomId: string, type: string, eventId: string, body: JsonObject = {}) =>
    user.post(v3`/rooms/${roomId}/receipt/${type}/${eventId}`, body);
  const receiptsIn = (sync: JsonObject, roomId: string): JsonObject =>
    Object.assign({}, ...ephemeralOf(sync, roomId, 'm.receipt').map(({ content }) => content));
  /** Notifications and highlights. */
  const unread = async (user: Client, roomId: string) => {
    const counts = at(await user.sync(), 'rooms', 'join', roomId, 'unread_notifications');
    return [at(counts, 'notification_count'), at(counts, 'highlight_count')];
  };

  describe('receipts', () => {
    it('that are public are shown to everybody in the room, with their time', async () => {
      const roomId = await roomOfAll();
      const eventId = await alice.say(roomId, 'read me');
      const since = nextBatch(await carol.sync());
      const before = Date.now();
      await ok(receipt(bob, roomId, 'm.read', eventId));
      for (const user of [alice, bob, carol]) {
        const found = at(receiptsIn(await user.sync(), roomId), eventId, 'm.read', bob.userId);
        assert.deepEqual(Object.keys(found ?? {}), ['ts']);
        assert.ok(Number(at(found, 'ts')) >= before);
      }
      const delta = await carol.sync(since);
      assert.ok(at(receiptsIn(delta, roomId), eventId, 'm.read', bob.userId) !== undefined);
      assert.deepEqual(receiptsIn(await carol.sync(nextBatch(delta)), roomId), {});
    });

    it('that are private are shown to nobody else', async () => {
      const roomId = await roomOfAll();
      const eventId = await alice.say(roomId, 'read me');
      const sinces = [nextBatch(await alice.sync()), nextBatch(await carol.sync())];
      await ok(receipt(bob, roomId, 'm.read.private', eventId));
      for (const [index, user] of [alice, carol].entries()) {
        assert.deepEqual(receiptsIn(await user.sync(), roomId), {});
        assert.deepEqual(Object.keys(await user.sync(sinces[index])), ['next_batch']);
      }
      const own = receiptsIn(await bob.sync(), roomId);
      assert.ok(at(own, eventId, 'm.read.private', bob.userId) !== undefined);
    });

    it('move forwards only', async () => {
      const roomId = await roomOfAll();
      const [one, two] = [await alice.say(roomId, 'one'), await alice.say(roomId, 'two')];
      await ok(receipt(bob, roomId, 'm.read', two));
      const since = nextBatch(await alice.sync());
      await ok(receipt(bob, roomId, 'm.read', one));
      await ok(receipt(bob, roomId, 'm.read', two));
      assert.deepEqual(receiptsIn(await alice.sync(since), roomId), {});
      assert.deepEqual(Object.keys(receiptsIn(await alice.sync(), roomId)), [two]);
    });

    it('of threads stand beside each other, also at one event', async () => {
      const roomId = await roomOfAll();
      const root = await alice.say(roomId, 'root');
      await ok(receipt(bob, roomId, 'm.read', root));
      await ok(receipt(bob, roomId, 'm.read', root, { thread_id: 'main' }));
      await ok(receipt(bob, roomId, 'm.read', root, { thread_id: root }));
      const events = ephemeralOf(await alice.sync(), roomId, 'm.receipt');
      const threads = events.map(({ content }) => at(content, root, 'm.read', bob.userId, 'thread_id'));
      assert.deepEqual(threads.map(String).sort(), [root, 'main', 'undefined'].sort());
    });

    it('are refused to who is not in the room, of unknown types, threads and events', async () => {
      const roomId = await alice.createRoom();
      const eventId = await alice.say(roomId, 'x');
      const other = await roomOfAll();
      await refused(403, 'M_FORBIDDEN', receipt(bob, roomId, 'm.read', eventId));
      await refused(400, 'M_INVALID_PARAM', receipt(alice, roomId, 'test.read', eventId));
      await refused(400, 'M_INVALID_PARAM', receipt(alice, other, 'm.read', eventId));
      await refused(400, 'M_INVALID_PARAM', receipt(alice, roomId, 'm.read', '$nothing'));
      for (const thread of ['', 'nonsense'])
        await refused(
          400,
          'M_INVALID_PARAM',
          receipt(alice, roomId, 'm.read', eventId, { thread_id: thread }),
        );
      await refused(
        400,
        'M_INVALID_PARAM',
        receipt(alice, roomId, 'm.fully_read', eventId, { thread_id: 'main' }),
      );
      await refused(400, 'M_BAD_JSON', receipt(alice, roomId, 'm.read', eventId, { thread_id: 7 }));
    });
  });

  describe('read markers', () => {
    it('set all three at once; the full one is account data of the room', async () => {
      const roomId = await roomOfAll();
      const [one, two, three] = [
        await alice.say(roomId, '1'),
        await alice.say(roomId, '2'),
        await alice.say(roomId, '3'),
      ];
      const since = nextBatch(await bob.sync());
      await ok(
        bob.post(v3`/rooms/${roomId}/read_markers`, {
          'm.fully_read': one,
          'm.read': two,
          'm.read.private': three,
        }),
      );
      const sync = await bob.sync(since);
      assert.deepEqual(listAt(sync, 'rooms', 'join', roomId, 'account_data', 'events'), [
        { type: 'm.fully_read', content: { event_id: one } },
      ]);
      assert.deepEqual(Object.keys(receiptsIn(sync, roomId)).sort(), [two, three].sort());
      assert.deepEqual(Object.keys(receiptsIn(await alice.sync(), roomId)), [two]);
      const path = v3`/user/${bob.userId}/rooms/${roomId}/account_data/m.fully_read`;
      assert.deepEqual(await ok(bob.get(path)), { event_id: one });
      await ok(receipt(bob, roomId, 'm.fully_read', two));
      assert.deepEqual(await ok(bob.get(path)), { event_id: two });
      await ok(bob.post(v3`/rooms/${roomId}/read_markers`, {}));
      const outside = await alice.createRoom();
      const there = await alice.say(outside, 'x');
      await refused(
        403,
        'M_FORBIDDEN',
        bob.post(v3`/rooms/${outside}/read_markers`, { 'm.fully_read': there }),
      );
      await refused(400, 'M_INVALID_PARAM', bob.post(v3`/rooms/${roomId}/read_markers`, { 'm.read': there }));
    });
  });

  describe('unread counts', () => {
    it('count messages of others, and highlight what names the user', async () => {
      const roomId = await roomOfAll();
      assert.deepEqual(await unread(bob, roomId), [0, 0]);
      await alice.say(roomId, 'hello all');
      assert.deepEqual(await unread(bob, roomId), [1, 0]);
      await callBob(roomId);
      assert.deepEqual(await unread(bob, roomId), [2, 1]);
      await say(alice, roomId, { body: 'Bob, bob, @bob:acme.test is only spoken of', 'm.mentions': {} });
      await say(alice, roomId, { body: 'somebody else', 'm.mentions': { user_ids: [carol.userId] } });
      assert.deepEqual(await unread(bob, roomId), [4, 1]);
      await say(alice, roomId, { body: 'everybody', 'm.mentions': { room: true } });
      assert.deepEqual(await unread(bob, roomId), [5, 2]);
      await say(carol, roomId, { body: 'all, without the power to say so', 'm.mentions': { room: true } });
      assert.deepEqual(await unread(bob, roomId), [6, 2]);
      await say(alice, roomId, { body: 'by the way', msgtype: 'm.notice' });
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.topic/`, { topic: 'Bob' }));
      await ok(alice.put(v3`/rooms/${roomId}/send/m.reaction/1`, {}));
      assert.deepEqual(await unread(bob, roomId), [6, 2]);
      assert.deepEqual(await unread(alice, roomId), [0, 0]);
    });

    it('start when the user comes in, and are the same after a restart', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      await alice.say(roomId, 'before Bob');
      for (const user of [bob, carol]) await ok(user.post(v3`/rooms/${roomId}/join`));
      assert.deepEqual(await unread(bob, roomId), [0, 0]);
      await alice.say(roomId, 'for Bob');
      await ok(bob.put(v3`/profile/${bob.userId}/avatar_url`, { avatar_url: 'mxc://acme.test/b' }));
      await alice.say(roomId, 'after his new picture, which he put there himself');
      assert.deepEqual(await unread(bob, roomId), [1, 0]);
      await network.restart('acme.test');
      assert.deepEqual(await unread(bob, roomId), [1, 0]);
    });

    it('are reset by each kind of receipt, up to its event, and by what the user says', async () => {
      const roomId = await roomOfAll();
      const ids: string[] = [];
      for (let n = 0; n < 6; n += 1) ids.push(await callBob(roomId));
      const id = (index: number): string => ids[index] ?? '';
      assert.deepEqual(await unread(bob, roomId), [6, 6]);
      await ok(receipt(bob, roomId, 'm.read', id(1)));
      assert.deepEqual(await unread(bob, roomId), [4, 4]);
      await ok(receipt(bob, roomId, 'm.read.private', id(2)));
      assert.deepEqual(await unread(bob, roomId), [3, 3]);
      // The public one may lag behind.
      await ok(receipt(bob, roomId, 'm.read', id(0)));
      assert.deepEqual(await unread(bob, roomId), [3, 3]);
      await ok(bob.post(v3`/rooms/${roomId}/read_markers`, { 'm.fully_read': id(5), 'm.read': id(3) }));
      assert.deepEqual(await unread(bob, roomId), [2, 2]);
      await ok(receipt(bob, roomId, 'm.fully_read', id(5)));
      assert.deepEqual(await unread(bob, roomId), [2, 2]);
      await bob.say(roomId, 'I am here');
      assert.deepEqual(await unread(bob, roomId), [0, 0]);
      await callBob(roomId);
      assert.deepEqual(await unread(bob, roomId), [1, 1]);
    });

    it('come in an incremental sync that a private receipt alone has caused', async () => {
      const roomId = await roomOfAll();
      const eventId = await callBob(roomId);
      const phone = await Client.logIn(network.island('acme.test'), 'bob');
      const since = nextBatch(await phone.sync());
      const filter = JSON.stringify({ room: { ephemeral: { types: [] } } });
      await ok(receipt(bob, roomId, 'm.read.private', eventId));
      const sync = await phone.sync(since, { filter });
      const counts = at(sync, 'rooms', 'join', roomId, 'unread_notifications');
      assert.deepEqual(counts, { notification_count: 0, highlight_count: 0 });
    });

    it('no longer count what was redacted', async () => {
      const roomId = await roomOfAll();
      const eventId = await callBob(roomId);
      await alice.say(roomId, 'something else');
      assert.deepEqual(await unread(bob, roomId), [2, 1]);
      await ok(alice.put(v3`/rooms/${roomId}/redact/${eventId}/1`, {}));
      assert.deepEqual(await unread(bob, roomId), [1, 0]);
      await network.restart('acme.test');
      assert.deepEqual(await unread(bob, roomId), [1, 0]);
    });

    it('are kept by thread, for who asks for it', async () => {
      const roomId = await roomOfAll();
      const root = await alice.say(roomId, 'root');
      const inThread = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } };
      const reply = await callBob(roomId, inThread);
      await say(alice, roomId, {
        body: 'about the reply',
        'm.relates_to': { rel_type: 'test.reference', event_id: reply },
      });
      const last = await alice.say(roomId, 'main');
      const counts = async () => {
        const filter = JSON.stringify({ room: { timeline: { unread_thread_notifications: true } } });
        const sync = await bob.sync(undefined, { filter });
        const room = at(sync, 'rooms', 'join', roomId);
        return [
          at(room, 'unread_notifications', 'notification_count'),
          at(room, 'unread_notifications', 'highlight_count'),
          at(room, 'unread_thread_notifications', root, 'notification_count') ?? 0,
          at(room, 'unread_thread_notifications', root, 'highlight_count') ?? 0,
        ];
      };
      assert.deepEqual(await counts(), [2, 0, 2, 1]);
      assert.deepEqual(await unread(bob, roomId), [4, 1]);
      await ok(receipt(bob, roomId, 'm.read', last, { thread_id: 'main' }));
      assert.deepEqual(await counts(), [0, 0, 2, 1]);
      assert.deepEqual(await unread(bob, roomId), [2, 1]);
      await ok(receipt(bob, roomId, 'm.read', reply, { thread_id: root }));
      assert.deepEqual(await counts(), [0, 0, 1, 0]);
      await ok(receipt(bob, roomId, 'm.read', last));
      assert.deepEqual(await counts(), [0, 0, 0, 0]);
      assert.deepEqual(await unread(bob, roomId), [0, 0]);
    });
  });

  describe('typing', () => {
    const type = (user: Client, roomId: string, body: JsonObject, as = user) =>
      user.put(v3`/rooms/${roomId}/typing/${as.userId}`, body);
    const typing = (sync: JsonObject, roomId: string) =>
      ephemeralOf(sync, roomId, 'm.typing').map(({ content }) => at(content, 'user_ids'));

    it('is shown while it lasts', async () => {
      const roomId = await roomOfAll();
      let since = nextBatch(await alice.sync());
      const next = async (timeout = 0) => {
        const sync = await alice.sync(since, { timeout });
        since = nextBatch(sync);
        return typing(sync, roomId);
      };
      await ok(type(bob, roomId, { typing: true, timeout: 60_000 }));
      assert.deepEqual(await next(), [[bob.userId]]);
      assert.deepEqual(await next(), []);
      await ok(type(carol, roomId, { typing: true, timeout: 60_000 }));
      assert.deepEqual(await next(), [[bob.userId, carol.userId]]);
      assert.deepEqual(typing(await carol.sync(), roomId), [[bob.userId, carol.userId]]);
      // Going on is no news.
      await ok(type(bob, roomId, { typing: true, timeout: 60_000 }));
      assert.deepEqual(await next(), []);
      await ok(type(bob, roomId, { typing: false }));
      assert.deepEqual(await next(), [[carol.userId]]);
      await ok(type(carol, roomId, { typing: true, timeout: 50 }));
      assert.deepEqual(await next(10_000), [[]]);
      await ok(type(bob, roomId, { typing: false }));
      assert.deepEqual(await next(), []);
    });

    it('ends when the user leaves the room', async () => {
      const roomId = await roomOfAll();
      await ok(type(bob, roomId, { typing: true, timeout: 60_000 }));
      const since = nextBatch(await alice.sync());
      await ok(bob.post(v3`/rooms/${roomId}/leave`));
      assert.deepEqual(typing(await alice.sync(since), roomId), [[]]);
    });

    it('is for oneself, in rooms in which one is', async () => {
      const roomId = await alice.createRoom();
      await refused(403, 'M_FORBIDDEN', type(bob, roomId, { typing: true, timeout: 1_000 }));
      await refused(403, 'M_FORBIDDEN', type(alice, roomId, { typing: true, timeout: 1_000 }, bob));
      await refused(403, 'M_FORBIDDEN', type(alice, '!nothing:acme.test', { typing: true, timeout: 1_000 }));
      await refused(400, 'M_MISSING_PARAM', type(alice, roomId, {}));
      await refused(400, 'M_BAD_JSON', type(alice, roomId, { typing: 'yes' }));
      await ok(type(alice, roomId, { typing: true }));
    });
  });

  it('keeps account data of rooms for the user alone, and shows what changed', async () => {
    const roomId = await roomOfAll();
    const phone = await Client.logIn(network.island('acme.test'), 'bob');
    const since = nextBatch(await phone.sync());
    const path = v3`/user/${bob.userId}/rooms/${roomId}/account_data/test.note`;
    await ok(bob.put(path, { text: 'mine' }));
    await ok(bob.put(v3`/user/${bob.userId}/rooms/${roomId}/tags/u.work`, { order: 0.5 }));
    const expected = [
      { type: 'test.note', content: { text: 'mine' } },
      { type: 'm.tag', content: { tags: { 'u.work': { order: 0.5 } } } },
    ];
    const data = (sync: JsonObject) => listAt(sync, 'rooms', 'join', roomId, 'account_data', 'events');
    const sync = await phone.sync(since);
    assert.deepEqual(data(sync), expected);
    assert.deepEqual(data(await phone.sync()), expected);
    assert.deepEqual(Object.keys(await phone.sync(nextBatch(sync))), ['next_batch']);
    assert.deepEqual(data(await alice.sync()), []);
    await refused(403, 'M_FORBIDDEN', alice.get(path));
  });
});
