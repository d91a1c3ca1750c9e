import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DataSource } from 'typeorm';
import { Reader, SqliteConnection } from '../connection.ts';
import { StorageError, translateError } from '../errors.ts';
import { lockDatabase } from '../lock.ts';
import { migrations } from '../migrations/index.ts';
import type { SqliteHandle } from '../prepared-statements.ts';
import { entitiesFor } from '../schema/entities.ts';
import { checkMigrations, checkTables } from './check-schema.ts';
import type { Sources } from './open-source.ts';

/** Databases up to this size are checked in full at start; larger ones would hold it up. */
const maxCheckedBytes = 64 * 1024 * 1024;

/**
 * Opens (or makes) a SQLite database: WAL, `synchronous=FULL`, locked for this process. `maxPageCount` limits
 * its size in pages of 4 KiB.
 */
export async function openSqlite(config: {
  path: string;
  maxPageCount?: number | undefined;
}): Promise<Sources> {
  const where = config.path;
  try {
    await mkdir(dirname(config.path), { recursive: true });
  } catch (error) {
    throw translateError(error, where);
  }
  const lock = lockDatabase(config.path);
  const handles: { writing?: SqliteHandle; reading?: SqliteHandle } = {};
  let writing: DataSource | undefined;
  let reading: DataSource | undefined;
  const close = async (): Promise<void> => {
    if (reading?.isInitialized) await reading.destroy();
    if (writing?.isInitialized) await writing.destroy();
    lock.release();
  };
  try {
    const { size } = await stat(config.path).catch(() => ({ size: 0 }));
    writing = new DataSource({
      type: 'better-sqlite3',
      database: config.path,
      entities: entitiesFor('sqlite'),
      migrations,
      prepareDatabase: (handle: SqliteHandle) => {
        handles.writing = handle;
        prepareWriting(handle, config);
      },
    });
    await writing.initialize();
    if (size > 0 && size <= maxCheckedBytes) await quickCheck(writing, where);
    await writing.runMigrations({ transaction: 'each' });
    await assertDurable(writing, where);
    reading = new DataSource({
      type: 'better-sqlite3',
      database: config.path,
      readonly: true,
      fileMustExist: true,
      entities: entitiesFor('sqlite'),
      prepareDatabase: (handle: SqliteHandle) => {
        handles.reading = handle;
        handle.pragma('cache_size = -16000');
      },
    });
    await reading.initialize();
    return {
      kind: 'sqlite',
      where,
      connect: async () => new SqliteConnection(handleOf(handles.writing)),
      reader: (translate) => Reader.ofSqlite(handleOf(handles.reading), translate),
      close,
    };
  } catch (error) {
    await close();
    throw translateError(error, where);
  }
}

/** TypeORM hands a connection to `prepareDatabase` when it opens it, and keeps it until it is destroyed. */
function handleOf(handle: SqliteHandle | undefined): SqliteHandle {
  if (handle === undefined) throw new Error('The database was not opened');
  return handle;
}

/** Looks before it changes anything: going over to WAL is a change of the file already. */
function prepareWriting(
  handle: SqliteHandle,
  { path, maxPageCount }: { path: string; maxPageCount?: number | undefined },
): void {
  try {
    const select = (sql: string): string[] =>
      handle
        .prepare<[], { name: string }>(sql)
        .all()
        .map((row) => row.name);
    if (checkTables(select("SELECT name FROM sqlite_master WHERE type = 'table'"), path) === 'ours')
      checkMigrations(select('SELECT name FROM migrations'), path);
  } catch (error) {
    handle.close();
    throw error;
  }
  handle.pragma('journal_mode = WAL');
  // better-sqlite3 opens WAL files with NORMAL, which may lose what was committed when the power fails.
  handle.pragma('synchronous = FULL');
  handle.pragma('wal_autocheckpoint = 4000');
  handle.pragma('journal_size_limit = 67108864');
  handle.pragma('cache_size = -16000');
  handle.pragma('temp_store = MEMORY');
  if (maxPageCount !== undefined) handle.pragma(`max_page_count = ${Math.trunc(maxPageCount)}`);
}

async function quickCheck(source: DataSource, where: string): Promise<void> {
  const [row]: { quick_check: string }[] = await source.query('PRAGMA quick_check(1)');
  if (row?.quick_check !== 'ok')
    throw new StorageError(
      'corrupt',
      `The database ${where} is damaged. Nothing was changed: keep a copy of the file and restore a backup. (${row?.quick_check ?? 'no answer'})`,
    );
}

/** What "an answer means: on disk" rests on; throws StorageError `unsafe` where it does not hold. */
export async function assertDurable(source: DataSource, where: string): Promise<void> {
  const [mode]: { journal_mode: string }[] = await source.query('PRAGMA journal_mode');
  const [level]: { synchronous: number }[] = await source.query('PRAGMA synchronous');
  if (mode?.journal_mode !== 'wal' || level?.synchronous !== 2)
    throw new StorageError(
      'unsafe',
      `The database ${where} would not keep what was committed: journal_mode is ${mode?.journal_mode} and synchronous ${level?.synchronous}, needed are wal and 2 (FULL). Is the file system one that cannot do WAL, such as a network drive?`,
    );
}
