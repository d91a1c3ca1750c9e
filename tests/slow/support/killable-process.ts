import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Order, Report } from './island-main.ts';

/** How a process ended. */
export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that has loaded the product and waits for its orders; started, it is an island. */
export class KillableProcess {
  readonly #child: ChildProcess;
  readonly #loaded: Promise<Report>;
  readonly ended: Promise<End>;
  #end: End | undefined;

  constructor(entry: string) {
    this.#child = fork(entry, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    this.#loaded = this.#next('loaded');
    this.#loaded.catch(() => undefined);
    this.ended = once(this.#child, 'exit').then(([code, signal]) => {
      // What `exit` is emitted with.
      const end = { code, signal } as End;
      this.#end = end;
      return end;
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('The process could not be started');
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Starts the island; the port on which it listens. Rejects if the process ends before. */
  async start(order: Omit<Extract<Order, { kind: 'start' }>, 'kind'>): Promise<number> {
    await this.#loaded;
    const listening = this.#next('listening');
    this.#say({ kind: 'start', ...order });
    return (await listening).port;
  }

  async setTrap(trap: Extract<Order, { kind: 'trap' }>['trap']): Promise<void> {
    const set = this.#next('trap set');
    this.#say({ kind: 'trap', trap });
    await set;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Ends it in an orderly way. */
  async stop(): Promise<End> {
    await this.#loaded;
    this.#say({ kind: 'stop' });
    return this.ended;
  }

  #say(order: Order): void {
    // An error means that it is dead; whoever waits for its answer hears of that.
    this.#child.send(order, () => undefined);
  }

  #next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> {
    return new Promise((resolve, reject) => {
      const child = this.#child;
      const heard = (report: Report): void => {
        if (report.kind !== kind) return;
        done();
        // The kind was compared just now.
        resolve(report as Extract<Report, { kind: K }>);
      };
      const gone = (): void => {
        done();
        reject(new Error(`the process ended before it was ${kind}`));
      };
      const done = (): void => {
        child.off('message', heard);
        child.off('exit', gone);
      };
      child.on('message', heard);
      child.once('exit', gone);
      if (child.exitCode !== null || child.signalCode !== null) gone();
    });
  }
}
