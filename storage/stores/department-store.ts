import type { Reader } from '../connection.ts';
import type { WriteOp } from '../write-set.ts';

/** Which departments our people belong to. */
export class DepartmentStore {
  readonly #reader: Reader;

  constructor(reader: Reader) {
    this.#reader = reader;
  }

  /** Departments by local part; who has none is not in it. */
  async all(): Promise<Map<string, string[]>> {
    const departments = new Map<string, string[]>();
    const rows = await this.#reader.query<{ localpart: string; department: string }>(
      'SELECT localpart, department FROM departments ORDER BY localpart, department',
    );
    for (const { localpart, department } of rows) {
      const known = departments.get(localpart);
      if (known === undefined) departments.set(localpart, [department]);
      else known.push(department);
    }
    return departments;
  }

  /** Replaces those of one person. */
  set(localpart: string, departments: readonly string[]): WriteOp[] {
    const rows = [...new Set(departments)].map((department) => ({ localpart, department }));
    const ops: WriteOp[] = [{ kind: 'delete', table: 'departments', where: { localpart } }];
    if (rows.length > 0) ops.push({ kind: 'insert', table: 'departments', rows });
    return ops;
  }
}
