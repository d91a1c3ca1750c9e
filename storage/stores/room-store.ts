import type { Reader } from '../connection.ts';
import type { RoomRow } from '../schema/room-tables.ts';
import { inLists } from '../sql.ts';
import type { Row, WriteOp } from '../write-set.ts';

export interface RoomRecord {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: string;
  readonly revision: number;
  /** The current, resolved state; null: none yet. */
  readonly stateGroup: number | null;
  /** Event ids of the forward extremities. */
  readonly extremities: readonly string[];
  /** Servers through which the room was joined. */
  readonly joinedVia: readonly string[] | null;
  readonly createdTs: number;
}

/** The rooms that we hold. */
export class RoomStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Index: rooms_room_id. */
  async get(roomId: string): Promise<RoomRecord | undefined> {
    return (await this.getMany([roomId])).get(roomId);
  }

  async getMany(roomIds: Iterable<string>): Promise<Map<string, RoomRecord>> {
    const rooms = new Map<string, RoomRecord>();
    for (const { placeholders, params } of inLists(roomIds)) {
      const rows = await this.#reader.query<RoomRow>(
        `SELECT * FROM rooms WHERE room_id IN (${placeholders})`,
        params,
      );
      for (const row of rows) rooms.set(row.room_id, toRoom(row));
    }
    return rooms;
  }

  async byNid(roomNid: number): Promise<RoomRecord | undefined> {
    return (await this.byNids([roomNid])).get(roomNid);
  }

  async byNids(roomNids: Iterable<number>): Promise<Map<number, RoomRecord>> {
    const rooms = new Map<number, RoomRecord>();
    for (const { placeholders, params } of inLists(roomNids)) {
      const rows = await this.#reader.query<RoomRow>(
        `SELECT * FROM rooms WHERE room_nid IN (${placeholders})`,
        params,
      );
      for (const row of rows) rooms.set(row.room_nid, toRoom(row));
    }
    return rooms;
  }

  /** Ids of all rooms, for administration. */
  async allIds(): Promise<string[]> {
    const rows = await this.#reader.query<{ room_id: string }>('SELECT room_id FROM rooms ORDER BY room_nid');
    return rows.map((row) => row.room_id);
  }

  /** `revision` starts as the `expectedRevision` of the write set that this goes into. */
  insert(room: RoomRecord): WriteOp[] {
    const row: Row = {
      room_nid: room.roomNid,
      room_id: room.roomId,
      version: room.version,
      revision: room.revision,
      state_group: room.stateGroup,
      extremities: JSON.stringify(room.extremities),
      joined_via: room.joinedVia === null ? null : JSON.stringify(room.joinedVia),
      created_ts: room.createdTs,
    };
    return [{ kind: 'insert', table: 'rooms', rows: [row] }];
  }

  /** What is absent stays. */
  update(
    roomNid: number,
    change: {
      readonly stateGroup?: number | null;
      readonly extremities?: readonly string[];
      readonly joinedVia?: readonly string[] | null;
    },
  ): WriteOp[] {
    const set: Row = {};
    if (change.stateGroup !== undefined) set['state_group'] = change.stateGroup;
    if (change.extremities !== undefined) set['extremities'] = JSON.stringify(change.extremities);
    if (change.joinedVia !== undefined)
      set['joined_via'] = change.joinedVia === null ? null : JSON.stringify(change.joinedVia);
    return [{ kind: 'update', table: 'rooms', set, where: { room_nid: roomNid } }];
  }
}

function toRoom(row: RoomRow): RoomRecord {
  return {
    roomNid: row.room_nid,
    roomId: row.room_id,
    version: row.version,
    revision: row.revision,
    stateGroup: row.state_group,
    extremities: JSON.parse(row.extremities),
    joinedVia: row.joined_via === null ? null : JSON.parse(row.joined_via),
    createdTs: row.created_ts,
  };
}
