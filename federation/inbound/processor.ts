import type { Logger } from 'pino';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import { TryAgain } from '../../rooms/errors.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Backlog } from './backlog.ts';
import type { EduReceiver } from './edus.ts';
import type { InboxAccess, StagedRow } from './inbox-access.ts';

const firstDelayMs = 1_000;
const maxDelayMs = 600_000;
/** About two days of attempts, then the row is a dead letter for the admin to see. */
const maxAttempts = 300;
/** Rows of one room that are with the room engine at the same time; it keeps their order. */
const roomWindow = 100;
/** EDUs go one by one: of two receipts of one person the later one counts. */
const eduWindow = 1;

interface RoomQueue {
  readonly rows: StagedRow[];
  /** So many run at the same time. */
  readonly window: number;
  running: number;
}

interface Retry {
  readonly row: StagedRow;
  readonly timer: Timer;
  readonly awaitedEvent: string | undefined;
}

/**
 * Works off what is staged: the rows of a room in the order of their arrival, rooms side by side. A row
 * that fails is tried again later and does not hold up the others; what cannot be processed at all stays
 * as a dead letter.
 */
export class Processor {
  readonly #inbox: InboxAccess;
  readonly #engine: RoomEngine;
  readonly #edus: EduReceiver;
  readonly #backlog: Backlog;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #rooms = new Map<string, RoomQueue>();
  /** Rows that wait for another attempt, by their numbers. */
  readonly #retries = new Map<number, Retry>();
  /** The numbers of those that wait for an event, by its id. */
  readonly #awaiting = new Map<string, Set<number>>();
  #stopped = false;
  #active = 0;
  #idle: (() => void)[] = [];

