import type { Logger } from 'pino';
import type { Clock, FailPoint, Timer } from '../../protocol/runtime.ts';
import { RoomError } from '../../rooms/errors.ts';
import { transactionDigest } from '../digest.ts';
import { type FederationResponse, jsonResponse } from '../exchange.ts';
import type { LaneHeader, LanePlace, LaneStandings } from '../lanes.ts';
import { lanes, placeJson } from '../lanes.ts';
import type { Backlog } from './backlog.ts';
import type { EduReceiver } from './edus.ts';
import { InOrder } from './in-order.ts';
import type { InboxAccess, StagedRow } from './inbox-access.ts';
import type { Processor } from './processor.ts';
import {
  checkLane,
  type InboundTransaction,
  type Member,
  readTransaction,
  roomOf,
  type Sequencing,
  sequencingOf,
  valuesOf,
} from './transaction.ts';

/** More rows than this waiting in memory to be processed, and no further transaction is acknowledged. */
export const maxBacklog = 4_000;

/** How long the answer to a transaction is kept for its repetition. */
const keptTransactionsMs = 7 * 24 * 3600 * 1000;
const forgetEveryMs = 3600 * 1000;

export interface InboundDeps {
  readonly inbox: InboxAccess;
  readonly processor: Processor;
  readonly edus: EduReceiver;
  readonly backlog: Backlog;
  readonly clock: Clock;
  readonly log: Logger;
  readonly failPoint: FailPoint;
  /** Takes so many events from a partner's quota; 0, or the milliseconds after which it may send them. */
  readonly eventsWait: (origin: string, count: number) => number;
}

/** A transaction on its way in; `body` is still being received. */
export interface ArrivingTransaction {
  readonly origin: string;
  readonly txnId: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Promise<Buffer>;
}

/**
 * The receiving end of transactions. What arrives is staged with its transaction id in one commit, and only
 * then acknowledged; it is processed afterwards.
 */
export class Inbound {
  readonly #deps: InboundDeps;
  readonly #order = new InOrder();
  /** What was received last, by `origin lane`; the database's word, kept in step with it. */
  readonly #received = new Map<string, LanePlace | undefined>();

  #timer: Timer | undefined;
  #forgetting: Promise<void> | undefined;

  constructor(deps: InboundDeps) {
    this.#deps = deps;
  }

  /** Resumes what was staged and not finished when the process ended. */
  async start(): Promise<void> {
    await this.#deps.processor.resume();
    this.#forget();
  }

  /** Takes nothing further from the queues; what is under way is finished. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#forgetting;
    await this.#deps.processor.stop();
  }

  #forget(): void {
    const { inbox, clock, log } = this.#deps;
    this.#forgetting = inbox.forgetTransactions(clock.now() - keptTransactionsMs).catch((error: unknown) => {
      log.warn({ err: error }, 'old transactions could not be forgotten, will be tried again');
    });
    this.#timer = clock.setTimer(forgetEveryMs, () => this.#forget());
  }

  /** How the lanes from a partner stand on disk. */
  async received(origin: string): Promise<LaneStandings> {
    const standings: Record<string, { received: LanePlace | undefined }> = {};
    for (const lane of lanes) standings[lane] = { received: await this.#lane(origin, lane) };
    return standings;
  }

  /**
   * Takes a transaction, in the order of the calls for each lane. The answer 200 means that it is on disk;
   * 409 says what is (`have`) when there is a gap, or when the id came before with something else in it.
   */
  takeTransaction(arriving: ArrivingTransaction): Promise<FederationResponse> {
    arriving.body.catch(() => undefined); // Awaited later, in its turn.
    let sequencing: Sequencing;
    try {
      sequencing = sequencingOf(arriving.headers);
    } catch (error) {
      return Promise.reject(error);
    }
    if (sequencing.kind === 'volatile') return this.#takeVolatile(arriving);
    const header = sequencing.kind === 'lane' ? sequencing.header : undefined;
    return this.#order.run(`${arriving.origin} ${header?.lane ?? ''}`, () => this.#take(arriving, header));
  }

  async #takeVolatile({ origin, body }: ArrivingTransaction): Promise<FederationResponse> {
    const { pdus, edus } = readTransaction(await body, origin);
    if (pdus.length > 0) throw new RoomError(400, 'M_INVALID_PARAM', 'Events have to be sent in their lane');
    for (const { value } of edus) await this.#deps.edus.receiveVolatile(origin, value);
    return jsonResponse(200, { pdus: {} });
  }

