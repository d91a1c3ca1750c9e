import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SqlConnection } from './connection.ts';
import { RoomConflict } from './errors.ts';
import { tables } from './schema/entities.ts';
import type { Parameter } from './sql.ts';
import { deleteSql, insertSql, updateSql, upsertSql } from './statements.ts';
import { Position, type Row, type Value, type WriteOp, type WriteSet } from './write-set.ts';

/** Rows of one kind of change to one table, which become one statement (or a few). */
interface Group {
  readonly kind: WriteOp['kind'];
  readonly table: string;
  /** Of inserts and upserts: all columns; of updates: set, then where; of deletes: where. */
  readonly columns: readonly string[];
  /** The first so many columns are set; the others identify the row (updates). */
  readonly setCount: number;
  readonly key: readonly string[];
  readonly orIgnore: boolean;
  /** Columns that have to be null (updates and deletes). */
  readonly nulls: readonly string[];
  readonly rows: Value[][];
}

type Form = Pick<Group, 'columns' | 'setCount' | 'key' | 'orIgnore' | 'nulls'>;

/** After so many rows other work gets a turn: a big room's state must not stop the island. */
const rowsPerTurn = 2_048;
/** Any number that no other user of the database takes. */
const positionLock = 7_268_403;

/**
 * Write sets on their way into one transaction. Changes to one table keep their order; changes to different
 * tables may trade places, which nobody can tell (there are no foreign keys and no triggers).
 */
export class WriteBatch {
  readonly tables = new Set<string>();
  readonly #groups: Group[] = [];
  readonly #last = new Map<string, Group>();
  readonly #rooms = new Map<number, { expected: number; next: number }>();
  readonly #positions = new Map<Position, number>();
  readonly #next: Position[] = [];
  readonly #backfilled: Position[] = [];
  #chainBroken: number | undefined;

  add(set: WriteSet): void {
    this.addOps(set.ops);
    for (const note of set.notes ?? []) if (note.position instanceof Position) this.#see(note.position);
    if (set.room === undefined) return;
    const { roomNid, expectedRevision } = set.room;
    const room = this.#rooms.get(roomNid);
    if (room === undefined)
      this.#rooms.set(roomNid, { expected: expectedRevision, next: expectedRevision + 1 });
    else if (room.next === expectedRevision) room.next += 1;
    else this.#chainBroken = roomNid;
  }

  addOps(ops: readonly WriteOp[]): void {
    for (const op of ops) this.#addOp(op);
  }

  /** How many forward positions were asked for so far. */
  get positionCount(): number {
    return this.#next.length;
  }

  /** Highest position given to the sets so far; undefined before `execute`, or where there is none. */
  numberOf(index: number): number | undefined {
    const position = this.#next[index];
    return position === undefined ? undefined : this.#positions.get(position);
  }

  positionOf(position: Position): number {
    const number = this.#positions.get(position);
    if (number === undefined || Number.isNaN(number))
      throw new Error('This position is not of this write set');
    return number;
  }