  constructor(deps: {
    inbox: InboxAccess;
    engine: RoomEngine;
    edus: EduReceiver;
    backlog: Backlog;
    clock: Clock;
    log: Logger;
  }) {
    this.#inbox = deps.inbox;
    this.#engine = deps.engine;
    this.#edus = deps.edus;
    this.#backlog = deps.backlog;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Takes up the rows that an earlier run left. */
  async resume(): Promise<void> {
    const rows = await this.#inbox.unfinished();
    if (rows.length > 0) this.#log.info({ rows: rows.length }, 'processing what was staged before the start');
    this.take(rows);
  }

  /** Rows that are on disk, in order. */
  take(rows: readonly StagedRow[]): void {
    for (const row of rows) {
      if (row.deadReason !== null) {
        this.#log.warn({ partner: row.origin, staged: row.nid, reason: row.deadReason }, 'a dead letter');
        continue;
      }
      this.#enqueue(row);
    }
  }

  /** A partner can be asked again: what waited for it need not wait longer. */
  retryNow(origin: string): void {
    for (const { row } of [...this.#retries.values()]) if (row.origin === origin) this.#retry(row.nid);
  }

  /** An event has its place in a room now: what waited for it need not wait longer. */
  arrived(eventId: string): void {
    for (const nid of this.#awaiting.get(eventId) ?? []) this.#retry(nid);
  }

  /** Rows that wait for another attempt. */
  get waiting(): number {
    return this.#retries.size;
  }

  /** Resolves when nothing is being processed; rows that wait for another attempt do not count. */
  async idle(): Promise<void> {
    while (this.#active > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Takes nothing further from the queues; what is under way is finished. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const queue of this.#rooms.values()) {
      this.#active -= queue.rows.length;
      queue.rows.length = 0;
    }
    this.#settle();
    await this.idle();
  }

  #enqueue(row: StagedRow): void {
    if (this.#stopped) return;
    this.#active += 1;
    this.#backlog.add(1);
    const isPdu = row.kind === 'pdu';
    const key = isPdu ? row.roomId : ` ${row.origin}`;
    let queue = this.#rooms.get(key);
    if (queue === undefined) {
      queue = { rows: [], running: 0, window: isPdu ? roomWindow : eduWindow };
      this.#rooms.set(key, queue);
    }
    queue.rows.push(row);
    this.#pump(key, queue);
  }

  #pump(key: string, queue: RoomQueue): void {
    while (queue.running < queue.window) {
      const row = queue.rows.shift();
      if (row === undefined) break;
      queue.running += 1;
      this.#process(row).finally(() => {
        queue.running -= 1;
        this.#active -= 1;
        this.#backlog.done();
        this.#pump(key, queue);
        this.#settle();
      });
    }
    if (queue.running === 0 && queue.rows.length === 0) this.#rooms.delete(key);
  }

  #settle(): void {
    if (this.#active > 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const go of waiting) go();
  }

  /** Never rejects. */
  async #process(row: StagedRow): Promise<void> {
    try {
      const reason = row.kind === 'pdu' ? await this.#receivePdu(row) : await this.#receiveEdu(row);
      if (reason !== undefined) await this.#bury(row, reason);
    } catch (error) {
      await this.#later(row, error).catch((cause: unknown) => {
        // The row is on disk as it was: the next start finds it.
        this.#log.error({ err: cause, staged: row.nid }, 'a staged row could not be put off');
      });
    }
  }

  /** Gives why the row is a dead letter; undefined if it is done and gone. */
  async #receivePdu(row: StagedRow): Promise<string | undefined> {
    const remove = this.#inbox.removeOps(row);
    const outcome = await this.#engine.receive(row.origin, row.value, {
      roomId: row.roomId,
      alsoWrite: remove,
    });
    if (outcome.kind === 'dropped') return outcome.reason ?? 'it was dropped';
    if (outcome.kind === 'rejected' || outcome.kind === 'soft-failed')
      this.#log.warn(
        {
          partner: row.origin,
          roomId: row.roomId,
          eventId: outcome.eventId,
          kind: outcome.kind,
          reason: outcome.reason,
        },
        'an event of a partner was not accepted',
      );
    return undefined;
  }

  async #receiveEdu(row: StagedRow): Promise<string | undefined> {
    const waited = { attempts: row.attempts, ms: this.#clock.now() - row.receivedTs };
    const outcome = await this.#edus.receive(row.origin, row.value, waited, this.#inbox.removeOps(row));
    if (outcome.kind === 'refused') return outcome.reason;
    if (outcome.kind === 'ignored') await this.#inbox.remove(row);
    return undefined;
  }

  async #bury(row: StagedRow, reason: string): Promise<void> {
    this.#log.warn({ partner: row.origin, roomId: row.roomId, staged: row.nid, reason }, 'a dead letter');
    await this.#inbox.bury(row, reason);
  }

  async #later(row: StagedRow, error: unknown): Promise<void> {
    const attempts = row.attempts + 1;
    const fields = { partner: row.origin, roomId: row.roomId, staged: row.nid, attempts };
    // A receipt is often faster than its event, and nobody has to act on that.
    if (error instanceof TryAgain && error.awaitedEvent !== undefined)
      this.#log.debug({ ...fields, reason: error.message }, 'an EDU has to wait');
    else if (error instanceof TryAgain)
      this.#log.info({ ...fields, reason: error.message }, 'an event has to wait');
    else this.#log.error({ ...fields, err: error }, 'an event could not be processed, will be tried again');
    if (attempts >= maxAttempts) {
      await this.#bury(row, `given up after ${attempts} attempts: ${String(error)}`.slice(0, 500));
      return;
    }
    const delay = Math.min(firstDelayMs * 2 ** Math.min(attempts - 1, 20), maxDelayMs);
    const next: StagedRow = { ...row, attempts, nextTryTs: this.#clock.now() + delay };
    this.#wait(next, delay, error instanceof TryAgain ? error.awaitedEvent : undefined);
    await this.#inbox.putOff(next);
  }

  #wait(row: StagedRow, ms: number, awaitedEvent: string | undefined): void {
    const timer = this.#clock.setTimer(ms, () => this.#retry(row.nid));
    this.#retries.set(row.nid, { row, timer, awaitedEvent });
    if (awaitedEvent === undefined) return;
    const waiting = this.#awaiting.get(awaitedEvent) ?? new Set();
    this.#awaiting.set(awaitedEvent, waiting.add(row.nid));
  }

  #retry(nid: number): void {
    const retry = this.#retries.get(nid);
    if (retry === undefined) return;
    const { row, timer, awaitedEvent } = retry;
    this.#retries.delete(nid);
    timer.cancel();
    if (awaitedEvent !== undefined) {
      const waiting = this.#awaiting.get(awaitedEvent);
      waiting?.delete(nid);
      if (waiting?.size === 0) this.#awaiting.delete(awaitedEvent);
    }
    this.#enqueue(row);
  }
}
