import { type JsonValue, parseJson } from '../../protocol/json.ts';
import type { Database } from '../../storage/database.ts';
import type { StagedRecord } from '../../storage/stores/inbox-store.ts';
import type { WriteOp } from '../../storage/writer.ts';
import type { LaneHeader, LanePlace } from '../lanes.ts';

const pageLength = 1_000;

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
    return row === undefined ? undefined : { epoch: row.epoch, sequence: row.lastSeq };
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
    const { inbox, writer } = this.#db;
    const lane =
      header === undefined
        ? []
        : inbox.putLane({ origin, lane: header.lane, epoch: header.epoch, lastSeq: header.last });
    await writer.submit({
      label: 'staged',
      ops: [
        ...inbox.stage(staging.rows.map(recordOf)),
        ...inbox.addTransaction({ origin, txnId, digest, response, receivedTs }),
        ...lane,
      ],
    });
  }

  /** Forgets the answers of transactions received before a time; a repetition is then known by its numbers. */
  async forgetTransactions(before: number): Promise<void> {
    const { inbox, writer } = this.#db;
    for (;;) {
      const old = await inbox.transactionsBefore(before, pageLength);
      if (old.length === 0) return;
      const ops = old.flatMap(({ origin, txnId }) => inbox.removeTransaction(origin, txnId));
      await writer.submit({ label: 'old transactions forgotten', ops });
    }
  }

  /** Rows that are neither done nor dead, in the order of their arrival. */
  async unfinished(): Promise<StagedRow[]> {
    const found: StagedRow[] = [];
    for (;;) {
      const page = await this.#db.inbox.staged(found.at(-1)?.nid ?? 0, pageLength);
      for (const record of page) found.push(rowOf(record));
      if (page.length < pageLength) return found;
    }
  }

  /** The ops with which a row is done. */
  removeOps(row: StagedRow): WriteOp[] {
    return this.#db.inbox.remove(row.nid);
  }

  async remove(row: StagedRow): Promise<void> {
    await this.#db.writer.submit({ label: 'staged row done', ops: this.removeOps(row) });
  }

  async putOff(row: StagedRow): Promise<void> {
    const ops = this.#db.inbox.retryLater(row.nid, row.attempts, row.nextTryTs);
    await this.#db.writer.submit({ label: 'staged row put off', ops });
  }

  /** Makes a row a dead letter, for an admin to see. It may be gone already: the room had no use for it. */
  async bury(row: StagedRow, reason: string): Promise<void> {
    const { inbox, writer } = this.#db;
    const dead = recordOf({ ...row, deadReason: reason.slice(0, 1_000) });
    await writer.submit({ label: 'dead letter', ops: [...inbox.remove(row.nid), ...inbox.stage([dead])] });
  }
}

function recordOf(row: StagedRow): StagedRecord {
  return {
    nid: row.nid,
    origin: row.origin,
    kind: row.kind,
    roomId: row.roomId === '' ? null : row.roomId,
    eventId: null,
    json: JSON.stringify(row.value),
    receivedTs: row.receivedTs,
    attempts: row.attempts,
    nextTryTs: null,
    deadReason: row.deadReason,
  };
}

function rowOf(record: StagedRecord): StagedRow {
  return {
    nid: record.nid,
    origin: record.origin,
    kind: record.kind,
    roomId: record.roomId ?? '',
    value: parseJson(record.json),
    receivedTs: record.receivedTs,
    attempts: record.attempts,
    nextTryTs: record.nextTryTs ?? 0,
    deadReason: record.deadReason,
  };
}
