import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { StorageError, translateError } from './errors.ts';

/** A held lock. */
export interface DatabaseLock {
  release(): void;
}

/**
 * Locks a SQLite database for one process: a transaction held open on a small file beside it. The system frees
 * it when the process dies, however it dies. (`locking_mode=EXCLUSIVE` would shut out our own reader.) Throws
 * StorageError `locked` if another process, or another island in this one, has it.
 */
export function lockDatabase(path: string): DatabaseLock {
  const file = `${path}.lock`;
  let handle: SqliteDatabase.Database | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true });
    handle = new SqliteDatabase(file, { timeout: 0 });
    // Nothing is ever written to it, so that there is nothing in it that could break.
    handle.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    handle?.close();
    const error = translateError(cause, file);
    if (error instanceof StorageError && error.code === 'locked')
      throw new StorageError(
        'locked',
        `The database ${path} is in use: the island runs already, or a command works on it. Stop it first.`,
        { cause },
      );
    throw error;
  }
  const held = handle;
  return {
    release() {
      held.close();
    },
  };
}

/** Whether some process has the database at this moment. */
export function isDatabaseLocked(path: string): boolean {
  try {
    lockDatabase(path).release();
    return false;
  } catch (error) {
    if (error instanceof StorageError && error.code === 'locked') return true;
    throw error;
  }
}