  /** Runs everything inside the transaction that is open on `connection`. */
  async execute(connection: SqlConnection): Promise<void> {
    if (this.#chainBroken !== undefined) throw new RoomConflict(this.#chainBroken);
    await this.#takePositions(connection);
    let written = 0;
    for (const group of this.#groups) {
      const rows = distinct(group);
      for (let start = 0; start < rows.length; start += rowsPerTurn) {
        const some = rows.slice(start, start + rowsPerTurn).map((row) => this.#parameters(row));
        await connection.runRows((count) => sqlOf(group, count, connection.kind), some);
        written += some.length;
        if (written < rowsPerTurn) continue;
        written = 0;
        await nextTurn();
      }
    }
    await this.#compareRevisions(connection);
  }

  /** Positions become visible in order: on PostgreSQL a lock is held from here to the commit. */
  async #takePositions(connection: SqlConnection): Promise<void> {
    if (this.#next.length === 0 && this.#backfilled.length === 0) return;
    await lockPositions(connection);
    const take = async (kind: string, positions: readonly Position[], sign: 1 | -1): Promise<void> => {
      if (positions.length === 0) return;
      const first = await takeNumbers(connection, kind, positions.length);
      for (const [index, position] of positions.entries())
        this.#positions.set(position, sign * (first + index));
    };
    await take('position', this.#next, 1);
    await take('backfill', this.#backfilled, -1);
  }

  async #compareRevisions(connection: SqlConnection): Promise<void> {
    if (this.#rooms.size === 0) return;
    const rooms = [...this.#rooms].map(([roomNid, { expected, next }]) => [next, roomNid, expected]);
    const sqlFor = (rows: number): string =>
      updateSql({
        table: 'rooms',
        set: ['revision'],
        where: ['room_nid', 'revision'],
        nulls: [],
        rows,
        kind: connection.kind,
      });
    const touched = await connection.runRows(sqlFor, rooms);
    // With several rooms it is not known which one; set by set there is only one.
    if (touched !== rooms.length) throw new RoomConflict(Number(rooms[0]?.[1]));
  }

  #addOp(op: WriteOp): void {
    this.tables.add(op.table);
    if (op.kind === 'insert' || op.kind === 'upsert') {
      const [first] = op.rows;
      if (first === undefined) return;
      const columns = Object.keys(first);
      const key = op.kind === 'upsert' ? op.key : [];
      const orIgnore = op.kind === 'insert' && op.orIgnore === true;
      const group = this.#group(op, { columns, setCount: columns.length, key, orIgnore, nulls: [] });
      for (const row of op.rows) group.rows.push(this.#values(op.table, row, columns));
      return;
    }
    const set = op.kind === 'update' ? Object.keys(op.set) : [];
    if (op.kind === 'update' && set.length === 0) return;
    const names = Object.keys(op.where);
    if (names.length === 0) throw new Error(`A change of ${op.table} names no rows`);
    // A null is compared differently: it is a part of the statement, not a parameter.
    const nulls = names.filter((name) => op.where[name] === null);
    const where = names.filter((name) => op.where[name] !== null);
    const columns = [...set, ...where];
    const group = this.#group(op, { columns, setCount: set.length, key: [], orIgnore: false, nulls });
    const values = op.kind === 'update' ? this.#values(op.table, op.set, set) : [];
    group.rows.push([...values, ...this.#values(op.table, op.where, where)]);
  }

  /** The group that the change can join: the last one of its table, if it is of the same form. */
  #group(op: WriteOp, form: Form): Group {
    const last = this.#last.get(op.table);
    if (last !== undefined && last.kind === op.kind && isSameForm(last, form)) return last;
    checkColumns(op.table, [...form.columns, ...form.key, ...form.nulls]);
    const group: Group = { kind: op.kind, table: op.table, ...form, rows: [] };
    this.#groups.push(group);
    this.#last.set(op.table, group);
    return group;
  }

  #values(table: string, row: Row, columns: readonly string[]): Value[] {
    const values: Value[] = [];
    for (const name of columns) {
      const value = row[name];
      if (value === undefined) throw new Error(`A row of ${table} has no ${name}`);
      if (value instanceof Position) this.#see(value);
      values.push(value);
    }
    return values;
  }

  #see(position: Position): void {
    if (this.#positions.has(position)) return;
    this.#positions.set(position, Number.NaN);
    (position.kind === 'next' ? this.#next : this.#backfilled).push(position);
  }

  #parameters(row: readonly Value[]): Parameter[] {
    return row.map((value) => (value instanceof Position ? this.positionOf(value) : value));
  }
}

/** Keeps other processes from giving positions until this transaction ends. SQLite has but one writer. */
export async function lockPositions(connection: SqlConnection): Promise<void> {
  if (connection.kind === 'postgres')
    await connection.query('SELECT pg_advisory_xact_lock(CAST(? AS bigint))', [positionLock]);
}

/** Takes `count` numbers of a sequence; gives the first. The row stays locked until the transaction ends. */
export async function takeNumbers(
  connection: Pick<SqlConnection, 'query'>,
  kind: string,
  count: number,
): Promise<number> {
  const [row] = await connection.query<{ next: number }>(
    'UPDATE sequences SET next = next + ? WHERE kind = ? RETURNING next',
    [count, kind],
  );
  if (row === undefined) throw new Error(`There is no sequence ${kind}`);
  return row.next - count;
}

function isSameForm(a: Form, b: Form): boolean {
  return (
    a.setCount === b.setCount &&
    a.orIgnore === b.orIgnore &&
    isSameList(a.columns, b.columns) &&
    isSameList(a.key, b.key) &&
    isSameList(a.nulls, b.nulls)
  );
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}

/** The rows to write: of several upserts or updates of one row only the last counts. */
function distinct(group: Group): readonly Value[][] {
  if (group.rows.length === 1 || group.kind === 'insert') return group.rows;
  const identity =
    group.kind === 'upsert'
      ? group.key.map((name) => group.columns.indexOf(name))
      : group.columns.map((_, index) => index).slice(group.kind === 'update' ? group.setCount : 0);
  const rows = new Map<string, Value[]>();
  for (const row of group.rows) {
    // A placeholder in a key is a row of its own: no two rows share a position by chance.
    const parts = identity.map((index) => row[index]);
    const key = parts.some((part) => part instanceof Position) ? `@${rows.size}` : JSON.stringify(parts);
    rows.delete(key);
    rows.set(key, row);
  }
  return [...rows.values()];
}

function sqlOf(group: Group, rows: number, kind: SqlConnection['kind']): string {
  const { table, columns, setCount, nulls } = group;
  if (group.kind === 'insert') return insertSql(table, columns, rows, group.orIgnore);
  if (group.kind === 'upsert') return upsertSql(table, columns, group.key, rows);
  const shape = { table, set: columns.slice(0, setCount), where: columns.slice(setCount), nulls, rows, kind };
  return group.kind === 'update' ? updateSql(shape) : deleteSql(shape);
}

function checkColumns(name: string, columns: readonly string[]): void {
  const known = tables.get(name);
  if (known === undefined) throw new Error(`There is no table ${name}`);
  for (const column of columns)
    if (known.columns[column] === undefined) throw new Error(`The table ${name} has no column ${column}`);
}
