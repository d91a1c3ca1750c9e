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

  add(localpart: string, department: string): WriteOp[] {
    return [{ kind: 'insert', table: 'departments', rows: [{ localpart, department }], orIgnore: true }];
  }

  remove(localpart: string, department: string): WriteOp[] {
    return [{ kind: 'delete', table: 'departments', where: { localpart, department } }];
  }
}
