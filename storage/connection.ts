import type { DataSource, QueryRunner } from 'typeorm';
import { PreparedStatements, type SqliteHandle } from './prepared-statements.ts';
import type { DatabaseKind } from './schema/entities.ts';
import { bindable, chunks, numberPlaceholders, type Parameter } from './sql.ts';
import { unescapeRows } from './text.ts';

/** SQL with `?` placeholders on either database. Texts are escaped on the way in and unescaped on the way out. */
export interface SqlConnection {
  readonly kind: DatabaseKind;
  /** Rows of a query (or of a RETURNING clause). */
  query<T>(sql: string, params?: readonly Parameter[]): Promise<T[]>;
  /** Runs a statement; gives the number of rows it touched. */
  run(sql: string, params?: readonly Parameter[]): Promise<number>;
  /** Runs a change of many rows; `sqlFor` is its text for so many of them. Gives the number of rows it touched. */
  runRows(sqlFor: (rows: number) => string, rows: readonly (readonly Parameter[])[]): Promise<number>;
}

/** The writer's one physical connection. */
export interface WritingConnection extends SqlConnection {
  release(): Promise<void>;
}

/**
 * On SQLite. It runs statements on the connection that TypeORM has opened: with a row in each call of a prepared
 * statement a batch takes half the time that it takes with many rows in one, and a call through TypeORM costs more
 * than the row (ADR 14).
 */
export class SqliteConnection implements WritingConnection {
  readonly kind = 'sqlite';
  readonly #statements: PreparedStatements;

  constructor(handle: SqliteHandle) {
    this.#statements = new PreparedStatements(handle);
  }

  async query<T>(sql: string, params: readonly Parameter[] = []): Promise<T[]> {
    return unescapeRows<T>(this.#statements.all<T>(sql, bindable(params)));
  }

  async run(sql: string, params: readonly Parameter[] = []): Promise<number> {
    return this.#statements.run(sql, bindable(params));
  }

  async runRows(sqlFor: (rows: number) => string, rows: readonly (readonly Parameter[])[]): Promise<number> {
    const sql = sqlFor(1);
    let touched = 0;
    for (const row of rows) touched += this.#statements.run(sql, bindable(row));
    return touched;
  }

  /** The connection is the source's, which closes it. */
  async release(): Promise<void> {}
}

/** Rows in one statement. Powers of two, so that few different statements are prepared. */
const maxRows = 128;

/** On PostgreSQL, where each statement is a round trip. */
export class PostgresConnection implements WritingConnection {
  readonly kind = 'postgres';
  readonly #runner: QueryRunner;
  readonly #texts = new NumberedTexts();

  constructor(runner: QueryRunner) {
    this.#runner = runner;
  }

  async query<T>(sql: string, params: readonly Parameter[] = []): Promise<T[]> {
    const result = await this.#runner.query(this.#texts.of(sql), bindable(params), true);
    return unescapeRows<T>(result.records);
  }

  async run(sql: string, params: readonly Parameter[] = []): Promise<number> {
    const result = await this.#runner.query(this.#texts.of(sql), bindable(params), true);
    return result.affected ?? 0;
  }

  async runRows(sqlFor: (rows: number) => string, rows: readonly (readonly Parameter[])[]): Promise<number> {
    let touched = 0;
    for (const chunk of chunks(rows, maxRows)) touched += await this.run(sqlFor(chunk.length), chunk.flat());
    return touched;
  }

  async release(): Promise<void> {
    await this.#runner.release();
  }
}

/** The read-only source: on SQLite one connection, on PostgreSQL a pool. */
export class Reader {
  readonly kind: DatabaseKind;
  readonly #all: <T>(sql: string, params: Parameter[]) => T[] | Promise<T[]>;
  readonly #translate: (error: unknown) => unknown;

  private constructor(
    kind: DatabaseKind,
    all: <T>(sql: string, params: Parameter[]) => T[] | Promise<T[]>,
    translate: (error: unknown) => unknown,
  ) {
    this.kind = kind;
    this.#all = all;
    this.#translate = translate;
  }

  static ofSqlite(handle: SqliteHandle, translate: (error: unknown) => unknown): Reader {
    const statements = new PreparedStatements(handle);
    return new Reader('sqlite', (sql, params) => statements.all(sql, params), translate);
  }

  static ofPostgres(source: DataSource, translate: (error: unknown) => unknown): Reader {
    const texts = new NumberedTexts();
    return new Reader('postgres', (sql, params) => source.query(texts.of(sql), params), translate);
  }

  /** Rows of a query with `?` placeholders. Rejects with StorageError for trouble outside of the program. */
  async query<T>(sql: string, params: readonly Parameter[] = []): Promise<T[]> {
    try {
      return unescapeRows(await this.#all<T>(sql, bindable(params)));
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /** The first row, if there is one. */
  async first<T>(sql: string, params: readonly Parameter[] = []): Promise<T | undefined> {
    return (await this.query<T>(sql, params))[0];
  }
}

const maxTexts = 1_000;

/** PostgreSQL's form of statements, made once. */
class NumberedTexts {
  readonly #texts = new Map<string, string>();

  of(sql: string): string {
    const known = this.#texts.get(sql);
    if (known !== undefined) return known;
    if (this.#texts.size >= maxTexts) this.#texts.clear();
    const text = numberPlaceholders(sql);
    this.#texts.set(sql, text);
    return text;
  }
}
