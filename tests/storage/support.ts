import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Clock, FailPoint, Random } from '../../protocol/runtime.ts';
import { type Database, type DatabaseConfig, openDatabase } from '../../storage/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { emptyPostgres } from '../support/postgres.ts';

const log = pino({ level: 'silent' });

const clock: Clock = {
  now: () => 1_700_000_000_000,
  setTimer: () => ({ cancel() {} }),
};

const random: Random = { bytes: (length) => randomBytes(length) };

export function emptySqlite(): { type: 'sqlite'; path: string } {
  const folder = join(temporaryFolder(), 'data');
  mkdirSync(folder);
  return { type: 'sqlite', path: join(folder, 'island.db') };
}

export function open(config: DatabaseConfig, options: { failPoint?: FailPoint } = {}): Promise<Database> {
  return openDatabase(config, { log, clock, random, ...options });
}

/** Runs a suite on SQLite and on PostgreSQL. `database()` is open and fresh for each suite. */
export function onBothDatabases(
  title: string,
  suite: (database: () => Database, config: () => DatabaseConfig) => void,
): void {
  for (const kind of ['sqlite', 'postgres'] as const) {
    describe(`${title} on ${kind}`, () => {
      let config: DatabaseConfig | undefined;
      let database: Database | undefined;
      before(async function () {
        this.timeout(60_000);
        config = kind === 'sqlite' ? emptySqlite() : await emptyPostgres();
        database = await open(config);
      });
      after(async () => {
        await database?.close();
      });
      const present = <T>(value: T | undefined): T => {
        if (value === undefined) throw new Error('The suite has not begun');
        return value;
      };
      suite(
        () => present(database),
        () => present(config),
      );
    });
  }
}

/** The error that a promise is rejected with. */
export async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error('It succeeded');
}
