import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

export type DriftState = 'frozen' | 'left' | 'alarmed' | 'accepted';

/** A server that somebody else let into a room of ours. */
export interface DriftRecord {
  readonly roomId: string;
  readonly server: string;
  /** Whose policy does not want it there. */
  readonly partner: string;
  readonly state: DriftState;
  /** The partner that has still to be told. */
  readonly reportTo: string | null;
  readonly createdTs: number;
}

/** Rooms into which somebody else let a server: few, and all of them in memory where they are asked for. */
export class RoomDriftStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async all(): Promise<DriftRecord[]> {
    const rows = await this.#reader.query<{
      room_id: string;
      server: string;
      partner: string;
      state: string;
      report_to: string | null;
      created_ts: number;
    }>('SELECT * FROM room_drifts ORDER BY room_id, server');
    return rows.map((row) => ({
      roomId: row.room_id,
      server: row.server,
      partner: row.partner,
      // Only `put` writes the column.
      state: row.state as DriftState,
      reportTo: row.report_to,
      createdTs: row.created_ts,
    }));
  }

  put(record: DriftRecord): WriteOp[] {
    const row = {
      room_id: record.roomId,
      server: record.server,
      partner: record.partner,
      state: record.state,
      report_to: record.reportTo,
      created_ts: record.createdTs,
    };
    return [{ kind: 'upsert', table: 'room_drifts', key: ['room_id', 'server'], rows: [row] }];
  }

  remove(roomId: string, server: string): WriteOp[] {
    return [{ kind: 'delete', table: 'room_drifts', where: { room_id: roomId, server } }];
  }
}
