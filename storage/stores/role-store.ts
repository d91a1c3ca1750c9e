import type { Reader } from '../connection.ts';
import type { Tx, WriteOp } from '../writer.ts';

/** Who administers the island, and as what. */
export class RoleStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** The roles of one of our users. */
  async of(localpart: string): Promise<string[]> {
    const rows = await this.#reader.query<{ role: string }>(
      'SELECT role FROM user_roles WHERE localpart = ? ORDER BY role',
      [localpart],
    );
    return rows.map(({ role }) => role);
  }

  /** Roles by local part; who has none is not in it. */
  async all(): Promise<Map<string, string[]>> {
    const roles = new Map<string, string[]>();
    const rows = await this.#reader.query<{ localpart: string; role: string }>(
      'SELECT localpart, role FROM user_roles ORDER BY localpart, role',
    );
    for (const { localpart, role } of rows) {
      const known = roles.get(localpart);
      if (known === undefined) roles.set(localpart, [role]);
      else known.push(role);
    }
    return roles;
  }

  /** How many have a role, as a transaction sees it. Index: user_roles_pkey, whole: few have any. */
  async countIn(tx: Tx, role: string): Promise<number> {
    const [row] = await tx.query<{ count: number }>(
      'SELECT COUNT(*) AS count FROM user_roles WHERE role = ?',
      [role],
    );
    return row?.count ?? 0;
  }

  add(localpart: string, roles: readonly string[]): WriteOp[] {
    if (roles.length === 0) return [];
    const rows = roles.map((role) => ({ localpart, role }));
    return [{ kind: 'insert', table: 'user_roles', rows, orIgnore: true }];
  }

  /** One role, or all. */
  remove(localpart: string, role?: string): WriteOp[] {
    return [
      {
        kind: 'delete',
        table: 'user_roles',
        where: role === undefined ? { localpart } : { localpart, role },
      },
    ];
  }
}
