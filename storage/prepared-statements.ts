import type SqliteDatabase from 'better-sqlite3';
import type { Parameter } from './sql.ts';

export type SqliteHandle = SqliteDatabase.Database;
type Statement = SqliteDatabase.Statement<unknown[]>;

/** Distinct statements are few (fixed texts, fixed numbers of rows): all of them stay prepared. */
const maxStatements = 1_000;

/** The statements of one SQLite connection, prepared once. Calls are synchronous. */
export class PreparedStatements {
  readonly #handle: SqliteHandle;
  readonly #statements = new Map<string, Statement>();

  constructor(handle: SqliteHandle) {
    this.#handle = handle;
  }

  /** Rows of a query, or of a RETURNING clause; none of a statement that gives none. */
  all<T>(sql: string, params: readonly Parameter[]): T[] {
    const statement = this.#prepared(sql);
    if (!statement.reader) {
      statement.run(params);
      return [];
    }
    // What a row looks like is what the statement's author says it is.
    return statement.all(params) as T[];
  }

  /** Gives the number of rows that were touched. */
  run(sql: string, params: readonly Parameter[]): number {
    return this.#prepared(sql).run(params).changes;
  }

  #prepared(sql: string): Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    if (this.#statements.size >= maxStatements) this.#statements.clear();
    const statement = this.#handle.prepare<unknown[]>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
