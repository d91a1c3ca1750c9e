import type { DataSource, QueryRunner } from 'typeorm';
import type { DatabaseKind } from './schema/entities.ts';
import { bindable, numberPlaceholders, type Parameter } from './sql.ts';
import { unescapeRows } from './text.ts';

/** SQL with `?` placeholders on either database. Texts are escaped on the way in and unescaped on the way out. */
export interface SqlConnection {
  readonly kind: DatabaseKind;
  /** Rows of a query (or of a RETURNING clause). */
  query<T>(sql: string, params?: readonly Parameter[]): Promise<T[]>;
  /** Runs a statement; gives the number of rows it touched. */
  run(sql: string, params?: readonly Parameter[]): Promise<number>;
}

/** One physical connection: the writer's. */
export class RunnerConnection implements SqlConnection {
  readonly kind: DatabaseKind;
  readonly #runner: QueryRunner;
  readonly #dialect: Dialect;

  constructor(kind: DatabaseKind, runner: QueryRunner) {
    this.kind = kind;
    this.#runner = runner;
    this.#dialect = new Dialect(kind);
  }

  async query<T>(sql: string, params: readonly Parameter[] = []): Promise<T[]> {
    const result = await this.#runner.query(this.#dialect.text(sql), bindable(params), true);
    return unescapeRows<T>(result.records);
  }

  async run(sql: string, params: readonly Parameter[] = []): Promise<number> {
    const result = await this.#runner.query(this.#dialect.text(sql), bindable(params), true);
    return result.affected ?? 0;
  }

  async release(): Promise<void> {
    await this.#runner.release();
  }
}

/** The read-only source: on SQLite one connection, on PostgreSQL a pool. */
export class Reader {
  readonly kind: DatabaseKind;
  readonly #source: DataSource;
  readonly #runner: QueryRunner | undefined;
  readonly #dialect: Dialect;
  readonly #translate: (error: unknown) => unknown;

  constructor(kind: DatabaseKind, source: DataSource, translate: (error: unknown) => unknown) {
    this.kind = kind;
    this.#source = source;
    // SQLite has one connection in any case; keeping its runner spares making one for each query.
    this.#runner = kind === 'sqlite' ? source.createQueryRunner() : undefined;
    this.#dialect = new Dialect(kind);
    this.#translate = translate;
  }

  /** Rows of a query with `?` placeholders. Rejects with StorageError for trouble outside of the program. */
  async query<T>(sql: string, params: readonly Parameter[] = []): Promise<T[]> {
    try {
      const target = this.#runner ?? this.#source;
      const rows: T[] = await target.query(this.#dialect.text(sql), bindable(params));
      return unescapeRows(rows);
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

class Dialect {
  readonly #kind: DatabaseKind;
  readonly #texts = new Map<string, string>();

  constructor(kind: DatabaseKind) {
    this.#kind = kind;
  }

  text(sql: string): string {
    if (this.#kind === 'sqlite') return sql;
    const known = this.#texts.get(sql);
    if (known !== undefined) return known;
    if (this.#texts.size >= maxTexts) this.#texts.clear();
    const text = numberPlaceholders(sql);
    this.#texts.set(sql, text);
    return text;
  }
}