  async #take(
    { origin, txnId, body }: ArrivingTransaction,
    header: LaneHeader | undefined,
  ): Promise<FederationResponse> {
    const { inbox, backlog } = this.#deps;
    const transaction = readTransaction(await body, origin);
    if (header !== undefined) checkLane(transaction, header);
    const digest = transactionDigest(valuesOf(transaction.pdus), valuesOf(transaction.edus));
    const received = header === undefined ? undefined : await this.#lane(origin, header.lane);
    if (header === undefined || isKnownPlace(header, received)) {
      const known = await inbox.transaction(origin, txnId);
      if (known !== undefined) return this.#again(origin, txnId, known, digest, received);
    }
    if (header !== undefined && !follows(header, received)) return conflict('There is a gap', received);
    const waitMs = this.#deps.eventsWait(origin, transaction.pdus.length);
    if (waitMs > 0)
      return jsonResponse(429, {
        errcode: 'M_LIMIT_EXCEEDED',
        error: 'Too many events at a time',
        retry_after_ms: waitMs,
      });
    await backlog.room();
    return this.#stage(origin, txnId, transaction, digest, header);
  }

  /** The same id again: the stored answer, if it is the same transaction. */
  #again(
    origin: string,
    txnId: string,
    known: { readonly digest: string; readonly response: string },
    digest: string,
    received: LanePlace | undefined,
  ): FederationResponse {
    if (known.digest === digest)
      return { status: 200, contentType: 'application/json', body: Buffer.from(known.response) };
    this.#deps.log.error(
      { alarm: 'transaction-altered', partner: origin, txnId },
      'a partner sent other events under the id of a transaction that it had sent before',
    );
    return conflict('This transaction id was used for something else', received);
  }

  async #stage(
    origin: string,
    txnId: string,
    transaction: InboundTransaction,
    digest: string,
    header: LaneHeader | undefined,
  ): Promise<FederationResponse> {
    const { inbox, processor, failPoint, clock } = this.#deps;
    const response = '{"pdus":{}}';
    const rows = this.#rows(origin, transaction);
    await inbox.stage({ origin, txnId, digest, response, receivedTs: clock.now(), rows, header });
    if (header !== undefined)
      this.#received.set(`${origin} ${header.lane}`, { epoch: header.epoch, sequence: header.last });
    failPoint('staged');
    processor.take(rows);
    return { status: 200, contentType: 'application/json', body: Buffer.from(response) };
  }

  #rows(origin: string, { pdus, edus }: InboundTransaction): StagedRow[] {
    const { inbox, clock } = this.#deps;
    const receivedTs = clock.now();
    const row = (kind: 'pdu' | 'edu', { value, fault }: Member): StagedRow => {
      const roomId = kind === 'pdu' ? roomOf(value) : '';
      return {
        nid: inbox.nextId(),
        origin,
        kind,
        roomId: roomId ?? '',
        value,
        receivedTs,
        attempts: 0,
        nextTryTs: 0,
        deadReason: fault ?? (roomId === undefined ? 'format: it does not say its room' : null),
      };
    };
    return [...pdus.map((pdu) => row('pdu', pdu)), ...edus.map((edu) => row('edu', edu))];
  }

  async #lane(origin: string, lane: string): Promise<LanePlace | undefined> {
    const key = `${origin} ${lane}`;
    if (!this.#received.has(key)) {
      const stored = await this.#deps.inbox.received(origin, lane);
      // What was staged while we were reading is newer.
      if (!this.#received.has(key)) this.#received.set(key, stored);
    }
    return this.#received.get(key);
  }
}

/** Does it begin at or before what was received: then it may be a repetition. */
function isKnownPlace(header: LaneHeader, received: LanePlace | undefined): boolean {
  return received !== undefined && received.epoch === header.epoch && header.first <= received.sequence;
}

/** Is it the next one of its epoch, or the first of a new epoch? */
function follows(header: LaneHeader, received: LanePlace | undefined): boolean {
  if (received?.epoch === header.epoch) return header.first === received.sequence + 1;
  return header.first === 1;
}

function conflict(message: string, received: LanePlace | undefined): FederationResponse {
  return jsonResponse(409, { errcode: 'M_UNKNOWN', error: message, have: placeJson(received) });
}
