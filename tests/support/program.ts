import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const program = join(root, 'bin', 'archipelago');
const sources = ['protocol', 'policy', 'config', 'storage', 'rooms', 'http', 'federation', 'server'];

/** Compiles the product where `dist/` is missing or older than a source. For a `before` hook; throws if that fails. */
export function buildProgram(): void {
  const built = newest(join(root, 'dist'));
  if (built > 0 && sources.every((folder) => newest(join(root, folder)) <= built)) return;
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts', 'build.mjs')]);
  if (status !== 0) throw new Error(`The build failed:\n${stdout}${stderr}`);
}

/** When the newest file below a folder was written, in milliseconds; 0 if there is none. */
function newest(folder: string): number {
  let latest = 0;
  for (const entry of readdirOrNone(folder)) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}

function readdirOrNone(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** For standard input, which is empty without it. */
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the program with pipes for its input and output. */
export function spawnProgram(
  args: readonly string[],
  options: RunOptions = {},
): ChildProcessWithoutNullStreams {
  const { cwd, env } = options;
  return spawn(program, [...args], { cwd, env: { ...process.env, ...env } });
}

/** Runs one command of the program to its end. */
export async function archipelago(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawnProgram(args, options);
  // A command that does not read its input may be gone before it is written.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

/** The standard output of a command that has to succeed. */
export async function succeeds(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await archipelago(args, options);
  if (code !== 0) throw new Error(`archipelago ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout;
}

/** A running `archipelago start`. */
export class IslandProcess {
  readonly config: string;
  /** What it has logged. */
  readonly lines: Record<string, unknown>[] = [];
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #exit: Promise<unknown>;
  readonly #waiting = new Set<() => void>();
  #stderr = '';

  private constructor(config: string, options: { env?: Readonly<Record<string, string>> }) {
    this.config = config;
    this.#child = spawnProgram(['start', '-c', config, '--log-format', 'json'], options);
    this.#exit = once(this.#child, 'close');
    const { stdin, stdout, stderr } = this.#child;
    stdin.end();
    createInterface({ input: stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line));
      for (const look of this.#waiting) look();
    });
    stderr.on('data', (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
  }

  /** Starts the island of a configuration; resolves when it is ready, and rejects with its output if it ends before. */
  static async start(
    config: string,
    options: { env?: Readonly<Record<string, string>> } = {},
  ): Promise<IslandProcess> {
    const island = new IslandProcess(config, options);
    await island.logged('island ready');
    return island;
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process could not be started');
    return this.#child.pid;
  }

  get url(): string {
    const urls = this.lines.find((line) => line['msg'] === 'island ready')?.['urls'];
    if (!Array.isArray(urls)) throw new Error('The island is not ready');
    return String(urls.at(-1));
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The first line with this message, once it is logged. */
  logged(message: string): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const line = this.lines.find((candidate) => candidate['msg'] === message);
        if (line === undefined) return;
        this.#waiting.delete(look);
        resolve(line);
      };
      this.#waiting.add(look);
      look();
      void this.#exit.then(() => {
        look();
        const said = `${this.lines.map((line) => JSON.stringify(line)).join('\n')}\n${this.#stderr}`;
        reject(new Error(`The island ended without "${message}":\n${said}`));
      });
    });
  }

  signal(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL' | 'SIGHUP'): void {
    this.#child.kill(signal);
  }

  /** Its exit code, once it has ended; null after a signal. */
  async ended(): Promise<number | null> {
    await this.#exit;
    return this.#child.exitCode;
  }

  stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.ended();
  }

  /** As the power cord: no warning, no clean-up. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended();
  }
}
