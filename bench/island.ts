import { execFile } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Checkout, root } from './checkout.ts';
import { HttpConnection } from './http-connection.ts';
import type { Seeded } from './seed.ts';
import { ServerProcess } from './server-process.ts';

const run = promisify(execFile);
const secret = 'only for measuring';

/**
 * An island with production settings, in a folder of its own under the system's temporary one: started as an
 * administrator starts it.
 */
export class BenchIsland {
  readonly checkout: Checkout;
  readonly serverName: string;
  readonly directory: string;
  readonly port: number;
  #process: ServerProcess | undefined;

  private constructor(checkout: Checkout, serverName: string, directory: string, port: number) {
    this.checkout = checkout;
    this.serverName = serverName;
    this.directory = directory;
    this.port = port;
  }

  static async create(checkout: Checkout, serverName = 'bench.test'): Promise<BenchIsland> {
    const directory = await mkdtemp(join(tmpdir(), 'archipelago-bench-'));
    const island = new BenchIsland(checkout, serverName, directory, await freePort());
    await mkdir(join(directory, 'data'));
    await writeFile(
      island.configuration,
      `server_name: ${serverName}
listeners: [{port: ${island.port}, bind_addresses: [127.0.0.1]}]
signing_key_path: data/signing.key
database: {type: sqlite, path: data/homeserver.db}
media_store_path: data/media
registration_shared_secret: ${secret}
`,
      { mode: 0o600 },
    );
    return island;
  }

  get configuration(): string {
    return join(this.directory, 'homeserver.yaml');
  }

  get databasePath(): string {
    return join(this.directory, 'data', 'homeserver.db');
  }

  get process(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.serverName} does not run`);
    return this.#process;
  }

  async start(nodeOptions: readonly string[] = []): Promise<ServerProcess> {
    this.#process = await ServerProcess.start(
      [...nodeOptions, this.#program, 'start', '-c', this.configuration, '--log-format', 'json'],
      (line) => line.includes('"island ready"'),
    );
    return this.#process;
  }

  /** Runs a command of the program against this island and gives its standard output. */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await run(process.execPath, [this.#program, ...args, '-c', this.configuration]);
    return stdout;
  }

  /** Makes a user who is logged in. */
  async register(localpart: string): Promise<{ userId: string; token: string }> {
    const client = await HttpConnection.open(this.port);
    const path = '/_synapse/admin/v1/register';
    const { nonce } = await client.json('GET', path);
    const password = 'a long password';
    const mac = createHmac('sha1', secret)
      .update(`${nonce}\0${localpart}\0${password}\0notadmin`)
      .digest('hex');
    const user = await client.json('POST', path, undefined, {
      nonce,
      username: localpart,
      password,
      admin: false,
      mac,
    });
    client.close();
    return { userId: String(user['user_id']), token: String(user['access_token']) };
  }

  /** Fills the database, while the island does not run: see `seed.ts`. */
  async seed(members: number, tokens: number, messages: number): Promise<Seeded> {
    const counts = [members, tokens, messages].map(String);
    const script = join(root, 'bench', 'seed.ts');
    const args = ['--import', 'tsx', script, this.checkout.root, this.configuration, ...counts];
    const { stdout } = await run(process.execPath, args, { maxBuffer: 16 * 1024 * 1024 });
    // What the script prints last.
    return JSON.parse(stdout) as Seeded;
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** Stops it and deletes its folder. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  get #program(): string {
    return join(this.checkout.root, 'bin', 'archipelago');
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port to be had');
  return address.port;
}
