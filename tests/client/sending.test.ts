import assert from 'node:assert/strict';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('sending', () => {
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

  const text = (body: string): JsonObject => ({ msgtype: 'm.text', body });
  const send = (user: Client, txn: string, body: JsonValue, type = 'm.room.message', room = roomId) =>
    user.put(v3`/rooms/${room}/send/${type}/${txn}`, body);
  const idOf = async (answer: ReturnType<typeof send>): Promise<string> =>
    textAt(await ok(answer), 'event_id');
  const event = (user: Client, eventId: string, room = roomId) =>
    ok(user.get(v3`/rooms/${room}/event/${eventId}`));

  describe('messages', () => {
    it('gives an event that everybody in the room can read', async () => {
      const before = Date.now();
      const eventId = await idOf(send(alice, 'hello', text('Hello')));
      const read = await event(bob, eventId);
      const { unsigned, origin_server_ts: ts, ...rest } = read;
      assert.deepEqual(rest, {
        type: 'm.room.message',
        content: text('Hello'),
        sender: alice.userId,
        room_id: roomId,
        event_id: eventId,
      });
      assert.ok(typeof ts === 'number' && ts >= before && ts <= Date.now());
      assert.ok(Number(at(unsigned, 'age')) >= 0);
    });

    it('takes types, contents and transaction ids of every kind', async () => {
      const content = {
        '': null,
        ключ: ['☃', 9007199254740991, -9007199254740991, true, {}],
        'a\0b': '\u0000',
      };
      const eventId = await idOf(send(alice, 'ä/ö ü?#%', content, 'test.any thing/else'));
      const read = await event(alice, eventId);
      assert.deepEqual(read['content'], content);
      assert.equal(read['type'], 'test.any thing/else');
      assert.equal(at(read, 'unsigned', 'transaction_id'), 'ä/ö ü?#%');
    });

    it('is once for one transaction id, repeated later or at the same moment', async () => {
      const first = await idOf(send(alice, 'once', text('once')));
      assert.equal(await idOf(send(alice, 'once', text('another content'))), first);
      assert.deepEqual(at(await event(alice, first), 'content'), text('once'));
      const ids = await Promise.all(
        Array.from({ length: 8 }, () => idOf(send(alice, 'at once', text('at once')))),
      );
      assert.equal(new Set(ids).size, 1);
      const { chunk } = await ok(alice.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 20 }));
      const bodies = listAt({ chunk: chunk ?? [] }, 'chunk').map((found) => at(found, 'content', 'body'));
      assert.equal(bodies.filter((body) => body === 'at once').length, 1);
      assert.equal(bodies.filter((body) => body === 'once').length, 1);
    });

    it('keeps transaction ids of devices, users, rooms and types apart', async () => {
      const other = await alice.createRoom();
      const phone = await Client.logIn(island, 'alice');
      const ids = [
        await idOf(send(alice, 'same', text('same'))),
        await idOf(send(phone, 'same', text('same'))),
        await idOf(send(bob, 'same', text('same'))),
        await idOf(send(alice, 'same', text('same'), 'm.room.message', other)),
        await idOf(send(alice, 'same', text('same'), 'test.message')),
      ];
      assert.equal(new Set(ids).size, ids.length);
    });

    it('tells the transaction id to the device that sent, and to no other', async () => {
      const phone = await Client.logIn(island, 'alice');
      const eventId = await idOf(send(phone, 'mine', text('mine')));
      assert.equal(at(await event(phone, eventId), 'unsigned', 'transaction_id'), 'mine');
      for (const user of [alice, bob])
        assert.equal(at(await event(user, eventId), 'unsigned', 'transaction_id'), undefined);
    });

    it('remembers transaction ids over a restart', async () => {
      const first = await idOf(send(alice, 'before', text('before')));
      const redaction = await idOf(alice.put(v3`/rooms/${roomId}/redact/${first}/before`, {}));
      await network.restart('acme.test');
      assert.equal(await idOf(send(alice, 'before', text('after'))), first);
      assert.equal(await idOf(alice.put(v3`/rooms/${roomId}/redact/${first}/before`, {})), redaction);
      assert.equal(at(await event(alice, first), 'unsigned', 'transaction_id'), 'before');
      assert.notEqual(await idOf(send(alice, 'after', text('after'))), first);
    });

    it('after a refusal may be tried again with the same transaction id', async () => {
      const carol = await Client.create(island, 'carol');
      await refused(403, 'M_FORBIDDEN', send(carol, 'again', text('let me in')));
      await ok(carol.post(v3`/rooms/${roomId}/join`));
      await ok(send(carol, 'again', text('let me in')));
    });

    it('is refused outside the room, without the level, and for what is no event', async () => {
      const dave = await Client.create(island, 'dave');
      await refused(403, 'M_FORBIDDEN', send(dave, 'x', text('x')));
      await refused(404, 'M_NOT_FOUND', send(alice, 'x', text('x'), 'm.room.message', '!nothing:acme.test'));
      const quiet = await alice.createRoom({
        preset: 'public_chat',
        power_level_content_override: { events_default: 50, events: { 'test.free': 0 } },
      });
      await ok(bob.post(v3`/rooms/${quiet}/join`));
      await refused(403, 'M_FORBIDDEN', send(bob, 'x', text('x'), 'm.room.message', quiet));
      await ok(send(bob, 'x', text('x'), 'test.free', quiet));
      await refused(413, 'M_TOO_LARGE', send(alice, 'big', text('x'.repeat(65_000))));
      await refused(413, 'M_TOO_LARGE', send(alice, 'long', text('x'), 'x'.repeat(256)));
      for (const raw of ['{"a":1.5}', '{"a":9007199254740992}', '[]', '"text"'])
        await refused(
          400,
          'M_BAD_JSON',
          alice.request('PUT', v3`/rooms/${roomId}/send/m.room.message/raw`, { raw }),
        );
      await refused(
        400,
        'M_NOT_JSON',
        alice.request('PUT', v3`/rooms/${roomId}/send/m.room.message/raw`, { raw: '{' }),
      );
    });
  });

  describe('state', () => {
    const put = (user: Client, path: string, content: JsonObject) => user.put(path, content);

    it('is set and read with an empty state key with and without the slash', async () => {
      const bare = v3`/rooms/${roomId}/state/m.room.topic`;
      const slash = v3`/rooms/${roomId}/state/m.room.topic/`;
      await ok(put(alice, bare, { topic: 'one' }));
      assert.deepEqual(await ok(alice.get(slash)), { topic: 'one' });
      await ok(put(alice, slash, { topic: 'two' }));
      assert.deepEqual(await ok(bob.get(bare)), { topic: 'two' });
    });

    it('is kept by state key, whatever is in it', async () => {
      for (const key of ['key', 'a/b', 'ü ☃', 'x y?z#']) {
        const path = v3`/rooms/${roomId}/state/test.keyed/${key}`;
        await ok(put(alice, path, { key }));
        assert.deepEqual(await ok(bob.get(path)), { key });
      }
      await refused(404, 'M_NOT_FOUND', bob.get(v3`/rooms/${roomId}/state/test.keyed/`));
      await refused(404, 'M_NOT_FOUND', bob.get(v3`/rooms/${roomId}/state/test.keyed/none`));
    });

    it('comes as content or as a whole event that says what it replaced', async () => {
      const path = v3`/rooms/${roomId}/state/test.replaced/`;
      const first = await idOf(put(alice, path, { n: 1 }));
      const second = await idOf(put(alice, path, { n: 2 }));
      assert.deepEqual(await ok(alice.get(path, { format: 'content' })), { n: 2 });
      const found = await ok(alice.get(path, { format: 'event' }));
      assert.equal(found['event_id'], second);
      assert.equal(found['state_key'], '');
      assert.deepEqual(at(found, 'unsigned', 'prev_content'), { n: 1 });
      assert.equal(at(found, 'unsigned', 'prev_sender'), alice.userId);
      assert.equal(at(found, 'unsigned', 'replaces_state'), first);
      assert.equal(at(await event(alice, first), 'unsigned', 'replaces_state'), undefined);
    });

    it('is listed whole', async () => {
      const answer = await bob.get(v3`/rooms/${roomId}/state`);
      assert.equal(answer.status, 200);
      const events = listAt(answer.json);
      const keys = events.map((found) => `${String(found['type'])} ${String(found['state_key'])}`);
      assert.equal(new Set(keys).size, keys.length);
      for (const key of ['m.room.create ', `m.room.member ${bob.userId}`, 'm.room.topic ', 'test.keyed key'])
        assert.ok(keys.includes(key), key);
      assert.ok(events.every((found) => found['room_id'] === roomId));
    });

    it('asks for the level of its type, and for membership', async () => {
      await refused(403, 'M_FORBIDDEN', put(bob, v3`/rooms/${roomId}/state/m.room.name/`, { name: 'Bob’s' }));
      await refused(403, 'M_FORBIDDEN', put(alice, v3`/rooms/${roomId}/state/m.room.create/`, {}));
      await refused(403, 'M_FORBIDDEN', put(alice, v3`/rooms/${roomId}/state/test.own/${bob.userId}`, {}));
      await refused(404, 'M_NOT_FOUND', put(alice, v3`/rooms/${'!none:acme.test'}/state/test.a/`, {}));
      const eve = await Client.create(island, 'eve');
      await refused(403, 'M_FORBIDDEN', put(eve, v3`/rooms/${roomId}/state/test.a/`, {}));
      await refused(403, 'M_FORBIDDEN', eve.get(v3`/rooms/${roomId}/state`));
      await refused(403, 'M_FORBIDDEN', eve.get(v3`/rooms/${roomId}/state/m.room.topic/`));
      await refused(
        403,
        'M_FORBIDDEN',
        put(eve, v3`/rooms/${roomId}/state/m.room.canonical_alias/`, { alias: '#none:acme.test' }),
      );
    });

    it('has members by user id only', async () => {
      for (const membership of ['invite', 'ban', 'leave', 'join', 'knock']) {
        const answer = await put(alice, v3`/rooms/${roomId}/state/m.room.member/${'nobody'}`, { membership });
        assert.ok([400, 403].includes(answer.status), `${membership}: ${answer.status}`);
      }
      const { status } = await put(alice, v3`/rooms/${roomId}/state/m.room.member/`, { membership: 'ban' });
      assert.ok([400, 403].includes(status));
    });

    it('lets nobody raise themselves or lower their betters', async () => {
      const path = v3`/rooms/${roomId}/state/m.room.power_levels/`;
      const levels = await ok(alice.get(path));
      await ok(put(alice, path, { ...levels, users: { [bob.userId]: 100 } }));
      await refused(403, 'M_FORBIDDEN', put(bob, path, { ...levels, users: { [bob.userId]: 101 } }));
      await refused(403, 'M_FORBIDDEN', put(bob, path, { ...levels, users: { [alice.userId]: 0 } }));
      await refused(403, 'M_FORBIDDEN', put(alice, path, { ...levels, ban: '50' }));
      await ok(put(bob, path, { ...levels, users: { [bob.userId]: 0 } }));
      await refused(403, 'M_FORBIDDEN', put(bob, path, levels));
    });

    it('names the room only by aliases that lead to it', async () => {
      const path = v3`/rooms/${roomId}/state/m.room.canonical_alias/`;
      const other = await alice.createRoom({ room_alias_name: 'elsewhere' });
      for (const name of ['one', 'two', 'three'])
        await ok(alice.put(v3`/directory/room/${`#${name}:acme.test`}`, { room_id: roomId }));
      await ok(put(alice, path, { alias: '#one:acme.test', alt_aliases: ['#two:acme.test'] }));
      for (const alias of ['#elsewhere:acme.test', '#nothing:acme.test', '#far:stranger.test']) {
        await refused(400, 'M_BAD_ALIAS', put(alice, path, { alias }));
        await refused(400, 'M_BAD_ALIAS', put(alice, path, { alt_aliases: ['#one:acme.test', alias] }));
      }
      for (const content of [
        { alias: 'one' },
        { alias: 7 },
        { alt_aliases: '#one:acme.test' },
        { alt_aliases: [null] },
      ])
        await refused(400, 'M_INVALID_PARAM', put(alice, path, content));
      // Those that were there are not asked about again, and may go.
      await ok(alice.delete(v3`/directory/room/${'#two:acme.test'}`));
      await ok(put(alice, path, { alias: '#three:acme.test', alt_aliases: ['#two:acme.test'] }));
      await refused(
        400,
        'M_BAD_ALIAS',
        put(alice, v3`/rooms/${other}/state/m.room.canonical_alias/`, { alt_aliases: ['#two:acme.test'] }),
      );
      await ok(put(alice, path, {}));
    });

    it('changes one’s own membership and profile in the room', async () => {
      const path = v3`/rooms/${roomId}/state/m.room.member/${bob.userId}`;
      await ok(put(bob, path, { membership: 'join', displayname: 'Bob here' }));
      assert.equal(at(await ok(alice.get(path)), 'displayname'), 'Bob here');
      await refused(403, 'M_FORBIDDEN', put(bob, path, { membership: 'nonsense' }));
      await ok(put(bob, path, { membership: 'leave' }));
      await refused(403, 'M_FORBIDDEN', put(bob, path, { membership: 'join' }));
      await ok(bob.post(v3`/rooms/${roomId}/join`));
    });
  });

  for (const version of ['10', '11', '12']) {
    describe(`redactions in version ${version}`, () => {
      let room: string;

      before(async () => {
        room = await alice.createRoom({ preset: 'public_chat', room_version: version });
        await ok(bob.post(v3`/rooms/${room}/join`));
      });

      const redact = (user: Client, eventId: string, txn: string, body: JsonObject = {}) =>
        user.put(v3`/rooms/${room}/redact/${eventId}/${txn}`, body);

      it('take the content away, name the target at both places, and are shown with it', async () => {
        const eventId = await idOf(send(bob, 'r1', text('regretted'), 'm.room.message', room));
        const redaction = await idOf(redact(bob, eventId, 't1', { reason: 'typo' }));
        assert.equal(await idOf(redact(bob, eventId, 't1')), redaction);
        const target = await event(alice, eventId, room);
        assert.deepEqual(target['content'], {});
        const because = at(target, 'unsigned', 'redacted_because');
        assert.equal(at(because, 'event_id'), redaction);
        const read = await event(alice, redaction, room);
        for (const found of [read, because]) {
          assert.equal(at(found, 'type'), 'm.room.redaction');
          assert.equal(at(found, 'sender'), bob.userId);
          assert.equal(at(found, 'redacts'), eventId);
          assert.deepEqual(at(found, 'content'), { reason: 'typo', redacts: eventId });
        }
      });

      it('keep of state what the version says', async () => {
        const path = v3`/rooms/${room}/state/m.room.member/${bob.userId}`;
        await ok(bob.put(path, { membership: 'join', displayname: 'Bobby', 'test.more': 1 }));
        const { event_id: eventId } = await ok(bob.get(path, { format: 'event' }));
        await ok(redact(bob, String(eventId), 't2'));
        assert.deepEqual(await ok(alice.get(path)), { membership: 'join' });
      });

      it('leave no copy of the old content behind, in what replaced it or after a restart', async () => {
        const path = v3`/rooms/${room}/state/test.secret/`;
        const eventId = await idOf(alice.put(path, { secret: 'told' }));
        await ok(redact(alice, eventId, 't11'));
        assert.deepEqual(await ok(bob.get(path)), {});
        await ok(alice.put(path, { secret: 'none' }));
        const look = async () => {
          const found = await ok(bob.get(path, { format: 'event' }));
          assert.deepEqual(at(found, 'unsigned', 'prev_content'), {});
          for (const answer of [
            await bob.get(v3`/rooms/${room}/messages`, { dir: 'b', limit: 50 }),
            await bob.get(v3`/rooms/${room}/context/${eventId}`),
            await bob.get(v3`/rooms/${room}/event/${eventId}`),
            await bob.get(v3`/sync`),
          ]) {
            assert.equal(answer.status, 200);
            assert.ok(!answer.bytes.toString('utf8').includes('"told"'));
          }
        };
        await look();
        await network.restart('acme.test');
        await look();
      });

      it('are for one’s own events, and for others’ with the redact level', async () => {
        const alices = await idOf(send(alice, 'r2', text('mine'), 'm.room.message', room));
        const bobs = await idOf(send(bob, 'r3', text('mine'), 'm.room.message', room));
        await refused(403, 'M_FORBIDDEN', redact(bob, alices, 't3'));
        assert.deepEqual(at(await event(bob, alices, room), 'content'), text('mine'));
        await ok(redact(alice, bobs, 't4'));
        await ok(redact(bob, bobs, 't5'));
        const path = v3`/rooms/${room}/state/m.room.power_levels/`;
        const levels = await ok(alice.get(path));
        await ok(alice.put(path, { ...levels, events: { 'm.room.redaction': 50 } }));
        const more = await idOf(send(bob, 'r4', text('mine'), 'm.room.message', room));
        await refused(403, 'M_FORBIDDEN', redact(bob, more, 't6'));
        await ok(alice.put(path, { ...levels, redact: 0 }));
        await ok(redact(bob, alices, 't7'));
      });

      it('can be sent as events, under the same rules', async () => {
        const eventId = await idOf(send(bob, 'r5', text('regretted'), 'm.room.message', room));
        const sent = await idOf(
          send(bob, 'r6', { redacts: eventId, reason: 'so', 'test.more': 1 }, 'm.room.redaction', room),
        );
        assert.deepEqual(at(await event(alice, eventId, room), 'content'), {});
        const read = await event(alice, sent, room);
        assert.deepEqual(read['content'], { redacts: eventId, reason: 'so', 'test.more': 1 });
        assert.equal(read['redacts'], eventId);
        await refused(400, 'M_BAD_JSON', send(bob, 'r7', {}, 'm.room.redaction', room));
        const stranger = await alice.createRoom({ room_version: version });
        const theirs = await idOf(send(alice, 'r8', text('mine'), 'm.room.message', stranger));
        await refused(404, 'M_NOT_FOUND', send(bob, 'r9', { redacts: theirs }, 'm.room.redaction', room));
      });

      it('are refused for events that are not there, and to who is not there', async () => {
        const eventId = await idOf(send(alice, 'r10', text('x'), 'm.room.message', room));
        await refused(404, 'M_NOT_FOUND', redact(alice, '$nothing', 't8'));
        const other = await alice.createRoom();
        await refused(404, 'M_NOT_FOUND', alice.put(v3`/rooms/${other}/redact/${eventId}/t9`, {}));
        const eve = await Client.create(island, `eve${version}`);
        await refused(403, 'M_FORBIDDEN', redact(eve, eventId, 't10'));
      });
    });
  }
});
