/**
 * Describes tables once: the types of their rows, TypeORM's entities and the casts of the writer's statements
 * are made from these descriptions. The migrations are written out by hand and never follow a change here.
 */

type ColumnType = 'int' | 'text';

interface Column {
  readonly type: ColumnType;
  readonly nullable: boolean;
}

export const int = { type: 'int', nullable: false } as const;
export const text = { type: 'text', nullable: false } as const;
export const intOrNull = { type: 'int', nullable: true } as const;
export const textOrNull = { type: 'text', nullable: true } as const;

export type Columns = Readonly<Record<string, Column>>;

export interface Index {
  readonly name: string;
  readonly columns: readonly string[];
  readonly unique?: boolean;
  /** Condition of a partial index. */
  readonly where?: string;
}

export interface Table<C extends Columns = Columns> {
  readonly name: string;
  readonly columns: C;
  /** Columns of the primary key. A single integer is SQLite's rowid. */
  readonly key: readonly string[];
  readonly indexes: readonly Index[];
}

type ValueOf<C extends Column> =
  | (C['type'] extends 'int' ? number : string)
  | (C['nullable'] extends true ? null : never);

/** A row as the database gives it; names as in the database. */
export type RowOf<T extends Table> = { -readonly [K in keyof T['columns']]: ValueOf<T['columns'][K]> };

export function table<const C extends Columns>(
  name: string,
  columns: C,
  key: readonly (keyof C & string)[],
  indexes: readonly Index[] = [],
): Table<C> {
  return { name, columns, key, indexes };
}
