import type { Reader } from '../connection.ts';
import type { RoomAliasRow } from '../schema/room-tables.ts';
import type { WriteOp } from '../write-set.ts';

export interface AliasRecord {
  readonly alias: string;
  readonly roomId: string;
  /** Servers that can help to join. */
  readonly servers: readonly string[];
  /** User id of whoever made it. */
  readonly creator: string;
}

/** Our own room aliases. */
export class AliasStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(alias: string): Promise<AliasRecord | undefined> {
    const row = await this.#reader.first<RoomAliasRow>('SELECT * FROM room_aliases WHERE alias = ?', [alias]);
    return row === undefined ? undefined : toAlias(row);
  }

  /** Index: room_aliases_room. */
  async ofRoom(roomId: string): Promise<AliasRecord[]> {
    const rows = await this.#reader.query<RoomAliasRow>(
      'SELECT * FROM room_aliases WHERE room_id = ? ORDER BY alias',
      [roomId],
    );
    return rows.map(toAlias);
  }

  /** The write set is refused with `DuplicateRow` if the alias is taken. */
  insert(alias: AliasRecord): WriteOp[] {
    const row = {
      alias: alias.alias,
      room_id: alias.roomId,
      servers: JSON.stringify(alias.servers),
      creator: alias.creator,
    };
    return [{ kind: 'insert', table: 'room_aliases', rows: [row] }];
  }

  remove(alias: string): WriteOp[] {
    return [{ kind: 'delete', table: 'room_aliases', where: { alias } }];
  }
}

function toAlias(row: RoomAliasRow): AliasRecord {
  return { alias: row.alias, roomId: row.room_id, servers: JSON.parse(row.servers), creator: row.creator };
}
