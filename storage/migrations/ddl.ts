import type { QueryRunner } from 'typeorm';

/**
 * Runs statements of a migration, separated by semicolons. `{int}` and `{text}`
 * are the column types of the database at hand, `{keyed}` stores a table in the order of its primary key.
 */
export async function runDdl(runner: QueryRunner, sql: string): Promise<void> {
  const isSqlite = runner.connection.options.type === 'better-sqlite3';
  const text = sql
    .replaceAll('{int}', isSqlite ? 'integer' : 'bigint')
    .replaceAll('{text}', isSqlite ? 'text' : 'text COLLATE "C"')
    .replaceAll('{keyed}', isSqlite ? 'WITHOUT ROWID' : '');
  for (const statement of text.split(';')) {
    if (statement.trim() !== '') await runner.query(statement.trim());
  }
}

/** The schema only moves forward: going back means restoring a backup. */
export class ForwardOnlyError extends Error {
  constructor() {
    super('The database schema only moves forward; restore a backup to go back');
    this.name = 'ForwardOnlyError';
  }
}
