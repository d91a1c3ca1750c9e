import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** Kernel ticks in a second, as `/proc` counts processor time: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** A server under measurement: a process of its own. */
export class ServerProcess {
  readonly pid: number;
  /** Milliseconds from the start of the process to its line. */
  readonly readyAfterMs: number;
  readonly readyLine: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, pid: number, readyLine: string, readyAfterMs: number) {
    this.#child = child;
    this.pid = pid;
    this.readyLine = readyLine;
    this.readyAfterMs = readyAfterMs;
  }

  /** Starts `node …args`; resolves when it writes a line that `isReady` accepts. */
  static async start(args: readonly string[], isReady: (line: string) => boolean): Promise<ServerProcess> {
    const started = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    // Nothing that was started outlives the benchmark, however that ends.
    const end = (): void => {
      child.kill('SIGKILL');
    };
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    let output = '';
    return new Promise((resolve, reject) => {
      const read = (chunk: Buffer): void => {
        output += chunk.toString();
        const line = output.split('\n').slice(0, -1).find(isReady);
        if (line === undefined || child.pid === undefined) return;
        const readyAfterMs = performance.now() - started;
        for (const stream of [child.stdout, child.stderr]) stream?.off('data', read).resume();
        resolve(new ServerProcess(child, child.pid, line, readyAfterMs));
      };
      child.stdout?.on('data', read);
      child.stderr?.on('data', read);
      child.once('error', reject);
      child.once('exit', (code, signal) =>
        reject(new Error(`${args.join(' ')} ended (${code ?? signal}):\n${output.slice(-4_000)}`)),
      );
    });
  }

  /** Processor time so far, user and system, all threads; in milliseconds. */
  get cpuMs(): number {
    // The name of the program, in parentheses, may hold spaces.
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return ((Number(fields[11]) + Number(fields[12])) * 1_000) / ticksPerSecond;
  }

  /** Resident memory in MiB. */
  get rssMiB(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await ended;
  }
}
