import type { Logger } from 'pino';
import type { JsonValue } from '../../protocol/json.ts';
import type { Clock, FailPoint, Timer } from '../../protocol/runtime.ts';
import { type Lane, type LaneHeader, type LanePlace, readPlace } from '../lanes.ts';
import type { LaneStore, StoredLane } from './lane-store.ts';
import type { PartnerState } from './partner-state.ts';
import { judgeStanding } from './standing.ts';
import { itemLimit, type OutboxItem, type Transaction, transactionId } from './transaction.ts';

const maxInFlight = 4;
const firstDelayMs = 1_000;
const maxDelayMs = 60_000;
/** After so many definite refusals of a transaction its items are sent one by one, to find the guilty one. */
const refusalsUntilSplit = 3;
const refusalStatuses: readonly number[] = [400, 413, 422];

/** What a partner answered to a transaction. */
export interface TransactionAnswer {
  readonly status: number;
  readonly body: JsonValue | undefined;
}

/** How a lane reaches its partner. All reject when there is no link, or it breaks. */
interface LaneWire {
  /** Must hand the request to the link before its first await: requests leave in the order of the calls. */
  send(txnId: string, header: LaneHeader, body: Buffer): Promise<TransactionAnswer>;
  /** Asks the partner how a lane stands there at this moment. */
  received(lane: Lane): Promise<LanePlace | undefined>;
}

export interface LaneSenderDeps {
  readonly destination: string;
  readonly lane: Lane;
  readonly store: LaneStore;
  readonly state: PartnerState;
  readonly wire: LaneWire;
  /** The body of a transaction. */
  render(lane: Lane, items: readonly OutboxItem[]): Promise<Buffer>;
  newEpoch(kind: EpochKind): string;
  /** One side's database is older than what the other side knows. */
  restored(who: 'us' | 'partner', received: LanePlace | undefined): Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly failPoint: FailPoint;
}

/** Why an epoch began: `n` the first one, `r` our own database was restored, `p` the partner's was. */
export type EpochKind = 'n' | 'r' | 'p';

/**
 * Sends one lane of one partner. The database is what it works from; a wake-up is only a hint. Boundaries
 * are stored before a transaction is sent, up to four are in flight, and rows go when the acknowledgement
 * is on disk here.
 */
export class LaneSender {
  readonly #deps: LaneSenderDeps;
  readonly #log: Logger;
  #state: StoredLane | undefined;
  #loading: Promise<StoredLane> | undefined;
  #transactions: Transaction[] = [];
  readonly #sending = new Map<Transaction, Promise<void>>();
  #open = false;
  #suspect = false;
  #paused: Timer | undefined;
  #delayMs = 0;
  #refusals = 0;
  #guilty: Transaction | undefined;
  /** Items up to this number are sent one by one. */
  #singleUntil = 0;
  #dirty = false;
  #running: Promise<void> | undefined;

