import type { Logger } from 'pino';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import type { Database } from '../../storage/database.ts';
import { syslogMessage } from './syslog-format.ts';
import { openTarget, type SyslogTarget } from './syslog-target.ts';

const positionKey = 'audit_syslog';
const pageSize = 100;
const firstWaitMs = 1_000;
const longestWaitMs = 60_000;
/** So long a server that takes nothing may hold up the end of the island. */
const lastWaitMs = 1_000;

export interface SyslogExportDeps {
  readonly address: string;
  readonly serverName: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly open?: (address: string) => Promise<SyslogTarget>;
}

/**
 * Sends the audit log to a syslog server as it grows: a reader of its table with a stored position of its own. Nothing
 * waits for it. After a restart or a broken connection it goes on where it was; over TCP and TLS each line is sent at
 * least once.
 */
export class SyslogExport {
  readonly #deps: SyslogExportDeps;
  #position = 0;
  #saved = 0;
  #target: SyslogTarget | undefined;
  #isStopped = false;
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #unsubscribe: () => void = () => undefined;
  #waitMs = firstWaitMs;

  constructor(deps: SyslogExportDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { db, address } = this.#deps;
    this.#position = positionIn(await db.metadata.get(positionKey), address);
    this.#saved = this.#position;
    this.#unsubscribe = db.audit.onRecord(() => this.#wake());
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#unsubscribe();
    this.#wake();
    await this.#within(lastWaitMs, this.#finish());
    this.#target?.close();
  }

  /** What is there by now still goes out, where there is a connection. */
  async #finish(): Promise<void> {
    await this.#running;
    try {
      let isEnd = this.#target === undefined;
      while (!isEnd) isEnd = await this.#sendPage();
      await this.#save();
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'the last lines of the audit log go to syslog at the next start');
    }
  }

  async #within(ms: number, work: Promise<void>): Promise<void> {
    let timer: Timer | undefined;
    const end = new Promise<void>((resolve) => {
      timer = this.#deps.clock.setTimer(ms, resolve);
    });
    await Promise.race([work, end]);
    timer?.cancel();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      // Before the look: a line that comes in between must not be missed.
      const woken = this.#woken();
      try {
        const isEnd = await this.#sendPage();
        this.#waitMs = firstWaitMs;
        if (isEnd) await woken.promise;
      } catch (error) {
        this.#target?.close();
        this.#target = undefined;
        const { log, address } = this.#deps;
        const reason = error instanceof Error ? error.message : String(error);
        log.warn(
          { address, reason, lines: this.#position },
          'the audit log does not reach its syslog server',
        );
        await this.#pause();
      } finally {
        woken.cancel();
      }
    }
  }

  async #sendPage(): Promise<boolean> {
    const { db, address, serverName } = this.#deps;
    const page: AuditRecord[] = await db.audit.page({ after: this.#position, limit: pageSize });
    const last = page.at(-1);
    if (last === undefined) {
      await this.#save();
      return true;
    }
    this.#target ??= await (this.#deps.open ?? openTarget)(address);
    await this.#target.send(page.map((record) => syslogMessage(record, serverName)));
    this.#position = last.seq;
    // Behind a long way it is saved with each page, else once the end is reached.
    if (page.length === pageSize) await this.#save();
    return false;
  }

  async #save(): Promise<void> {
    if (this.#saved === this.#position) return;
    const { db, address } = this.#deps;
    const position = this.#position;
    const ops = db.metadata.put(positionKey, JSON.stringify({ address, seq: position }));
    await db.writer.submit({ label: 'position of the syslog export', ops });
    this.#saved = position;
  }

  #woken(): { promise: Promise<void>; cancel(): void } {
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#wake = resolve;
    if (this.#isStopped) resolve();
    return { promise, cancel: resolve };
  }

  async #pause(): Promise<void> {
    if (this.#isStopped) return;
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      timer = this.#deps.clock.setTimer(this.#waitMs, resolve);
      // Only the end of it all is worth waking for: new lines change nothing about the connection.
      const wake = this.#wake;
      this.#wake = () => {
        if (this.#isStopped) resolve();
        else wake();
      };
    });
    timer?.cancel();
    this.#waitMs = Math.min(this.#waitMs * 2, longestWaitMs);
  }
}

/** Another server has not had the lines that the one before it got. */
function positionIn(text: string | undefined, address: string): number {
  if (text === undefined) return 0;
  // Only `#save` writes it.
  const stored = JSON.parse(text) as { address: string; seq: number };
  return stored.address === address ? stored.seq : 0;
}
