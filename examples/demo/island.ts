import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'bin', 'archipelago');
const run = promisify(execFile);

/** A port of the loopback interface that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port to be had');
  return address.port;
}

/** One island of the demo: a folder, a process, and its command line. */
export class DemoIsland {
  readonly serverName: string;
  readonly directory: string;
  readonly url: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(serverName: string, directory: string, port: number) {
    this.serverName = serverName;
    this.directory = directory;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async create(serverName: string, directory: string): Promise<DemoIsland> {
    const island = new DemoIsland(serverName, directory, await freePort());
    await run(program, [
      'init',
      '--server-name',
      serverName,
      '--dir',
      directory,
      '--port',
      String(island.#port),
    ]);
    return island;
  }

  get configuration(): string {
    return join(this.directory, 'homeserver.yaml');
  }

  /** Starts the process and waits until it says that it is ready. */
  async start(): Promise<void> {
    const child = spawn(program, ['start', '-c', this.configuration, '--log-format', 'json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let log = '';
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        log += chunk.toString();
        if (log.includes('island ready')) resolve();
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('exit', (code) => reject(new Error(`${this.serverName} ended with ${code}:\n${log}`)));
    });
    child.stdout?.removeAllListeners('data').resume();
    child.stderr?.removeAllListeners('data').resume();
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** As the power cord: no warning, no clean-up. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Runs a command of the program against this island and gives its standard output. */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await run(program, [...args, '-c', this.configuration]);
    return stdout;
  }
}
