import type { Reader } from '../connection.ts';
import type { ReceiptRow } from '../schema/user-tables.ts';
import { inLists } from '../sql.ts';
import { nextPosition, type Position, type WriteOp } from '../write-set.ts';

export interface ReceiptRecord {
  readonly roomNid: number;
  readonly userId: string;
  /** m.read, m.read.private, m.fully_read */
  readonly receiptType: string;
  /** '' for a receipt that is of no thread. */
  readonly threadId: string;
  readonly eventId: string;
  readonly ts: number;
  /** `streamPos` of the event. */
  readonly eventPos: number;
  readonly streamPos: number;
}

/** How far people have read. */
export class ReceiptStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** A user's receipts in a room. Index: the key. */
  async ofUser(roomNid: number, userId: string): Promise<ReceiptRecord[]> {
    const rows = await this.#reader.query<ReceiptRow>(
      'SELECT * FROM receipts WHERE room_nid = ? AND user_id = ?',
      [roomNid, userId],
    );
    return rows.map(toReceipt);
  }

  /** A user's receipts in many rooms. */
  async ofUserIn(roomNids: Iterable<number>, userId: string): Promise<ReceiptRecord[]> {
    const receipts: ReceiptRecord[] = [];
    for (const { placeholders, params } of inLists(roomNids)) {
      const rows = await this.#reader.query<ReceiptRow>(
        `SELECT * FROM receipts WHERE room_nid IN (${placeholders}) AND user_id = ?`,
        [...params, userId],
      );
      receipts.push(...rows.map(toReceipt));
    }
    return receipts;
  }

  /** Receipts of rooms that came after a position (-1: all). Index: receipts_stream. */
  async changes(roomNids: Iterable<number>, after: number, upTo: number): Promise<ReceiptRecord[]> {
    const receipts: ReceiptRecord[] = [];
    for (const { placeholders, params } of inLists(roomNids)) {
      const rows = await this.#reader.query<ReceiptRow>(
        `SELECT * FROM receipts WHERE room_nid IN (${placeholders}) AND stream_pos > ? AND stream_pos <= ?`,
        [...params, after, upTo],
      );
      receipts.push(...rows.map(toReceipt));
    }
    return receipts.sort((a, b) => a.streamPos - b.streamPos);
  }

  put(receipt: Omit<ReceiptRecord, 'streamPos'>, position: Position = nextPosition()): WriteOp[] {
    const row = {
      room_nid: receipt.roomNid,
      user_id: receipt.userId,
      receipt_type: receipt.receiptType,
      thread_id: receipt.threadId,
      event_id: receipt.eventId,
      ts: receipt.ts,
      event_pos: receipt.eventPos,
      stream_pos: position,
    };
    const key = ['room_nid', 'user_id', 'receipt_type', 'thread_id'];
    return [{ kind: 'upsert', table: 'receipts', key, rows: [row] }];
  }
}

function toReceipt(row: ReceiptRow): ReceiptRecord {
  return {
    roomNid: row.room_nid,
    userId: row.user_id,
    receiptType: row.receipt_type,
    threadId: row.thread_id,
    eventId: row.event_id,
    ts: row.ts,
    eventPos: row.event_pos,
    streamPos: row.stream_pos,
  };
}
