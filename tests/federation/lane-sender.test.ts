import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { LaneHeader, LanePlace } from '../../federation/lanes.ts';
import { LaneSender, type TransactionAnswer } from '../../federation/outbox/lane-sender.ts';
import { LaneStore } from '../../federation/outbox/lane-store.ts';
import { PartnerState } from '../../federation/outbox/partner-state.ts';
import type { Clock, FailPointName } from '../../protocol/runtime.ts';
import { type Database, openDatabase } from '../../storage/database.ts';
import { nextPosition, type Row } from '../../storage/writer.ts';
import { until } from '../support/until.ts';
import { random } from './support/island.ts';

/** Timers fire when the test says so. */
class TestClock implements Clock {
  time = 1_000_000;
  readonly timers = new Set<{ ms: number; run: () => void }>();

  now(): number {
    return this.time;
  }

  setTimer(ms: number, run: () => void): { cancel(): void } {
    const timer = { ms, run };
    this.timers.add(timer);
    return { cancel: () => this.timers.delete(timer) };
  }

  fire(): void {
    for (const timer of [...this.timers]) {
      this.timers.delete(timer);
      timer.run();
    }
  }
}

interface Sent {
  readonly txnId: string;
  readonly header: LaneHeader;
  readonly items: readonly string[];
  answer(answer: Partial<TransactionAnswer>): void;
  fail(): void;
}

const destination = 'b.test';

