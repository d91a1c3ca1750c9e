import type { Reader } from '../connection.ts';
import type { AccountDataRow } from '../schema/user-tables.ts';
import { nextPosition, type Position, type WriteOp } from '../write-set.ts';

export interface AccountDataRecord {
  readonly userId: string;
  /** '' for global account data. */
  readonly roomId: string;
  readonly type: string;
  /** JSON text. */
  readonly content: string;
  readonly streamPos: number;
}

/** What clients keep with us: global and per room. */
export class AccountDataStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(userId: string, roomId: string, type: string): Promise<AccountDataRecord | undefined> {
    const row = await this.#reader.first<AccountDataRow>(
      'SELECT * FROM account_data WHERE user_id = ? AND room_id = ? AND type = ?',
      [userId, roomId, type],
    );
    return row === undefined ? undefined : toRecord(row);
  }

  /** All that changed after a position (-1: everything). Index: account_data_stream. */
  async changes(userId: string, after: number, upTo: number): Promise<AccountDataRecord[]> {
    const rows = await this.#reader.query<AccountDataRow>(
      'SELECT * FROM account_data WHERE user_id = ? AND stream_pos > ? AND stream_pos <= ? ORDER BY stream_pos',
      [userId, after, upTo],
    );
    return rows.map(toRecord);
  }

  put(data: Omit<AccountDataRecord, 'streamPos'>, position: Position = nextPosition()): WriteOp[] {
    const row = {
      user_id: data.userId,
      room_id: data.roomId,
      type: data.type,
      content: data.content,
      stream_pos: position,
    };
    return [{ kind: 'upsert', table: 'account_data', key: ['user_id', 'room_id', 'type'], rows: [row] }];
  }
}

function toRecord(row: AccountDataRow): AccountDataRecord {
  return {
    userId: row.user_id,
    roomId: row.room_id,
    type: row.type,
    content: row.content,
    streamPos: row.stream_pos,
  };
}
