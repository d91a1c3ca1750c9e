import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { Database } from '../../storage/database.ts';
import type { WriteOp } from '../../storage/writer.ts';
import type { Lane } from '../lanes.ts';
import type { OutboxItem, Transaction } from './transaction.ts';

/** A lane as it is on disk. */
export interface StoredLane {
  readonly epoch: string;
  /** The highest number that was given; 0: none yet. */
  given: number;
  /** The highest number whose acknowledgement is on disk. */
  acked: number;
  /** The highest position that a transaction holds or held. */
  boundPosition: number;
  readonly retired: ReadonlySet<string>;
  /** Not acknowledged, in order. */
  readonly transactions: readonly Transaction[];
}

/** What a lane's record says; written as a whole. */
export type LaneRecord = Pick<StoredLane, 'epoch' | 'given' | 'acked' | 'boundPosition'>;

/** The outbox tables as the senders use them. */
export class LaneStore {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Reads a lane; one that does not exist begins with `newEpoch`. */
  async load(destination: string, lane: Lane, newEpoch: () => string): Promise<StoredLane> {
    const { outbox } = this.#db;
    const record = await outbox.lane(destination, lane);
    if (record === undefined) {
      const epoch = newEpoch();
      const fresh = { epoch, given: 0, acked: 0, boundPosition: 0 };
      await this.write('a lane begins', this.#laneOps(destination, lane, fresh));
      return { ...fresh, retired: new Set(), transactions: [] };
    }
    const transactions = await outbox.transactions(destination, lane);
    return {
      epoch: record.epoch,
      given: record.nextSeq - 1,
      acked: record.ackedSeq,
      boundPosition: record.boundPos,
      retired: await outbox.retiredEpochs(destination, lane),
      transactions: transactions.map((row) => ({
        txnId: row.txnId,
        epoch: row.epoch,
        first: row.firstSeq,
        last: row.lastSeq,
        items: readItems(row.items),
      })),
    };
  }

  /** Rows after a position, oldest first, that no transaction holds. */
  async pending(destination: string, lane: Lane, after: number, limit: number): Promise<OutboxItem[]> {
    const rows = await this.#db.outbox.pending(destination, lane, after, limit);
    return rows.map((row) => itemOf(row.position, row.eventId, row.edu));
  }

  /** Stores a transaction's boundaries; the lane's record then says that its numbers were given. */
  storeBoundaries(destination: string, lane: Lane, transaction: Transaction): Promise<void> {
    const { txnId, epoch, first, last } = transaction;
    return this.write('boundaries', [
      ...this.#db.outbox.addTransaction({
        destination,
        lane,
        firstSeq: first,
        lastSeq: last,
        txnId,
        epoch,
        items: itemsText(transaction.items),
      }),
      {
        kind: 'update',
        table: 'outbox_lanes',
        set: { next_seq: last + 1, bound_pos: transaction.items.at(-1)?.position ?? 0 },
        where: { destination, lane },
      },
    ]);
  }

  /** The rows of acknowledged transactions go, in the commit that notes the acknowledgement. */
  deleteAcknowledged(
    destination: string,
    lane: Lane,
    acked: number,
    transactions: readonly Transaction[],
    also: readonly WriteOp[],
  ): Promise<void> {
    const { outbox } = this.#db;
    return this.write('acknowledged', [
      ...transactions.flatMap((transaction) => [
        ...outbox.removeAt(destination, lane, positionsOf(transaction.items)),
        ...outbox.removeTransaction(destination, lane, transaction.first),
      ]),
      // Only this column: boundaries may be on their way to disk beside it.
      { kind: 'update', table: 'outbox_lanes', set: { acked_seq: acked }, where: { destination, lane } },
      ...also,
    ]);
  }

  /** Takes boundaries back that the partner never took; `dead` items go, the others get new boundaries. */
  withdraw(
    destination: string,
    lane: Lane,
    record: LaneRecord,
    transactions: readonly Transaction[],
    dead: readonly OutboxItem[],
  ): Promise<void> {
    const { outbox } = this.#db;
    return this.write('boundaries withdrawn', [
      ...transactions.flatMap((transaction) =>
        outbox.removeTransaction(destination, lane, transaction.first),
      ),
      ...outbox.removeAt(destination, lane, positionsOf(dead)),
      ...this.#laneOps(destination, lane, record),
    ]);
  }

  /** Retires the epoch: all that is not acknowledged gets new boundaries in the new one. */
  async beginEpoch(destination: string, lane: Lane, old: StoredLane, epoch: string): Promise<StoredLane> {
    const fresh = { epoch, given: 0, acked: 0, boundPosition: 0 };
    const { outbox } = this.#db;
    await this.write('an epoch begins', [
      ...outbox.retireEpoch(destination, lane, old.epoch),
      ...outbox.removeTransactions(destination, lane),
      ...this.#laneOps(destination, lane, fresh),
    ]);
    return { ...fresh, retired: new Set([...old.retired, old.epoch]), transactions: [] };
  }

  #laneOps(destination: string, lane: Lane, record: LaneRecord): WriteOp[] {
    return this.#db.outbox.putLane({
      destination,
      lane,
      epoch: record.epoch,
      nextSeq: record.given + 1,
      ackedSeq: record.acked,
      boundPos: record.boundPosition,
    });
  }

  async write(label: string, ops: WriteOp[]): Promise<void> {
    if (ops.length > 0) await this.#db.writer.submit({ label, ops });
  }
}

function positionsOf(items: readonly OutboxItem[]): number[] {
  return items.map((item) => item.position);
}

function itemOf(position: number, eventId: string | null, edu: string | null): OutboxItem {
  if (eventId !== null) return { position, eventId };
  const value = parseJson(edu ?? '{}');
  return { position, edu: isObject(value) ? value : {} };
}

/** `[[position, event id or EDU], …]`: with the EDUs themselves, since a newer one may replace the row. */
function itemsText(items: readonly OutboxItem[]): string {
  const list: JsonValue[] = items.map((item) => [item.position, 'eventId' in item ? item.eventId : item.edu]);
  return JSON.stringify(list);
}

function readItems(text: string): OutboxItem[] {
  const list = parseJson(text);
  if (!Array.isArray(list)) throw new Error('The items of a stored transaction are damaged');
  return list.map((entry) => {
    const [position, content] = Array.isArray(entry) ? entry : [];
    if (typeof position !== 'number') throw new Error('The items of a stored transaction are damaged');
    if (typeof content === 'string') return { position, eventId: content };
    return { position, edu: isObject(content) ? content : ({} as JsonObject) };
  });
}
