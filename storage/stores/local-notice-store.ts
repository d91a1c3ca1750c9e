import type { Reader } from '../connection.ts';
import type { localNotices } from '../schema/notice-tables.ts';
import type { RowOf } from '../schema/table.ts';
import { inLists } from '../sql.ts';
import type { Position, WriteOp } from '../write-set.ts';
import type { TimelineQuery } from './event-store.ts';

/** A notice in a room's timeline that is no event. */
export interface LocalNoticeRecord {
  readonly eventId: string;
  readonly roomNid: number;
  readonly roomId: string;
  readonly streamPos: number;
  /** Milliseconds since the epoch. */
  readonly ts: number;
  readonly sender: string;
  /** JSON text. */
  readonly content: string;
}

export interface NewLocalNotice extends Omit<LocalNoticeRecord, 'streamPos' | 'roomId'> {
  readonly position: Position;
  /** What it is about: a second one in the same room is ignored. */
  readonly cause: string;
}

type Row = RowOf<typeof localNotices> & { room_id: string };

const from = 'SELECT n.*, r.room_id FROM local_notices n JOIN rooms r ON r.room_nid = n.room_nid';

/** Notices between the events of rooms. */
export class LocalNoticeStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Those in a range of a room's timeline. Index: local_notices_room. */
  async timeline(roomNid: number, query: TimelineQuery): Promise<LocalNoticeRecord[]> {
    const conditions = ['n.room_nid = ?'];
    const params: number[] = [roomNid];
    const bounds = [
      ['>', query.after],
      ['<', query.before],
      ['<=', query.upTo],
    ] as const;
    for (const [operator, value] of bounds) {
      if (value === undefined) continue;
      conditions.push(`n.stream_pos ${operator} ?`);
      params.push(value);
    }
    const order = query.dir === 'b' ? 'DESC' : 'ASC';
    const rows = await this.#reader.query<Row>(
      `${from} WHERE ${conditions.join(' AND ')} ORDER BY n.stream_pos ${order} LIMIT ?`,
      [...params, query.limit],
    );
    return rows.map(toRecord);
  }

  async getMany(eventIds: Iterable<string>): Promise<LocalNoticeRecord[]> {
    const found: LocalNoticeRecord[] = [];
    for (const { placeholders, params } of inLists(eventIds)) {
      const rows = await this.#reader.query<Row>(`${from} WHERE n.event_id IN (${placeholders})`, params);
      found.push(...rows.map(toRecord));
    }
    return found;
  }

  /** The position of the last one of each room that has any. Index: local_notices_room. */
  async latest(): Promise<Map<number, number>> {
    const rows = await this.#reader.query<{ room_nid: number; position: number }>(
      'SELECT room_nid, MAX(stream_pos) AS position FROM local_notices GROUP BY room_nid',
    );
    return new Map(rows.map((row) => [row.room_nid, row.position]));
  }

  /** The rooms that were told of something. Index: local_notices_cause. */
  async roomsOf(cause: string): Promise<{ roomNid: number; roomId: string }[]> {
    const rows = await this.#reader.query<{ room_nid: number; room_id: string }>(
      'SELECT n.room_nid, r.room_id FROM local_notices n JOIN rooms r ON r.room_nid = n.room_nid WHERE n.cause = ? ORDER BY n.room_nid',
      [cause],
    );
    return rows.map((row) => ({ roomNid: row.room_nid, roomId: row.room_id }));
  }

  add(notices: readonly NewLocalNotice[]): WriteOp[] {
    const rows = notices.map((notice) => ({
      event_id: notice.eventId,
      room_nid: notice.roomNid,
      stream_pos: notice.position,
      ts: notice.ts,
      sender: notice.sender,
      content: notice.content,
      cause: notice.cause,
    }));
    return [{ kind: 'insert', table: 'local_notices', rows, orIgnore: true }];
  }
}

function toRecord(row: Row): LocalNoticeRecord {
  return {
    eventId: row.event_id,
    roomNid: row.room_nid,
    roomId: row.room_id,
    streamPos: row.stream_pos,
    ts: row.ts,
    sender: row.sender,
    content: row.content,
  };
}