describe('a lane of the outbox', () => {
  const log = pino({ level: 'silent' });
  let directory: string;
  let db: Database;
  let clock: TestClock;
  let sent: Sent[];
  let received: LanePlace | undefined;
  let points: FailPointName[];
  let sender: LaneSender;
  let restored: string[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'archipelago-'));
    received = undefined;
    await open();
  });

  afterEach(async () => {
    await close();
    await rm(directory, { recursive: true, force: true });
  });

  /** As after a start of the process. */
  async function open(): Promise<void> {
    clock = new TestClock();
    sent = [];
    points = [];
    restored = [];
    db = await openDatabase({ type: 'sqlite', path: join(directory, 'test.db') }, { log, clock, random });
    sender = new LaneSender({
      destination,
      lane: 'pdu',
      store: new LaneStore(db),
      state: new PartnerState(destination, undefined),
      wire: {
        send: (txnId, header, body) =>
          new Promise((resolve, reject) => {
            sent.push({
              txnId,
              header,
              items: JSON.parse(body.toString()),
              answer: (answer) => resolve({ status: 200, body: {}, ...answer }),
              fail: () => reject(new Error('the cable is out')),
            });
          }),
        received: async () => received,
      },
      render: async (_lane, items) =>
        Buffer.from(JSON.stringify(items.map((item) => ('eventId' in item ? item.eventId : '')))),
      newEpoch: (kind) => `${kind}epoch${random.bytes(4).toString('hex')}`,
      restored: async (who) => {
        restored.push(who);
      },
      clock,
      log,
      failPoint: (name) => points.push(name),
    });
  }

  async function close(): Promise<void> {
    const stopped = sender.stop();
    for (const transaction of sent) transaction.fail();
    await stopped;
    await db.close();
  }

  async function enqueue(...names: string[]): Promise<void> {
    const rows: Row[] = names.map((name) => ({
      destination,
      lane: 'pdu',
      position: nextPosition(),
      event_id: name,
      edu: null,
      dedup_key: null,
    }));
    await db.writer.submit({ label: 'test', ops: [{ kind: 'insert', table: 'outbox', rows }] });
    sender.wake();
  }

  async function waiting(): Promise<string[]> {
    const rows = await db.outbox.pending(destination, 'pdu', 0, 1_000);
    return rows.map((row) => row.eventId ?? '');
  }

  const names = (from: number, to: number): string[] =>
    Array.from({ length: to - from + 1 }, (_, index) => `$${from + index}`);

  it('begins a lane once, however many ask for its place at the same time', async () => {
    const [one, other] = await Promise.all([sender.next(), sender.next(), sender.up(undefined)]);
    assert.deepEqual(one, other);
    await close();
    await open();
    assert.deepEqual(await sender.next(), one);
  });

  it('stores boundaries before it sends, and deletes rows after the acknowledgement', async () => {
    await sender.up(undefined);
    await enqueue('$1', '$2');
    await until(() => sent.length === 1);
    assert.deepEqual(points, ['boundaries-stored']);
    assert.deepEqual(sent[0]?.items, ['$1', '$2']);
    assert.deepEqual([sent[0].header.first, sent[0].header.last], [1, 2]);
    assert.equal((await db.outbox.transactions(destination, 'pdu')).length, 1);
    assert.deepEqual(await waiting(), ['$1', '$2']);
    sent[0].answer({});
    await until(() => points.length === 3);
    assert.deepEqual(points, ['boundaries-stored', 'acknowledged', 'row-deleted']);
    assert.deepEqual(await waiting(), []);
    assert.deepEqual(await db.outbox.transactions(destination, 'pdu'), []);
  });

  it('sends the same list under the same id after the process ended without an acknowledgement', async () => {
    await sender.up(undefined);
    await enqueue('$1', '$2');
    await until(() => sent.length === 1);
    const first = sent[0];
    await close();
    await open();
    await enqueue('$3');
    await sender.up(undefined);
    await until(() => sent.length === 2);
    assert.equal(sent[0]?.txnId, first?.txnId);
    assert.deepEqual(sent[0]?.items, ['$1', '$2']);
    assert.deepEqual(sent[1]?.items, ['$3']);
  });

  it('takes at most 50 events at a time and has four transactions in flight', async () => {
    await enqueue(...names(1, 260));
    await sender.up(undefined);
    await until(() => sent.length === 4);
    assert.deepEqual(
      sent.map(({ header, items }) => [header.first, header.last, items.length]),
      [1, 51, 101, 151].map((first) => [first, first + 49, 50]),
    );
    sent[0]?.answer({});
    await until(() => sent.length === 5);
    assert.deepEqual(sent[4]?.items, names(201, 250));
    for (const transaction of sent) transaction.answer({});
    await until(() => sent.length === 6);
    sent[5]?.answer({});
    await until(async () => (await waiting()).length === 0);
  });

  it('goes back to what the partner has when it answers a gap', async () => {
    await enqueue(...names(1, 150));
    await sender.up(undefined);
    await until(() => sent.length === 3);
    const epoch = sent[0]?.header.epoch ?? '';
    sent[0]?.fail();
    for (const late of [1, 2]) sent[late]?.answer({ status: 409, body: { have: null } });
    await until(() => clock.timers.size > 0);
    clock.fire();
    await until(() => sent.length === 6);
    assert.deepEqual(
      sent.slice(3).map(({ header }) => header.first),
      [1, 51, 101],
    );
    assert.deepEqual(restored, []);
    sent[3]?.fail();
    sent[5]?.answer({ status: 409, body: { have: { epoch, sequence: 100 } } });
    await until(async () => (await waiting()).length === 50);
  });

  it('waits longer after each failure, up to a minute, and at once when the link is back', async () => {
    await enqueue('$1');
    await sender.up(undefined);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      await until(() => sent.length === attempt + 1);
      sent[attempt]?.answer({ status: 502 });
      await until(() => clock.timers.size > 0);
      delays.push(...[...clock.timers].map((timer) => timer.ms));
      clock.fire();
    }
    assert.deepEqual(
      delays,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
    );
    await until(() => sent.length === 10);
    sender.down();
    sent[9]?.fail();
    await sender.up(undefined);
    await until(() => sent.length === 11);
    assert.deepEqual(await waiting(), ['$1']);
  });

  it('finds the one event that the partner refuses and delivers the others', async () => {
    await enqueue('$1', '$bad', '$3');
    await sender.up(undefined);
    const delivered: string[] = [];
    let have = 0;
    let at = 0;
    await until(async () => {
      clock.fire();
      for (; at < sent.length; at++) {
        const { header, items, answer } = sent[at] as Sent; // `at` is below the length.
        if (items.includes('$bad')) answer({ status: 400 });
        else if (header.first !== have + 1)
          answer({
            status: 409,
            body: { have: have === 0 ? null : { epoch: header.epoch, sequence: have } },
          });
        else {
          have = header.last;
          delivered.push(...items);
          answer({});
        }
      }
      return (await waiting()).length === 0;
    });
    assert.deepEqual(delivered, ['$1', '$3']);
    assert.equal(have, 2);
  });

  it('begins a new epoch when the partner has more than was ever sent', async () => {
    await enqueue('$1');
    await sender.up(undefined);
    await until(() => sent.length === 1);
    const epoch = sent[0]?.header.epoch ?? '';
    sender.down();
    sent[0]?.fail();
    received = { epoch, sequence: 7 };
    await enqueue('$2');
    await sender.up(received);
    await until(() => sent.length === 2);
    assert.deepEqual(restored, ['us']);
    assert.notEqual(sent[1]?.header.epoch, epoch);
    assert.equal(sent[1]?.header.first, 1);
    assert.deepEqual(sent[1]?.items, ['$1', '$2']);
  });

  it('does not take a hello that an acknowledgement has overtaken for a restored backup', async () => {
    await enqueue('$1');
    await sender.up(undefined);
    await until(() => sent.length === 1);
    sent[0]?.answer({});
    await until(async () => (await waiting()).length === 0);
    received = { epoch: sent[0]?.header.epoch ?? '', sequence: 1 };
    await sender.up(undefined);
    await enqueue('$2');
    await until(() => sent.length === 2);
    assert.deepEqual(restored, []);
    assert.equal(sent[1]?.header.first, 2);
  });
});
