import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { idsOf, nextBatch, textsOf, typesOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('reading a room’s history', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;
  let roomId: string;
  /** Ids of the messages 1 to 30. */
  const said: string[] = [];

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    roomId = await alice.createRoom({ preset: 'public_chat' });
    await ok(bob.post(v3`/rooms/${roomId}/join`));
    for (let n = 1; n <= 30; n += 1) said.push(await (n % 3 === 0 ? bob : alice).say(roomId, String(n)));
  });

  after(() => network.stop());

  const page = (user: Client, query: Record<string, string | number | undefined>, room = roomId) =>
    ok(user.get(v3`/rooms/${room}/messages`, query));
  const chunkOf = (body: JsonObject): JsonObject[] => listAt(body, 'chunk');
  const numbers = (from: number, to: number): string[] => {
    const step = from <= to ? 1 : -1;
    return Array.from({ length: Math.abs(to - from) + 1 }, (_, index) => String(from + index * step));
  };

  describe('page by page', () => {
    it('goes backwards from now to the creation, and says there that it is the end', async () => {
      const all: JsonObject[] = [];
      let from: string | undefined;
      for (let pages = 0; ; pages += 1) {
        const body = await page(alice, { dir: 'b', limit: 7, from });
        if (from !== undefined) assert.equal(body['start'], from);
        assert.ok(chunkOf(body).length <= 7);
        all.push(...chunkOf(body));
        if (body['end'] === undefined) break;
        from = textAt(body, 'end');
        assert.ok(pages < 20);
      }
      assert.deepEqual(textsOf(all), numbers(30, 1));
      assert.equal(all.at(-1)?.['type'], 'm.room.create');
      assert.equal(new Set(idsOf(all)).size, all.length);
    });

    it('goes forwards from the creation to now', async () => {
      const all: JsonObject[] = [];
      let from: string | undefined;
      for (let pages = 0; ; pages += 1) {
        const body = await page(bob, { dir: 'f', limit: 8, from });
        all.push(...chunkOf(body));
        if (body['end'] === undefined) break;
        from = textAt(body, 'end');
        assert.ok(pages < 20);
      }
      assert.equal(all[0]?.['type'], 'm.room.create');
      assert.deepEqual(textsOf(all), numbers(1, 30));
    });

    it('turns round where it is, and stops where it is told to', async () => {
      const back = await page(alice, { dir: 'b', limit: 10 });
      const end = textAt(back, 'end');
      assert.deepEqual(textsOf(chunkOf(back)), numbers(30, 21));
      const forth = await page(alice, { dir: 'f', from: end, limit: 5 });
      assert.deepEqual(textsOf(chunkOf(forth)), numbers(21, 25));
      const middle = textAt(forth, 'end');
      const between = await page(alice, { dir: 'f', from: end, to: middle, limit: 100 });
      assert.deepEqual(textsOf(chunkOf(between)), numbers(21, 25));
      const betweenBack = await page(alice, { dir: 'b', from: middle, to: end, limit: 100 });
      assert.deepEqual(textsOf(chunkOf(betweenBack)), numbers(25, 21));
      const again = await page(alice, { dir: 'b', from: textAt(back, 'start'), limit: 3 });
      assert.deepEqual(textsOf(chunkOf(again)), numbers(30, 28));
    });

    it('takes the tokens of a sync', async () => {
      const sync = await bob.sync();
      const timeline = listAt(sync, 'rooms', 'join', roomId, 'timeline', 'events');
      assert.deepEqual(textsOf(timeline), numbers(21, 30));
      const older = textAt(sync, 'rooms', 'join', roomId, 'timeline', 'prev_batch');
      assert.deepEqual(textsOf(chunkOf(await page(bob, { dir: 'b', from: older }))), numbers(20, 11));
      const now = nextBatch(sync);
      assert.deepEqual(textsOf(chunkOf(await page(bob, { dir: 'b', from: now, limit: 2 }))), numbers(30, 29));
      assert.deepEqual(chunkOf(await page(bob, { dir: 'f', from: now })), []);
      const later = await alice.say(roomId, 'later');
      assert.deepEqual(idsOf(chunkOf(await page(bob, { dir: 'f', from: now }))), [later]);
      assert.deepEqual(
        textsOf(chunkOf(await page(bob, { dir: 'b', from: now, limit: 2 }))),
        numbers(30, 29),
        'what came after the token is not behind it',
      );
      await ok(alice.put(v3`/rooms/${roomId}/redact/${later}/x`, {}));
    });

    it('gives ten events unless told, none for none, and keeps tokens over a restart', async () => {
      const body = await page(alice, { dir: 'f' });
      assert.equal(chunkOf(body).length, 10);
      const none = await page(alice, { dir: 'f', limit: 0, from: textAt(body, 'end') });
      assert.deepEqual(chunkOf(none), []);
      assert.equal(none['end'], body['end']);
      const expected = idsOf(chunkOf(await page(alice, { dir: 'f', from: textAt(body, 'end') })));
      await network.restart('acme.test');
      const restarted = await page(alice, { dir: 'f', from: textAt(body, 'end') });
      assert.deepEqual(idsOf(chunkOf(restarted)), expected);
    });

    it('filters by type, sender, room and url, and reads on until the page is full', async () => {
      const filtered = async (filter: JsonObject, query: Record<string, string | number> = {}) =>
        chunkOf(await page(alice, { dir: 'b', filter: JSON.stringify(filter), ...query }));
      assert.deepEqual(textsOf(await filtered({ senders: [bob.userId] })).slice(0, 3), ['30', '27', '24']);
      assert.equal((await filtered({ senders: [bob.userId] }, { limit: 10 })).length, 10);
      assert.deepEqual(textsOf(await filtered({ not_senders: [bob.userId] }, { limit: 4 })), ['29', '28']);
      assert.deepEqual(typesOf(await filtered({ types: ['m.room.create'] })), ['m.room.create']);
      assert.deepEqual(typesOf(await filtered({ types: ['m.room.c*'] })), ['m.room.create']);
      assert.ok(
        (await filtered({ not_types: ['m.room.message'] })).every(({ type }) => type !== 'm.room.message'),
      );
      assert.deepEqual(await filtered({ types: [] }), []);
      assert.deepEqual(await filtered({ not_rooms: [roomId] }), []);
      assert.deepEqual(await filtered({ rooms: ['!other:acme.test'] }), []);
      assert.equal((await filtered({ rooms: [roomId] })).length, 10);
      assert.equal((await filtered({ limit: 3 })).length, 3);
      assert.deepEqual(await filtered({ contains_url: true }), []);
      assert.equal((await filtered({ contains_url: false })).length, 10);
    });

    it('brings the senders along with lazily loaded members', async () => {
      const filter = JSON.stringify({ lazy_load_members: true });
      const senders = async (query: Record<string, string | number>) =>
        listAt(await page(alice, { filter, ...query }), 'state').map(({ state_key: key }) => key);
      assert.deepEqual(await senders({ dir: 'b', limit: 1, from: 't0' }), []);
      const sync = await alice.sync();
      const now = nextBatch(sync);
      assert.deepEqual((await senders({ dir: 'b', limit: 6, from: now })).sort(), [alice.userId, bob.userId]);
      assert.deepEqual(await senders({ dir: 'f', limit: 1 }), [alice.userId]);
      assert.equal((await page(alice, { dir: 'b' }))['state'], undefined);
    });

    it('refuses what it does not understand', async () => {
      const get = (query: Record<string, string>) => alice.get(v3`/rooms/${roomId}/messages`, query);
      await refused(400, 'M_MISSING_PARAM', get({}));
      for (const query of [
        { dir: 'x' },
        { dir: 'b', limit: 'many' },
        { dir: 'b', limit: '-1' },
        { dir: 'b', from: 'nonsense' },
        { dir: 'b', to: 't' },
        { dir: 'b', filter: '{' },
        { dir: 'b', filter: '{"types":"m.room.message"}' },
      ])
        await refused(400, 'M_INVALID_PARAM', get(query));
      await refused(403, 'M_FORBIDDEN', alice.get(v3`/rooms/${'!nothing:acme.test'}/messages`, { dir: 'b' }));
    });
  });

  describe('around an event', () => {
    const context = (eventId: string, query: Record<string, string | number> = {}, user = alice) =>
      ok(user.get(v3`/rooms/${roomId}/context/${eventId}`, query));

    it('gives what came before and after, and tokens to go on from', async () => {
      const body = await context(said[14] ?? '', { limit: 6 });
      assert.equal(at(body, 'event', 'content', 'body'), '15');
      assert.deepEqual(textsOf(listAt(body, 'events_before')), numbers(14, 12));
      assert.deepEqual(textsOf(listAt(body, 'events_after')), numbers(16, 18));
      const before = await page(alice, { dir: 'b', from: textAt(body, 'start'), limit: 2 });
      assert.deepEqual(textsOf(chunkOf(before)), numbers(11, 10));
      const after = await page(alice, { dir: 'f', from: textAt(body, 'end'), limit: 2 });
      assert.deepEqual(textsOf(chunkOf(after)), numbers(19, 20));
    });

    it('takes the limit for both sides together, and none for the event alone', async () => {
      const body = await context(said[14] ?? '', { limit: 0 });
      assert.equal(at(body, 'event', 'event_id'), said[14]);
      assert.deepEqual([body['events_before'], body['events_after']], [[], []]);
      const usual = await context(said[14] ?? '');
      assert.equal(listAt(usual, 'events_before').length + listAt(usual, 'events_after').length, 10);
    });

    it('gives the state at the last event, members as wanted', async () => {
      const named = await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'Late' }));
      const early = listAt(await context(said[14] ?? ''), 'state');
      assert.ok(!typesOf(early).includes('m.room.name'));
      assert.ok(typesOf(early).includes(`m.room.member/${bob.userId}`));
      const late = listAt(await context(textAt(named, 'event_id'), { limit: 0 }), 'state');
      assert.ok(typesOf(late).includes('m.room.name'));
      const lazy = await context(said[0] ?? '', {
        limit: 0,
        filter: JSON.stringify({ lazy_load_members: true }),
      });
      const members = typesOf(listAt(lazy, 'state')).filter((type) => type.startsWith('m.room.member'));
      assert.deepEqual(members, [`m.room.member/${alice.userId}`]);
    });

    it('filters the neighbours and not the event', async () => {
      const filter = JSON.stringify({ senders: [bob.userId] });
      const body = await context(said[0] ?? '', { filter, limit: 4 });
      assert.equal(at(body, 'event', 'content', 'body'), '1');
      assert.deepEqual(textsOf(listAt(body, 'events_after')), ['3', '6']);
    });

    it('is 404 for an event that is not there, or not in this room', async () => {
      const other = await alice.createRoom();
      await refused(404, 'M_NOT_FOUND', alice.get(v3`/rooms/${roomId}/context/${'$nothing'}`));
      for (const path of ['context', 'event'])
        await refused(404, 'M_NOT_FOUND', alice.get(v3`/rooms/${other}/${path}/${said[0] ?? ''}`));
      await refused(
        400,
        'M_INVALID_PARAM',
        alice.get(v3`/rooms/${roomId}/context/${said[0] ?? ''}`, { limit: 'x' }),
      );
    });
  });

  describe('members at a point', () => {
    it('are those of then', async () => {
      const room = await alice.createRoom({ preset: 'public_chat' });
      const alone = await alice.sync();
      await ok(bob.post(v3`/rooms/${room}/join`));
      const both = await alice.sync();
      await ok(bob.post(v3`/rooms/${room}/leave`));
      const members = async (token: string) =>
        listAt(
          await ok(alice.get(v3`/rooms/${room}/members`, { at: token, membership: 'join' })),
          'chunk',
        ).map(({ state_key: key }) => key);
      assert.deepEqual(await members(nextBatch(alone)), [alice.userId]);
      assert.deepEqual((await members(nextBatch(both))).sort(), [alice.userId, bob.userId]);
      assert.deepEqual(await members(nextBatch(await alice.sync())), [alice.userId]);
      const beginning = textAt(alone, 'rooms', 'join', room, 'timeline', 'prev_batch');
      assert.deepEqual(await members(beginning), []);
      await refused(400, 'M_INVALID_PARAM', alice.get(v3`/rooms/${room}/members`, { at: 'nonsense' }));
    });
  });
});
