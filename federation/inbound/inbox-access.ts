import { type JsonValue, parseJson } from '../../protocol/json.ts';
import type { Database } from '../../storage/database.ts';
import type { Row, WriteOp } from '../../storage/writer.ts';
import type { LaneHeader, LanePlace } from '../lanes.ts';

/** Something that was received and is on disk, not yet processed. */
export interface StagedRow {
  readonly nid: number;
  readonly origin: string;
  readonly kind: 'pdu' | 'edu';
  readonly roomId: string;
  readonly value: JsonValue;
  readonly receivedTs: number;
  readonly attempts: number;
  readonly nextTryTs: number;
  readonly deadReason: string | null;
}

export interface Staging {
  readonly origin: string;
  readonly txnId: string;
  readonly digest: string;
  readonly response: string;
  readonly receivedTs: number;
  readonly rows: readonly StagedRow[];
  readonly header: LaneHeader | undefined;
}

/** The inbox tables as receiving uses them. */
export class InboxAccess {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  nextId(): number {
    return this.#db.ids.next('staged');
  }

  /** What was received last in a lane. */
  async received(origin: string, lane: string): Promise<LanePlace | undefined> {
    const row = await this.#db.inbox.lane(origin, lane);
    return row === undefined ? undefined : { epoch: row.epoch, sequence: row.last_seq };
  }

  async transaction(
    origin: string,
    txnId: string,
  ): Promise<{ digest: string; response: string } | undefined> {
    return this.#db.inbox.transaction(origin, txnId);
  }

  /** Everything of a transaction in one commit: its contents, its id, and the lane's place. */
  async stage(staging: Staging): Promise<void> {
    const { origin, txnId, digest, response, receivedTs, header } = staging;
    const ops: WriteOp[] = [];
    if (staging.rows.length > 0)
      ops.push({
        kind: 'insert',
        table: 'staged',
        rows: staging.rows.map(tableRow),
      });
    ops.push({
      kind: 'insert',
      table: 'inbound_transactions',
      rows: [{ origin, txn_id: txnId, digest, response, received_ts: receivedTs }],
    });
    if (header !== undefined)
      ops.push({
        kind: 'upsert',
        table: 'inbound_lanes',
        key: ['origin', 'lane'],
        rows: [{ origin, lane: header.lane, epoch: header.epoch, last_seq: header.last }],
      });
    await this.#db.writer.submit({ label: 'staged', ops });
  }

  /** Rows that are neither done nor dead, in the order of their arrival. */
  async unfinished(): Promise<StagedRow[]> {
    const rows = await this.#db.inbox.unfinished();
    return rows.map((row) => ({
      nid: row.staged_nid,
      origin: row.origin,
      kind: row.kind === 'edu' ? 'edu' : 'pdu',
      roomId: row.room_id ?? '',
      value: parseJson(row.json),
      receivedTs: row.received_ts,
      attempts: row.attempts,
      nextTryTs: row.next_try_ts ?? 0,
      deadReason: null,
    }));
  }

  /** The ops with which a row is done. */
  removeOps(row: StagedRow): WriteOp[] {
    return [{ kind: 'delete', table: 'staged', where: { staged_nid: row.nid } }];
  }

  async remove(row: StagedRow): Promise<void> {
    await this.#db.writer.submit({ label: 'staged row done', ops: this.removeOps(row) });
  }

  async putOff(row: StagedRow): Promise<void> {
    const set = { attempts: row.attempts, next_try_ts: row.nextTryTs };
    const op: WriteOp = { kind: 'update', table: 'staged', set, where: { staged_nid: row.nid } };
    await this.#db.writer.submit({ label: 'staged row put off', ops: [op] });
  }

  /** Makes a row a dead letter, for an admin to see. It may be gone already: the room had no use for it. */
  async bury(row: StagedRow, reason: string): Promise<void> {
    const dead = { ...row, deadReason: reason.slice(0, 1_000) };
    const op: WriteOp = { kind: 'upsert', table: 'staged', key: ['staged_nid'], rows: [tableRow(dead)] };
    await this.#db.writer.submit({ label: 'dead letter', ops: [op] });
  }
}

function tableRow(row: StagedRow): Row {
  return {
    staged_nid: row.nid,
    origin: row.origin,
    kind: row.kind,
    room_id: row.roomId === '' ? null : row.roomId,
    event_id: null,
    json: JSON.stringify(row.value),
    received_ts: row.receivedTs,
    attempts: row.attempts,
    next_try_ts: null,
    dead_reason: row.deadReason,
  };
}
