import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** Something that a user is still to be told. */
export interface PendingNotice {
  readonly userId: string;
  /** What it is about: a user is told of each once. */
  readonly cause: string;
  /** JSON text. */
  readonly notice: string;
  /** Milliseconds since the epoch. */
  readonly createdTs: number;
}

/** Server notices that wait to be sent. */
export class ServerNoticeStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** The oldest first, those after one of them. Index: server_notices_created. */
  async waiting(limit: number, after?: PendingNotice): Promise<PendingNotice[]> {
    const rows = await this.#reader.query<{
      user_id: string;
      cause: string;
      notice: string;
      created_ts: number;
    }>(
      'SELECT * FROM server_notices WHERE (created_ts, user_id, cause) > (?, ?, ?) ORDER BY created_ts, user_id, cause LIMIT ?',
      [after?.createdTs ?? -1, after?.userId ?? '', after?.cause ?? '', limit],
    );
    return rows.map((row) => ({
      userId: row.user_id,
      cause: row.cause,
      notice: row.notice,
      createdTs: row.created_ts,
    }));
  }

  put(notices: readonly PendingNotice[]): WriteOp[] {
    const rows = notices.map(({ userId, cause, notice, createdTs }) => ({
      user_id: userId,
      cause,
      notice,
      created_ts: createdTs,
    }));
    return rows.length === 0 ? [] : [{ kind: 'insert', table: 'server_notices', rows, orIgnore: true }];
  }

  sent({ userId, cause }: Pick<PendingNotice, 'userId' | 'cause'>): WriteOp[] {
    return [{ kind: 'delete', table: 'server_notices', where: { user_id: userId, cause } }];
  }
}
