import type { Reader } from '../connection.ts';
import type { InboundLaneRow, InboundTransactionRow, StagedRow } from '../schema/federation-tables.ts';
import type { WriteOp } from '../write-set.ts';

/** What was received last in a lane. */
export interface InboundLane {
  readonly origin: string;
  readonly lane: string;
  readonly epoch: string;
  readonly lastSeq: number;
}

export interface InboundTransactionRecord {
  readonly origin: string;
  readonly txnId: string;
  /** Of the ids of what was in it: the same transaction id with something else is an alarm. */
  readonly digest: string;
  /** JSON text of the answer. */
  readonly response: string;
  readonly receivedTs: number;
}

/** Received and acknowledged, still to be processed. */
export interface StagedRecord {
  readonly nid: number;
  readonly origin: string;
  readonly kind: 'pdu' | 'edu';
  readonly roomId: string | null;
  readonly eventId: string | null;
  readonly json: string;
  readonly receivedTs: number;
  readonly attempts: number;
  /** Not before then; null: at once. */
  readonly nextTryTs: number | null;
  /** Given up, for an admin to see. */
  readonly deadReason: string | null;
}

/** What came from partners: lanes, transactions answered, and what is staged. */
export class InboxStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async lane(origin: string, lane: string): Promise<InboundLane | undefined> {
    const row = await this.#reader.first<InboundLaneRow>(
      'SELECT * FROM inbound_lanes WHERE origin = ? AND lane = ?',
      [origin, lane],
    );
    return row === undefined
      ? undefined
      : { origin: row.origin, lane: row.lane, epoch: row.epoch, lastSeq: row.last_seq };
  }

  async lanesOf(origin: string): Promise<InboundLane[]> {
    const rows = await this.#reader.query<InboundLaneRow>('SELECT * FROM inbound_lanes WHERE origin = ?', [
      origin,
    ]);
    return rows.map((row) => ({
      origin: row.origin,
      lane: row.lane,
      epoch: row.epoch,
      lastSeq: row.last_seq,
    }));
  }

  putLane(lane: InboundLane): WriteOp[] {
    const row = { origin: lane.origin, lane: lane.lane, epoch: lane.epoch, last_seq: lane.lastSeq };
    return [{ kind: 'upsert', table: 'inbound_lanes', key: ['origin', 'lane'], rows: [row] }];
  }

  async transaction(origin: string, txnId: string): Promise<InboundTransactionRecord | undefined> {
    const row = await this.#reader.first<InboundTransactionRow>(
      'SELECT * FROM inbound_transactions WHERE origin = ? AND txn_id = ?',
      [origin, txnId],
    );
    return row === undefined
      ? undefined
      : {
          origin: row.origin,
          txnId: row.txn_id,
          digest: row.digest,
          response: row.response,
          receivedTs: row.received_ts,
        };
  }

  addTransaction(transaction: InboundTransactionRecord): WriteOp[] {
    const row = {
      origin: transaction.origin,
      txn_id: transaction.txnId,
      digest: transaction.digest,
      response: transaction.response,
      received_ts: transaction.receivedTs,
    };
    return [{ kind: 'insert', table: 'inbound_transactions', rows: [row] }];
  }

  /** Ids of transactions received before a time. Index: inbound_transactions_received. */
  async transactionsBefore(ts: number, limit: number): Promise<{ origin: string; txnId: string }[]> {
    const rows = await this.#reader.query<{ origin: string; txn_id: string }>(
      'SELECT origin, txn_id FROM inbound_transactions WHERE received_ts < ? ORDER BY received_ts LIMIT ?',
      [ts, limit],
    );
    return rows.map((row) => ({ origin: row.origin, txnId: row.txn_id }));
  }

  removeTransaction(origin: string, txnId: string): WriteOp[] {
    return [{ kind: 'delete', table: 'inbound_transactions', where: { origin, txn_id: txnId } }];
  }

  stage(items: readonly StagedRecord[]): WriteOp[] {
    if (items.length === 0) return [];
    const rows = items.map((item) => ({
      staged_nid: item.nid,
      origin: item.origin,
      kind: item.kind,
      room_id: item.roomId,
      event_id: item.eventId,
      json: item.json,
      received_ts: item.receivedTs,
      attempts: item.attempts,
      next_try_ts: item.nextTryTs,
      dead_reason: item.deadReason,
    }));
    return [{ kind: 'insert', table: 'staged', rows }];
  }

  /** What is not dead, in the order of arrival, after a number. Index: the primary key. */
  async staged(after: number, limit: number): Promise<StagedRecord[]> {
    const rows = await this.#reader.query<StagedRow>(
      'SELECT * FROM staged WHERE staged_nid > ? AND dead_reason IS NULL ORDER BY staged_nid LIMIT ?',
      [after, limit],
    );
    return rows.map(toStaged);
  }

  /** Dead letters, oldest first. */
  async dead(limit: number): Promise<StagedRecord[]> {
    const rows = await this.#reader.query<StagedRow>(
      'SELECT * FROM staged WHERE dead_reason IS NOT NULL ORDER BY staged_nid LIMIT ?',
      [limit],
    );
    return rows.map(toStaged);
  }

  /** By origin. Index: staged_origin. */
  async counts(): Promise<{ origin: string; waiting: number; dead: number }[]> {
    return this.#reader.query(
      'SELECT origin, SUM(CASE WHEN dead_reason IS NULL THEN 1 ELSE 0 END) AS waiting, SUM(CASE WHEN dead_reason IS NULL THEN 0 ELSE 1 END) AS dead FROM staged GROUP BY origin ORDER BY origin',
    );
  }

  remove(nid: number): WriteOp[] {
    return [{ kind: 'delete', table: 'staged', where: { staged_nid: nid } }];
  }

  retryLater(nid: number, attempts: number, nextTryTs: number): WriteOp[] {
    const set = { attempts, next_try_ts: nextTryTs };
    return [{ kind: 'update', table: 'staged', set, where: { staged_nid: nid } }];
  }

  /** Gives it up: it stays, for an admin to see. */
  bury(nid: number, reason: string): WriteOp[] {
    return [{ kind: 'update', table: 'staged', set: { dead_reason: reason }, where: { staged_nid: nid } }];
  }

  /** Makes a dead letter alive again. */
  revive(nid: number): WriteOp[] {
    const set = { dead_reason: null, attempts: 0, next_try_ts: null };
    return [{ kind: 'update', table: 'staged', set, where: { staged_nid: nid } }];
  }
}

function toStaged(row: StagedRow): StagedRecord {
  return {
    nid: row.staged_nid,
    origin: row.origin,
    kind: row.kind === 'edu' ? 'edu' : 'pdu',
    roomId: row.room_id,
    eventId: row.event_id,
    json: row.json,
    receivedTs: row.received_ts,
    attempts: row.attempts,
    nextTryTs: row.next_try_ts,
    deadReason: row.dead_reason,
  };
}
