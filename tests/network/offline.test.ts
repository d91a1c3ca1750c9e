import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { timelineOf as historyOf, invite, join, textsOf } from '../support/conversation.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { idsOf, nextBatch, timelineOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';
import { until } from '../support/until.ts';

/** In place of five minutes. */
const limit = 50_000;
/** A link that held so long is back. */
const settle = 31_000;
const localKey = 'org.archipelago.local';

describe('a partner without a link', function () {
  this.timeout(30_000);

  let clock: ShiftableClock;
  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let roomId: string;

  async function begin(): Promise<void> {
    clock = new ShiftableClock();
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], {
      clock,
      offlineNoticeAfterMs: limit,
    });
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
  }

  function isNotice(event: JsonObject): boolean {
    return at(event, 'unsigned', localKey) === true;
  }

  async function noticesOf(client: Client, room = roomId): Promise<JsonObject[]> {
    return (await historyOf(client, room)).filter(isNotice);
  }

  function typesOf(notices: readonly JsonObject[]): string[] {
    return notices.map((event) => textAt(event, 'content', 'org.archipelago.notice', 'type'));
  }

  /** Lets so much time pass; whatever it brings is written when this resolves. */
  async function pass(ms: number): Promise<void> {
    const end = clock.now() + ms;
    await clock.hurry(until(() => clock.now() >= end));
    await network.island('acme.test').homeserver.notices.idle();
  }

  async function cut(): Promise<void> {
    network.cut('acme.test', 'bolt.test');
    const { link } = network.island('acme.test').homeserver.federation;
    await until(() => link.status('bolt.test').state !== 'connected');
  }

  async function heal(): Promise<void> {
    network.heal('acme.test', 'bolt.test');
    await clock.hurry(network.linked('acme.test', 'bolt.test'));
  }

  async function outage(): Promise<JsonObject> {
    await cut();
    await pass(1.1 * limit);
    const [notice] = await noticesOf(li);
    assert.ok(notice, 'there is a notice');
    return notice;
  }

  describe('for a while', () => {
    beforeEach(begin);
    afterEach(() => network.stop());

    it('is said to be offline after five minutes, in the rooms shared with it, and to be back when it is', async () => {
      const own = await li.createRoom();
      const since = nextBatch(await li.sync());
      await cut();
      await pass(0.9 * limit);
      assert.deepEqual(await noticesOf(li), []);
      const waiting = li.sync(since, { timeout: 600_000 });
      await pass(0.2 * limit);
      const woken = timelineOf(await waiting, roomId);
      assert.deepEqual(typesOf(woken.filter(isNotice)), ['org.archipelago.partner_offline']);
      assert.equal(
        textAt(woken[0], 'content', 'body'),
        'bolt.test cannot be reached at the moment. What you write here is kept, and delivered when it can be reached again.',
      );
      assert.equal(woken[0]?.['sender'], '@notices:acme.test');
      // It keeps nobody from writing, and is said once.
      await li.say(roomId, 'in the meantime');
      await pass(2 * limit);
      assert.equal((await noticesOf(li)).length, 1);
      await heal();
      await pass(settle);
      assert.deepEqual(typesOf(await noticesOf(li)), [
        'org.archipelago.partner_offline',
        'org.archipelago.partner_online',
      ]);
      assert.deepEqual(await noticesOf(li, own), []);
      // The other side has its own view of who was away, and nothing of ours.
      await network.settled();
      assert.deepEqual((await textsOf(bo, roomId)).includes('in the meantime'), true);
      const ours = idsOf(await noticesOf(li));
      const theirs = idsOf(await historyOf(bo, roomId));
      assert.deepEqual(
        theirs.filter((id) => ours.includes(id)),
        [],
      );
      const { homeserver } = network.island('acme.test');
      const answer = await homeserver.federation.answer({
        origin: 'bolt.test',
        method: 'GET',
        uri: `/_matrix/federation/v1/event/${encodeURIComponent(ours[0] ?? '')}`,
        headers: {},
        body: async () => Buffer.from(''),
      });
      assert.equal(answer.status, 404);
    });

    it('that comes and goes within the five minutes is not spoken of', async () => {
      for (let flaps = 0; flaps < 3; flaps += 1) {
        await cut();
        await pass(0.6 * limit);
        await heal();
        await pass(5_000);
      }
      await pass(1.2 * limit);
      assert.deepEqual(await noticesOf(li), []);
    });

    it('that is back for a moment only is still the same outage', async () => {
      await outage();
      await heal();
      await pass(10_000);
      await cut();
      await pass(1.6 * limit);
      assert.equal((await noticesOf(li)).length, 1);
      await heal();
      await pass(settle);
      assert.equal((await noticesOf(li)).length, 2);
    });

    it('is not told of again after a restart of our own, nor are the five minutes begun anew', async () => {
      await cut();
      await pass(0.6 * limit);
      await network.restart('acme.test');
      await pass(0.7 * limit);
      assert.equal((await noticesOf(li)).length, 1);
      await network.restart('acme.test');
      await pass(1.4 * limit);
      assert.equal((await noticesOf(li)).length, 1);
      await heal();
      await pass(settle);
      assert.equal((await noticesOf(li)).length, 2);
      await network.restart('acme.test');
      await clock.hurry(network.linked('acme.test', 'bolt.test'));
      await pass(1.2 * limit);
      assert.equal((await noticesOf(li)).length, 2);
    });

    it('is not offline when it was suspended', async () => {
      const { partnerActions } = network.island('acme.test').homeserver;
      await partnerActions.suspend('bolt.test', { by: 'test' });
      await pass(2 * limit);
      assert.deepEqual(await noticesOf(li), []);
      await partnerActions.resume('bolt.test', { by: 'test' });
      await clock.hurry(network.linked('acme.test', 'bolt.test'));
      await pass(settle);
      assert.deepEqual(await noticesOf(li), []);
    });
  });

  describe('leaves a notice', () => {
    let previous: string;
    let notice: JsonObject;
    let noticeId: string;
    let next: string;

    before(async () => {
      await begin();
      previous = await li.say(roomId, 'before');
      await network.settled();
      notice = await outage();
      noticeId = textAt(notice, 'event_id');
      next = await li.say(roomId, 'after');
    });

    after(() => network.stop());

    it('that stands at its place however the room is read', async () => {
      const order = [previous, noticeId, next];
      assert.deepEqual(idsOf(timelineOf(await li.sync(), roomId)).slice(-3), order);
      assert.deepEqual(idsOf(await historyOf(li, roomId)).slice(-3), order);
      const forwards = await ok(li.get(v3`/rooms/${roomId}/messages`, { dir: 'f', limit: 100 }));
      assert.deepEqual(idsOf(listAt(forwards, 'chunk')).slice(-3), order);
      const one = await ok(li.get(v3`/rooms/${roomId}/event/${noticeId}`));
      for (const key of ['content', 'event_id', 'origin_server_ts', 'room_id', 'sender', 'type'])
        assert.deepEqual(one[key], notice[key], key);
      assert.deepEqual([at(one, 'unsigned', localKey), at(one, 'unsigned', 'membership')], [true, 'join']);
      const context = await ok(li.get(v3`/rooms/${roomId}/context/${noticeId}`, { limit: 4 }));
      assert.equal(at(context, 'event', 'event_id'), noticeId);
      assert.equal(idsOf(listAt(context, 'events_before'))[0], previous);
      assert.deepEqual(idsOf(listAt(context, 'events_after')), [next]);
      assert.ok(listAt(context, 'state').length > 0);
      // One at a time, and with members loaded lazily, from the notice on.
      const filter = JSON.stringify({ lazy_load_members: true });
      let from: string | undefined;
      const singly: string[] = [];
      for (let page = 0; page < 3; page += 1) {
        const body = await ok(li.get(v3`/rooms/${roomId}/messages`, { dir: 'b', limit: 1, from, filter }));
        singly.unshift(...idsOf(listAt(body, 'chunk')));
        from = textAt(body, 'end');
      }
      assert.deepEqual(singly, order);
    });

    it('that is seen by the members of the room and nobody else, and by filters as what it is', async () => {
      const eve = await Client.create(network.island('acme.test'), 'eve');
      await refused(404, 'M_NOT_FOUND', eve.get(v3`/rooms/${roomId}/event/${noticeId}`));
      await refused(404, 'M_NOT_FOUND', eve.get(v3`/rooms/${roomId}/context/${noticeId}`));
      const only = JSON.stringify({ room: { timeline: { types: ['m.room.member'] } } });
      const filtered = timelineOf(await li.sync(undefined, { filter: only }), roomId);
      assert.ok(!idsOf(filtered).includes(noticeId));
      const raw = JSON.stringify({ event_format: 'federation' });
      assert.ok(!idsOf(timelineOf(await li.sync(undefined, { filter: raw }), roomId)).includes(noticeId));
      const one = JSON.stringify({ room: { timeline: { limit: 2 } } });
      const sync = await li.sync(undefined, { filter: one });
      assert.deepEqual(idsOf(timelineOf(sync, roomId)), [noticeId, next]);
      assert.ok(listAt(sync, 'rooms', 'join', roomId, 'state', 'events').length > 0);
    });

    it('that counts as nothing unread, and as the event before it for who reads it', async () => {
      const ann = await Client.create(network.island('acme.test'), 'ann');
      await invite(li, roomId, ann);
      await join(ann, roomId);
      const count = async () =>
        at(await ann.sync(), 'rooms', 'join', roomId, 'unread_notifications', 'notification_count');
      const said = await li.say(roomId, 'one');
      assert.equal(await count(), 1);
      await heal();
      await pass(settle);
      const [, online] = await noticesOf(ann);
      const onlineId = textAt(online, 'event_id');
      assert.equal(await count(), 1);
      await ok(ann.post(v3`/rooms/${roomId}/read_markers`, { 'm.fully_read': onlineId, 'm.read': onlineId }));
      assert.equal(await count(), 0);
      const receipts = await network
        .island('acme.test')
        .homeserver.db.receipts.ofUser(
          (await network.island('acme.test').homeserver.engine.view(roomId))?.roomNid ?? 0,
          ann.userId,
        );
      assert.deepEqual(
        receipts.map(({ eventId }) => eventId),
        [said],
      );
      const marker = await ok(ann.get(v3`/user/${ann.userId}/rooms/${roomId}/account_data/m.fully_read`));
      assert.deepEqual(marker, { event_id: said });
      await ok(li.post(v3`/rooms/${roomId}/receipt/m.read/${onlineId}`));
    });

    it('that nobody can answer, react to, change, pin or remove', async () => {
      const send = (type: string, content: JsonObject) =>
        li.put(v3`/rooms/${roomId}/send/${type}/${`t${Math.random()}`}`, content);
      const relations: JsonObject[] = [
        { rel_type: 'm.annotation', event_id: noticeId, key: 'x' },
        { rel_type: 'm.replace', event_id: noticeId },
        { rel_type: 'm.thread', event_id: noticeId },
        { 'm.in_reply_to': { event_id: noticeId } },
      ];
      for (const relation of relations) {
        const content = { msgtype: 'm.text', body: 'x', 'm.relates_to': relation };
        const { error } = await refused(400, 'M_INVALID_PARAM', send('m.room.message', content));
        assert.match(String(error), /notice of your own server/);
      }
      await refused(
        400,
        'M_INVALID_PARAM',
        li.put(v3`/rooms/${roomId}/redact/${noticeId}/${'t1'}`, { reason: 'x' }),
      );
      await refused(400, 'M_INVALID_PARAM', send('m.room.redaction', { redacts: noticeId }));
      await refused(
        400,
        'M_INVALID_PARAM',
        li.put(v3`/rooms/${roomId}/state/m.room.pinned_events/`, { pinned: [previous, noticeId] }),
      );
    });
  });
});
