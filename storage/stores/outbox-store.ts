import type { Reader } from '../connection.ts';
import type { OutboxLaneRow, OutboxRow, OutboxTransactionRow } from '../schema/federation-tables.ts';
import { inLists } from '../sql.ts';
import type { Position, WriteOp } from '../write-set.ts';

/** One thing to deliver: an event by its id, or the JSON text of an EDU. */
export interface OutboxRecord {
  readonly destination: string;
  readonly lane: string;
  readonly position: number;
  readonly eventId: string | null;
  readonly edu: string | null;
  /** EDUs of which only the newest counts share a key. */
  readonly dedupKey: string | null;
}

export interface NewOutboxItem {
  readonly destination: string;
  readonly lane: string;
  readonly position: Position | number;
  readonly eventId?: string;
  readonly edu?: string;
  readonly dedupKey?: string;
}

export interface OutboxLane {
  readonly destination: string;
  readonly lane: string;
  readonly epoch: string;
  /** The sequence number that the next item gets. */
  readonly nextSeq: number;
  /** The highest sequence number whose acknowledgement is on disk. */
  readonly ackedSeq: number;
  /** The highest outbox position that a transaction holds or held; rows above it are not bound yet. */
  readonly boundPos: number;
}

/** A transaction whose boundaries are fixed. */
export interface OutboxTransaction {
  readonly destination: string;
  readonly lane: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly txnId: string;
  readonly epoch: string;
  /** JSON text: the ordered list of what is in it. */
  readonly items: string;
}

/** What is to be delivered to partners: rows, lanes, and transactions that are under way. */
export class OutboxStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Rows of a lane after a position, in order. Index: the key. */
  async pending(destination: string, lane: string, after: number, limit: number): Promise<OutboxRecord[]> {
    const rows = await this.#reader.query<OutboxRow>(
      'SELECT * FROM outbox WHERE destination = ? AND lane = ? AND position > ? ORDER BY position LIMIT ?',
      [destination, lane, after, limit],
    );
    return rows.map(toItem);
  }

  /** The rows at these positions, in order; those that are gone are left out. */
  async at(destination: string, lane: string, positions: Iterable<number>): Promise<OutboxRecord[]> {
    const items: OutboxRecord[] = [];
    for (const { placeholders, params } of inLists(positions)) {
      const rows = await this.#reader.query<OutboxRow>(
        `SELECT * FROM outbox WHERE destination = ? AND lane = ? AND position IN (${placeholders}) ORDER BY position`,
        [destination, lane, ...params],
      );
      items.push(...rows.map(toItem));
    }
    return items.sort((a, b) => a.position - b.position);
  }

  /** Lanes with rows, and how many. */
  async counts(): Promise<{ destination: string; lane: string; count: number }[]> {
    return this.#reader.query(
      'SELECT destination, lane, COUNT(*) AS count FROM outbox GROUP BY destination, lane ORDER BY destination, lane',
    );
  }

  enqueue(items: readonly NewOutboxItem[]): WriteOp[] {
    if (items.length === 0) return [];
    const rows = items.map((item) => ({
      destination: item.destination,
      lane: item.lane,
      position: item.position,
      event_id: item.eventId ?? null,
      edu: item.edu ?? null,
      dedup_key: item.dedupKey ?? null,
    }));
    return [{ kind: 'insert', table: 'outbox', rows }];
  }

  removeAt(destination: string, lane: string, positions: Iterable<number>): WriteOp[] {
    return [...positions].map((position) => ({
      kind: 'delete',
      table: 'outbox',
      where: { destination, lane, position },
    }));
  }

  async lane(destination: string, lane: string): Promise<OutboxLane | undefined> {
    const row = await this.#reader.first<OutboxLaneRow>(
      'SELECT * FROM outbox_lanes WHERE destination = ? AND lane = ?',
      [destination, lane],
    );
    return row === undefined ? undefined : toLane(row);
  }

  async lanes(): Promise<OutboxLane[]> {
    const rows = await this.#reader.query<OutboxLaneRow>(
      'SELECT * FROM outbox_lanes ORDER BY destination, lane',
    );
    return rows.map(toLane);
  }

  putLane(lane: OutboxLane): WriteOp[] {
    const row = {
      destination: lane.destination,
      lane: lane.lane,
      epoch: lane.epoch,
      next_seq: lane.nextSeq,
      acked_seq: lane.ackedSeq,
      bound_pos: lane.boundPos,
    };
    return [{ kind: 'upsert', table: 'outbox_lanes', key: ['destination', 'lane'], rows: [row] }];
  }

  /** Transactions of a lane that are not acknowledged, in order. */
  async transactions(destination: string, lane: string): Promise<OutboxTransaction[]> {
    const rows = await this.#reader.query<OutboxTransactionRow>(
      'SELECT * FROM outbox_transactions WHERE destination = ? AND lane = ? ORDER BY first_seq',
      [destination, lane],
    );
    return rows.map((row) => ({
      destination: row.destination,
      lane: row.lane,
      firstSeq: row.first_seq,
      lastSeq: row.last_seq,
      txnId: row.txn_id,
      epoch: row.epoch,
      items: row.items,
    }));
  }

  addTransaction(transaction: OutboxTransaction): WriteOp[] {
    const row = {
      destination: transaction.destination,
      lane: transaction.lane,
      first_seq: transaction.firstSeq,
      last_seq: transaction.lastSeq,
      txn_id: transaction.txnId,
      epoch: transaction.epoch,
      items: transaction.items,
    };
    return [{ kind: 'insert', table: 'outbox_transactions', rows: [row] }];
  }

  removeTransaction(destination: string, lane: string, firstSeq: number): WriteOp[] {
    return [
      { kind: 'delete', table: 'outbox_transactions', where: { destination, lane, first_seq: firstSeq } },
    ];
  }

  /** All of a lane's: when a new epoch begins. */
  removeTransactions(destination: string, lane: string): WriteOp[] {
    return [{ kind: 'delete', table: 'outbox_transactions', where: { destination, lane } }];
  }

  async retiredEpochs(destination: string, lane: string): Promise<Set<string>> {
    const rows = await this.#reader.query<{ epoch: string }>(
      'SELECT epoch FROM retired_epochs WHERE destination = ? AND lane = ?',
      [destination, lane],
    );
    return new Set(rows.map((row) => row.epoch));
  }

  retireEpoch(destination: string, lane: string, epoch: string): WriteOp[] {
    return [
      { kind: 'insert', table: 'retired_epochs', rows: [{ destination, lane, epoch }], orIgnore: true },
    ];
  }
}

function toItem(row: OutboxRow): OutboxRecord {
  return {
    destination: row.destination,
    lane: row.lane,
    position: row.position,
    eventId: row.event_id,
    edu: row.edu,
    dedupKey: row.dedup_key,
  };
}

function toLane(row: OutboxLaneRow): OutboxLane {
  return {
    destination: row.destination,
    lane: row.lane,
    epoch: row.epoch,
    nextSeq: row.next_seq,
    ackedSeq: row.acked_seq,
    boundPos: row.bound_pos,
  };
}
