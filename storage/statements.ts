import { type DatabaseKind, tables } from './schema/entities.ts';
import { marks } from './sql.ts';

/**
 * The texts of the writer's statements. They depend on the table, the columns and the number of rows only, so
 * that prepared statements are used again.
 */

function valueRows(columns: number, rows: number): string {
  const row = `(${marks(columns)})`;
  return rows === 1 ? row : `${row}${`, ${row}`.repeat(rows - 1)}`;
}

export function insertSql(
  table: string,
  columns: readonly string[],
  rows: number,
  orIgnore: boolean,
): string {
  const conflict = orIgnore ? ' ON CONFLICT DO NOTHING' : '';
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${valueRows(columns.length, rows)}${conflict}`;
}

export function upsertSql(
  table: string,
  columns: readonly string[],
  key: readonly string[],
  rows: number,
): string {
  const assignments = columns
    .filter((name) => !key.includes(name))
    .map((name) => `${name} = excluded.${name}`)
    .join(', ');
  const action = assignments === '' ? 'DO NOTHING' : `DO UPDATE SET ${assignments}`;
  return `${insertSql(table, columns, rows, false)} ON CONFLICT (${key.join(', ')}) ${action}`;
}

interface Change {
  readonly table: string;
  readonly set: readonly string[];
  readonly where: readonly string[];
  /** Columns that have to be null. */
  readonly nulls: readonly string[];
  readonly rows: number;
  readonly kind: DatabaseKind;
}

function isNull(nulls: readonly string[]): string[] {
  return nulls.map((name) => `${name} IS NULL`);
}

/** A list of rows as a table. PostgreSQL has to be told the types of parameters that stand alone. */
function valuesTable(change: Change, columns: readonly string[]): string {
  if (change.kind === 'sqlite') return `VALUES ${valueRows(columns.length, change.rows)}`;
  const types = tables.get(change.table)?.columns ?? {};
  const row = columns.map((name) => `CAST(? AS ${types[name]?.type === 'int' ? 'bigint' : 'text'})`);
  return `VALUES (${row.join(', ')})${`, (${row.join(', ')})`.repeat(change.rows - 1)}`;
}

/** Parameters of each row: what is set, then what identifies it. */
export function updateSql(change: Change): string {
  const { table, set, where, nulls, rows } = change;
  if (rows === 1) {
    const assignments = set.map((name) => `${name} = ?`).join(', ');
    const conditions = [...where.map((name) => `${name} = ?`), ...isNull(nulls)].join(' AND ');
    return `UPDATE ${table} SET ${assignments} WHERE ${conditions}`;
  }
  const assignments = set.map((name, index) => `${name} = v.column${index + 1}`).join(', ');
  const conditions = [
    ...where.map((name, index) => `${table}.${name} = v.column${set.length + index + 1}`),
    ...isNull(nulls.map((name) => `${table}.${name}`)),
  ];
  const values = valuesTable(change, [...set, ...where]);
  return `UPDATE ${table} SET ${assignments} FROM (${values}) AS v WHERE ${conditions.join(' AND ')}`;
}

export function deleteSql(change: Change): string {
  const { table, where, nulls, rows } = change;
  if (rows === 1) {
    const conditions = [...where.map((name) => `${name} = ?`), ...isNull(nulls)].join(' AND ');
    return `DELETE FROM ${table} WHERE ${conditions}`;
  }
  const [only] = where;
  const listed =
    where.length === 1 && only !== undefined
      ? `${only} IN (${marks(rows)})`
      : `(${where.join(', ')}) IN (${valuesTable(change, where)})`;
  return `DELETE FROM ${table} WHERE ${[listed, ...isNull(nulls)].join(' AND ')}`;
}