  constructor(deps: LaneSenderDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ partner: deps.destination, lane: deps.lane });
  }

  /** The next number that will be given; loads the lane if need be. */
  async next(): Promise<LanePlace> {
    const state = await this.#load();
    return { epoch: state.epoch, sequence: state.given + 1 };
  }

  /** There is a link. `received`: what the partner said in its hello that it has. */
  async up(received: LanePlace | undefined): Promise<void> {
    await this.#load();
    if (this.#judge(received).kind === 'go-on') await this.#goOn(received);
    else this.#suspect = true; // Asked again before anything is concluded: a hello may be older than an answer.
    this.#open = true;
    this.#resume();
  }

  /** The link is gone; what was in flight is sent again when it is back. */
  down(): void {
    this.#open = false;
  }

  /** There may be something to send. */
  wake(): void {
    this.#dirty = true;
    if (this.#running !== undefined || !this.#open) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#dirty && this.#open && this.#paused === undefined) this.wake();
    });
  }

  /** Ends sending and resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#open = false;
    this.#paused?.cancel();
    this.#paused = undefined;
    await this.#running;
    await Promise.allSettled(this.#sending.values());
  }

  #resume(): void {
    this.#paused?.cancel();
    this.#paused = undefined;
    this.#delayMs = 0;
    this.wake();
  }

  #pause(atLeastMs = 0): void {
    if (this.#paused !== undefined && atLeastMs === 0) return;
    this.#delayMs = Math.min(Math.max(this.#delayMs * 2, firstDelayMs), maxDelayMs);
    this.#paused?.cancel();
    this.#paused = this.#deps.clock.setTimer(Math.max(this.#delayMs, atLeastMs), () => {
      this.#paused = undefined;
      this.wake();
    });
  }

  async #run(): Promise<void> {
    while (this.#dirty && this.#open && this.#paused === undefined) {
      this.#dirty = false;
      try {
        await this.#step();
      } catch (error) {
        this.#log.warn({ err: error }, 'sending to a partner failed, will be tried again');
        this.#dirty = true;
        if (this.#open) this.#pause();
      }
    }
  }

  async #step(): Promise<void> {
    await this.#load();
    if (this.#suspect) {
      // With nothing in flight the partner's answer cannot be overtaken by an acknowledgement.
      if (this.#sending.size > 0) return;
      await this.#settleSuspicion();
    }
    if (this.#guilty !== undefined) {
      if (this.#sending.size > 0) return;
      await this.#isolate(this.#guilty);
      this.#guilty = undefined;
    }
    while (
      this.#open &&
      !this.#suspect &&
      this.#guilty === undefined &&
      this.#paused === undefined &&
      this.#sending.size < maxInFlight
    ) {
      const waiting = this.#transactions.find((transaction) => !this.#sending.has(transaction));
      const transaction = waiting ?? (await this.#nextBoundaries());
      if (transaction === undefined) return;
      const body = await this.#deps.render(this.#deps.lane, transaction.items);
      if (!this.#open || !this.#transactions.includes(transaction)) return;
      const sent = this.#send(transaction, body).finally(() => {
        this.#sending.delete(transaction);
        this.wake();
      });
      this.#sending.set(transaction, sent);
    }
  }

  /** Reads the lane once: a lane that is begun twice would have one epoch in memory and another one on disk. */
  async #load(): Promise<StoredLane> {
    if (this.#state !== undefined) return this.#state;
    this.#loading ??= this.#read().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #read(): Promise<StoredLane> {
    const { store, destination, lane, newEpoch } = this.#deps;
    const loaded = await store.load(destination, lane, () => newEpoch('n'));
    this.#take(loaded);
    return loaded;
  }

  #take(loaded: StoredLane): void {
    this.#state = loaded;
    this.#transactions = [...loaded.transactions];
  }

  /** Groups what waits into a transaction and stores its boundaries; undefined if nothing waits. */
  async #nextBoundaries(): Promise<Transaction | undefined> {
    const state = await this.#load();
    const { store, destination, lane } = this.#deps;
    const first = state.given + 1;
    const limit = first <= this.#singleUntil ? 1 : itemLimit(lane);
    const items = await store.pending(destination, lane, state.boundPosition, limit);
    const end = items.at(-1);
    if (end === undefined) return undefined;
    const last = state.given + items.length;
    const transaction: Transaction = {
      txnId: transactionId(state.epoch, lane, first, last),
      epoch: state.epoch,
      first,
      last,
      items,
    };
    await store.storeBoundaries(destination, lane, transaction);
    this.#deps.failPoint('boundaries-stored');
    state.given = last;
    state.boundPosition = end.position;
    this.#transactions.push(transaction);
    return transaction;
  }

  async #send(transaction: Transaction, body: Buffer): Promise<void> {
    const { lane, wire, failPoint } = this.#deps;
    let answer: TransactionAnswer;
    try {
      answer = await wire.send(
        transaction.txnId,
        { lane, epoch: transaction.epoch, first: transaction.first, last: transaction.last },
        body,
      );
    } catch (error) {
      this.#log.debug({ err: error, txnId: transaction.txnId }, 'a transaction got no answer');
      if (this.#open) this.#pause();
      return;
    }
    if (!this.#transactions.includes(transaction)) return; // Of an epoch that ended meanwhile.
    if (answer.status === 200) {
      failPoint('acknowledged');
      this.#logRefused(transaction, answer.body);
      await this.#acknowledged([transaction]);
      return;
    }
    await this.#refused(transaction, answer);
  }

  async #acknowledged(transactions: readonly Transaction[]): Promise<void> {
    const state = await this.#load();
    const { store, destination, lane, failPoint, clock } = this.#deps;
    const end = transactions.at(-1);
    if (end === undefined) return;
    const acked = Math.max(state.acked, end.last);
    const position = end.items.at(-1)?.position ?? 0;
    const also =
      lane === 'pdu'
        ? this.#deps.state.acknowledged({ epoch: state.epoch, sequence: end.last, position }, clock.now())
        : [];
    state.acked = acked; // At once: another acknowledgement may be on its way to disk beside this one.
    try {
      await store.deleteAcknowledged(destination, lane, acked, transactions, also);
    } catch (error) {
      // Not on disk here: it is sent again and answered from what the partner stored.
      this.#log.warn({ err: error }, 'an acknowledgement could not be stored');
      this.#pause();
      return;
    }
    this.#transactions = this.#transactions.filter((transaction) => !transactions.includes(transaction));
    this.#delayMs = 0;
    this.#refusals = 0;
    failPoint('row-deleted');
  }

  async #refused(transaction: Transaction, answer: TransactionAnswer): Promise<void> {
    const { status, body } = answer;
    if (status === 409) {
      const received = readPlace(objectOf(body)['have']);
      if (this.#judge(received).kind !== 'go-on') this.#suspect = true;
      else if (!(await this.#goOn(received))) this.#pause(); // No progress: not at full speed again.
      return;
    }
    if (!refusalStatuses.includes(status)) {
      // A quota is nothing that anybody has to act on: it goes on by itself.
      this.#log[status === 429 ? 'info' : 'warn'](
        { status, txnId: transaction.txnId },
        'a partner did not take a transaction',
      );
      const retryAfter = objectOf(body)['retry_after_ms'];
      this.#pause(typeof retryAfter === 'number' ? Math.min(retryAfter, 3_600_000) : 0);
      return;
    }
    this.#refusals += 1;
    this.#log.error({ status, txnId: transaction.txnId, body }, 'a partner refuses a transaction');
    this.#pause();
    if (this.#refusals >= refusalsUntilSplit && this.#transactions[0] === transaction)
      this.#guilty = transaction;
  }

  /** The partner will not take it as it is: its items go one by one, and the one that is refused alone is dead. */
  async #isolate(transaction: Transaction): Promise<void> {
    const state = await this.#load();
    const { store, destination, lane } = this.#deps;
    const [only, ...more] = transaction.items;
    const before = (only?.position ?? 1) - 1;
    const dead = only !== undefined && more.length === 0 ? [only] : [];
    if (dead.length > 0)
      this.#log.error(
        { items: dead.map(itemName) },
        'an outbox row is dead: the partner refuses it for good',
      );
    // The numbers from here on were never taken by the partner: they are given again, with other ids.
    const after = { ...state, given: transaction.first - 1, boundPosition: before };
    await store.withdraw(destination, lane, after, this.#transactions, dead);
    this.#singleUntil = Math.max(this.#singleUntil, transaction.last);
    this.#take({ ...after, transactions: [] });
    this.#refusals = 0;
  }

  #logRefused(transaction: Transaction, body: JsonValue | undefined): void {
    for (const [eventId, result] of Object.entries(objectOf(objectOf(body)['pdus'])))
      if (objectOf(result)['error'] !== undefined)
        this.#log.warn(
          { eventId, reason: objectOf(result)['error'], txnId: transaction.txnId },
          'an event was refused by the partner',
        );
  }

  #judge(received: LanePlace | undefined): ReturnType<typeof judgeStanding> {
    const state = this.#state;
    if (state === undefined) throw new Error('The lane is not loaded');
    const transactions = this.#transactions;
    return judgeStanding(
      {
        epoch: state.epoch,
        acked: state.acked,
        given: state.given,
        isBoundary: (sequence) =>
          sequence === state.acked || transactions.some((transaction) => transaction.last === sequence),
        isRetired: (epoch) => state.retired.has(epoch),
      },
      received,
    );
  }

  /** Takes over what has arrived according to the partner. Says whether that was news. */
  async #goOn(received: LanePlace | undefined): Promise<boolean> {
    const state = await this.#load();
    const arrived = received?.epoch === state.epoch ? received.sequence : 0;
    const done = this.#transactions.filter((transaction) => transaction.last <= arrived);
    if (done.length > 0) await this.#acknowledged(done);
    return done.length > 0;
  }

  async #settleSuspicion(): Promise<void> {
    const { lane, wire, store, destination, newEpoch, restored } = this.#deps;
    const state = await this.#load();
    const received = await wire.received(lane);
    const verdict = this.#judge(received);
    if (verdict.kind === 'go-on') {
      await this.#goOn(received);
    } else {
      const epoch = newEpoch(verdict.kind === 'we-restored' ? 'r' : 'p');
      const who = verdict.kind === 'we-restored' ? 'us' : 'partner';
      this.#log.error(
        { alarm: 'restored', who, received, epoch: state.epoch, acked: state.acked, newEpoch: epoch },
        who === 'us'
          ? 'the partner has received more than this database knows of: a backup was restored here'
          : 'the partner has less than it acknowledged: a backup was restored there',
      );
      await restored(who, received);
      this.#take(await store.beginEpoch(destination, lane, state, epoch));
    }
    this.#suspect = false;
  }
}

function objectOf(value: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

function itemName(item: OutboxItem): string {
  return 'eventId' in item ? item.eventId : String(item.edu['edu_type']);
}
