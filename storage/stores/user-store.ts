import type { Reader } from '../connection.ts';
import type { UserRow } from '../schema/user-tables.ts';
import { inLists } from '../sql.ts';
import type { Row, WriteOp } from '../write-set.ts';

export interface UserRecord {
  readonly localpart: string;
  /** Argon2id; null: no login by password. */
  readonly passwordHash: string | null;
  readonly deactivated: boolean;
  readonly createdTs: number;
  readonly displayName: string | null;
  readonly avatarUrl: string | null;
}

/** Our own users, by local part. */
export class UserStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  async get(localpart: string): Promise<UserRecord | undefined> {
    return (await this.getMany([localpart])).get(localpart);
  }

  async getMany(localparts: Iterable<string>): Promise<Map<string, UserRecord>> {
    const users = new Map<string, UserRecord>();
    for (const { placeholders, params } of inLists(localparts)) {
      const rows = await this.#reader.query<UserRow>(
        `SELECT * FROM users WHERE localpart IN (${placeholders})`,
        params,
      );
      for (const row of rows) users.set(row.localpart, toUser(row));
    }
    return users;
  }

  /** A page of all users by local part, those after `after`. */
  async list(after = '', limit = 1_000): Promise<UserRecord[]> {
    const rows = await this.#reader.query<UserRow>(
      'SELECT * FROM users WHERE localpart > ? ORDER BY localpart LIMIT ?',
      [after, limit],
    );
    return rows.map(toUser);
  }

  async count(): Promise<number> {
    const row = await this.#reader.first<{ count: number }>('SELECT COUNT(*) AS count FROM users');
    return row?.count ?? 0;
  }

  /** The write set is refused with `DuplicateRow` if the name is taken. */
  insert(user: UserRecord): WriteOp[] {
    const row = {
      localpart: user.localpart,
      password_hash: user.passwordHash,
      deactivated: user.deactivated ? 1 : 0,
      created_ts: user.createdTs,
      display_name: user.displayName,
      avatar_url: user.avatarUrl,
    };
    return [{ kind: 'insert', table: 'users', rows: [row] }];
  }

  /** What is absent stays. */
  update(localpart: string, change: Partial<Omit<UserRecord, 'localpart' | 'createdTs'>>): WriteOp[] {
    const set: Row = {};
    if (change.passwordHash !== undefined) set['password_hash'] = change.passwordHash;
    if (change.deactivated !== undefined) set['deactivated'] = change.deactivated ? 1 : 0;
    if (change.displayName !== undefined) set['display_name'] = change.displayName;
    if (change.avatarUrl !== undefined) set['avatar_url'] = change.avatarUrl;
    return [{ kind: 'update', table: 'users', set, where: { localpart } }];
  }
}

function toUser(row: UserRow): UserRecord {
  return {
    localpart: row.localpart,
    passwordHash: row.password_hash,
    deactivated: row.deactivated === 1,
    createdTs: row.created_ts,
    displayName: row.display_name,
    avatarUrl: row.avatar_url,
  };
}
