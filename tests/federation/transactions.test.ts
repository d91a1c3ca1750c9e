import assert from 'node:assert/strict';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { until } from '../support/until.ts';
import { pair, settled, sharedRoom, type TestIsland } from './support/island.ts';

const epoch = 'ntestepoch00';

interface Answer {
  readonly status: number;
  readonly body: JsonObject;
}

describe('transactions on the way in', () => {
  let a: TestIsland;
  let b: TestIsland;
  let roomId: string;

  beforeEach(async () => {
    [a, b] = await pair();
    roomId = await sharedRoom(a, b);
  });

  afterEach(async () => {
    await a.remove();
    await b.remove();
  });

  /** Sends a transaction from B to A as it stands, past B's own outbox. */
  async function put(
    txnId: string,
    contents: { pdus?: JsonValue[]; edus?: JsonValue[] },
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await b.federation.link.request('a.test', {
      method: 'PUT',
      uri: `/_matrix/federation/v1/send/${encodeURIComponent(txnId)}`,
      contentType: 'application/json',
      body: Buffer.from(
        JSON.stringify({ origin: 'b.test', origin_server_ts: 1, pdus: [], edus: [], ...contents }),
      ),
      priority: 'pdu',
      deadlineMs: 10_000,
      headers,
    });
    return { status: response.status, body: JSON.parse((await response.body()).toString()) };
  }

  const at = (first: number, last: number, lane = 'device', of = epoch): Record<string, string> => ({
    lane,
    epoch: of,
    first: String(first),
    last: String(last),
  });
  const edu = (name: string): JsonObject => ({ edu_type: 'm.test', content: { name } });

  /** An event of bob's that A is not sent. */
  async function withheld(body: string): Promise<{ pdu: JsonObject; eventId: string }> {
    const partners = [a.entry()];
    const content = { msgtype: 'm.text', body };
    const sender = { userId: b.user('bob'), roomId };
    const taken = await b.engine.send({ ...sender, type: 'm.room.message', content });
    await settled(a, b);
    b.registry.replace([]);
    // Taking something back is allowed in a room that is closed otherwise.
    const { eventId } = await b.engine.redact({ ...sender, eventId: taken.eventId });
    b.registry.replace(partners);
    await until(() => b.federation.link.status('a.test').state === 'connected');
    const pdu = (await b.engine.event(eventId))?.pdu;
    return { pdu: { ...pdu }, eventId };
  }

  it('answer the same id again with the stored answer, and process it once', async () => {
    const first = await put('t1', { edus: [edu('one')] }, at(1, 1));
    assert.equal(first.status, 200);
    const again = await put('t1', { edus: [edu('one')] }, at(1, 1));
    assert.deepEqual(again, first);
    await settled(a, b);
    assert.equal((await a.db.inbox.dead(100)).length, 1);
  });

  it('are known by their numbers when their answers were forgotten', async () => {
    await put('t1', { edus: [edu('one')] }, at(1, 1));
    await settled(a, b);
    const week = 7 * 24 * 3600 * 1000;
    const set = { received_ts: Date.now() - week - 1 };
    const where = { origin: 'b.test', txn_id: 't1' };
    await a.db.writer.submit({
      label: 'test',
      ops: [{ kind: 'update', table: 'inbound_transactions', set, where }],
    });
    await a.stop();
    await a.start();
    await until(async () => (await a.db.inbox.transaction('b.test', 't1')) === undefined);
    await until(() => b.federation.link.status('a.test').state === 'connected');
    const again = await put('t1', { edus: [edu('one')] }, at(1, 1));
    assert.equal(again.status, 409);
    assert.deepEqual(again.body['have'], { epoch, sequence: 1 });
  });

  it('refuse the same id with something else in it and raise an alarm', async () => {
    await put('t1', { edus: [edu('one')] }, at(1, 1));
    const other = await put('t1', { edus: [edu('two')] }, at(1, 1));
    assert.equal(other.status, 409);
    assert.equal(a.alarms('transaction-altered').length, 1);
    await settled(a, b);
    assert.equal((await a.db.inbox.dead(100)).length, 1);
  });

  it('take an event as the same one after it was redacted, and another one not', async () => {
    const { eventId } = await b.engine.send({
      userId: b.user('bob'),
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'secret' },
    });
    const pdu = (await b.engine.event(eventId))?.pdu as JsonObject;
    assert.equal((await put('t1', { pdus: [pdu] })).status, 200);
    assert.equal((await put('t1', { pdus: [{ ...pdu, content: {} }] })).status, 200);
    assert.equal((await put('t1', { pdus: [{ ...pdu, hashes: { sha256: 'x' } }] })).status, 409);
  });

  it('answer a gap with what is there', async () => {
    assert.equal((await put('t1', { edus: [edu('1'), edu('2')] }, at(1, 2))).status, 200);
    const gap = await put('t2', { edus: [edu('4')] }, at(4, 4));
    assert.equal(gap.status, 409);
    assert.deepEqual(gap.body['have'], { epoch, sequence: 2 });
    assert.equal((await put('t3', { edus: [edu('3')] }, at(3, 3))).status, 200);
    const newEpoch = await put('t4', { edus: [edu('x')] }, at(2, 2, 'device', 'rotherepoch0'));
    assert.equal(newEpoch.status, 409);
    assert.equal((await put('t5', { edus: [edu('x')] }, at(1, 1, 'device', 'rotherepoch0'))).status, 200);
  });

  it('take transactions that are in flight together in their order', async () => {
    const answers = await Promise.all(
      [1, 2, 3, 4].map((number) => put(`t${number}`, { edus: [edu(String(number))] }, at(number, number))),
    );
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [200, 200, 200, 200],
    );
  });

  it('are refused when they are too large, of another origin, or not what their lane carries', async () => {
    const many = (count: number): JsonObject[] =>
      Array.from({ length: count }, (_, index) => edu(String(index)));
    assert.equal((await put('t1', { edus: many(101) })).status, 400);
    assert.equal((await put('t2', { pdus: many(51) })).status, 400);
    assert.equal((await put('t3', { edus: [edu('x')] }, at(1, 1, 'pdu'))).status, 400);
    assert.equal((await put('t4', { edus: many(2) }, at(1, 1))).status, 400);
    assert.equal((await put('t5', {}, { lane: 'pdu', epoch, first: '0', last: '1' })).status, 400);
    assert.equal((await put('t6', { origin: 'c.test' } as JsonObject)).status, 403);
    assert.equal((await put('t7', { pdus: {} as unknown as JsonValue[] })).status, 400);
  });

  it('isolate what is wrong with one event from the others', async () => {
    const { eventId } = await b.engine.send({
      userId: b.user('bob'),
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'good' },
    });
    const good = (await b.engine.event(eventId))?.pdu as JsonObject;
    const forged = { ...good, sender: a.user('alice'), depth: 90 };
    const answer = await put('t1', { pdus: ['junk', { room_id: 5 }, {}, forged, good] });
    assert.equal(answer.status, 200);
    await settled(a, b);
    const held = await a.engine.event(eventId);
    assert.ok(held && !held.rejected);
    const dead = await a.db.inbox.dead(100);
    assert.equal(dead.length, 4);
    for (const letter of dead) assert.ok((letter.deadReason ?? '') !== '');
  });

  it('do not let a partner speak for the people of others', async () => {
    const { eventId } = await a.engine.send({
      userId: a.user('alice'),
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'hello' },
    });
    await settled(a, b);
    const receipt = (userId: string): JsonObject => ({
      edu_type: 'm.receipt',
      content: { [roomId]: { 'm.read': { [userId]: { event_ids: [eventId], data: { ts: 1 } } } } },
    });
    const typing = (userId: string): JsonObject => ({
      edu_type: 'm.typing',
      content: { room_id: roomId, user_id: userId, typing: true },
    });
    await put('t1', { edus: [receipt(a.user('alice')), typing(a.user('alice')), receipt('@li:c.test')] });
    await put('t2', { edus: [typing(a.user('alice'))] }, { lane: 'volatile' });
    await put('t3', { edus: [typing(b.user('stranger')), receipt(b.user('stranger'))] });
    await settled(a, b);
    const view = await a.engine.view(roomId);
    assert.ok(view);
    assert.deepEqual(await a.db.receipts.changes([view.roomNid], -1, a.db.streams.position), []);
    assert.deepEqual(a.typing, []);
    assert.equal((await a.db.inbox.dead(100)).length, 3);
    await put('t4', { edus: [receipt(b.user('bob')), typing(b.user('bob'))] });
    await settled(a, b);
    assert.equal((await a.db.receipts.changes([view.roomNid], -1, a.db.streams.position)).length, 1);
    await until(() => a.typing.length === 1);
  });

  it('a receipt that waited for its event does not undo the one that came after it', async () => {
    const said: string[] = [];
    for (const body of ['one', 'two']) {
      const content = { msgtype: 'm.text', body };
      const request = { userId: a.user('alice'), roomId, type: 'm.room.message', content };
      said.push((await a.engine.send(request)).eventId);
    }
    const [, second = ''] = said;
    await settled(a, b);
    // B's own event, of which A knows nothing yet.
    const { pdu, eventId: unheard } = await withheld('three');
    const receipt = (eventId: string, ts: number): JsonObject => ({
      edu_type: 'm.receipt',
      content: { [roomId]: { 'm.read': { [b.user('bob')]: { event_ids: [eventId], data: { ts } } } } },
    });
    await put('t1', { edus: [receipt(unheard, 1)] });
    await put('t2', { edus: [receipt(second, 2)] });
    await settled(a);
    await put('t3', { pdus: [pdu] });
    await until(async () => (await a.db.inbox.staged(0, 10)).length === 0);
    assert.ok(await a.engine.event(unheard));
    const view = await a.engine.view(roomId);
    const [known] = await a.db.receipts.ofUser(view?.roomNid ?? 0, b.user('bob'));
    assert.equal(known?.eventId, second);
  });

  it('a receipt waits for its event however often it has to be tried', async () => {
    const { pdu, eventId } = await withheld('late');
    const data = { event_ids: [eventId], data: { ts: 1 } };
    const content = { [roomId]: { 'm.read': { [b.user('bob')]: data } } };
    await put('t1', { edus: [{ edu_type: 'm.receipt', content }] });
    const attempts = async (): Promise<number> => (await a.db.inbox.staged(0, 10))[0]?.attempts ?? 0;
    for (let least = 1; least < 8; least += 1) {
      await until(async () => (await attempts()) >= least);
      // Each start tries what is staged at once.
      await a.stop();
      await a.start();
    }
    await until(() => a.federation.link.status('b.test').state === 'connected');
    await put('t2', { pdus: [pdu] });
    await until(async () => (await a.db.inbox.staged(0, 10)).length === 0);
    const view = await a.engine.view(roomId);
    const [known] = await a.db.receipts.ofUser(view?.roomNid ?? 0, b.user('bob'));
    assert.equal(known?.eventId, eventId);
  });

  it('that were staged when the process ended are processed after the next start', async () => {
    const { eventId } = await b.engine.send({
      userId: b.user('bob'),
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'late' },
    });
    await settled(a, b);
    const pdu = (await b.engine.event(eventId))?.pdu as JsonObject;
    // As a process that was killed between acknowledging and processing leaves it.
    await a.db.writer.submit({
      label: 'test',
      ops: [
        { kind: 'delete', table: 'events', where: { event_id: eventId } },
        {
          kind: 'insert',
          table: 'staged',
          rows: [
            {
              staged_nid: a.db.ids.next('staged'),
              origin: 'b.test',
              kind: 'pdu',
              room_id: roomId,
              event_id: null,
              json: JSON.stringify({ ...pdu, content: { msgtype: 'm.text', body: 'late' } }),
              received_ts: 1,
              attempts: 0,
              next_try_ts: null,
              dead_reason: null,
            },
          ],
        },
      ],
    });
    await a.stop();
    await a.start();
    await settled(a);
    assert.ok(await a.engine.event(eventId));
    assert.deepEqual(await a.db.inbox.staged(0, 100), []);
  });
});
