import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** Why an event is in quarantine. */
export interface QuarantineRecord {
  readonly eventNid: number;
  readonly eventId: string;
  readonly roomId: string;
  readonly sender: string;
  readonly type: string;
  /** As the border named them. */
  readonly violations: readonly {
    readonly code: string;
    readonly message: string;
    readonly rule?: string | undefined;
  }[];
  readonly createdTs: number;
}

/** Events whose content our people are not shown. */
export class QuarantineStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** For the write set that stores the event with its flag. */
  put(eventNid: number, violations: readonly object[], now: number): WriteOp[] {
    const rows = [{ event_nid: eventNid, violations: JSON.stringify(violations), created_ts: now }];
    return [{ kind: 'upsert', table: 'quarantine', key: ['event_nid'], rows }];
  }

  /** Releases an event. */
  remove(eventNid: number): WriteOp[] {
    return [{ kind: 'delete', table: 'quarantine', where: { event_nid: eventNid } }];
  }

  /** The newest first. Index: quarantine_pkey, in whose order events come. */
  async list(limit: number, before = Number.MAX_SAFE_INTEGER): Promise<QuarantineRecord[]> {
    const rows = await this.#reader.query<{
      event_nid: number;
      event_id: string;
      room_id: string;
      sender: string;
      type: string;
      violations: string;
      created_ts: number;
    }>(
      `SELECT q.event_nid, e.event_id, e.sender, e.type, r.room_id, q.violations, q.created_ts FROM quarantine q
       JOIN events e ON e.event_nid = q.event_nid JOIN rooms r ON r.room_nid = e.room_nid
       WHERE q.event_nid < ? ORDER BY q.event_nid DESC LIMIT ?`,
      [before, limit],
    );
    return rows.map((row) => ({
      eventNid: row.event_nid,
      eventId: row.event_id,
      roomId: row.room_id,
      sender: row.sender,
      type: row.type,
      // Only `put` writes the column.
      violations: JSON.parse(row.violations) as QuarantineRecord['violations'],
      createdTs: row.created_ts,
    }));
  }
}
