import type { Logger } from 'pino';
import type { JsonObject } from '../../protocol/json.ts';
import { parseJson } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { Reader } from '../connection.ts';
import { takeNumbers } from '../write-batch.ts';
import type { Note, WriteOp } from '../write-set.ts';
import type { Tx, Writer } from '../writer.ts';
import {
  type AuditEvent,
  type AuditRecord,
  type ChainFault,
  ChainVerifier,
  chained,
  chainStart,
} from './chain.ts';

const pageSize = 1_000;
const retryMs = 1_000;

export interface AuditQuery {
  /** Lines after this number. */
  readonly after?: number | undefined;
  readonly limit?: number | undefined;
}

/**
 * The audit log: lines that are only ever added, each with the hash of the one before. There is no way to change or
 * remove one through this class, and nobody else writes the table.
 */
export class AuditLog {
  readonly #reader: Reader;
  readonly #writer: Writer;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listeners = new Set<(records: readonly AuditRecord[]) => void>();
  #waiting: AuditEvent[] = [];
  #flushing: Promise<void> | undefined;

  constructor(deps: { reader: Reader; writer: Writer; clock: Clock; log: Logger }) {
    this.#log = deps.log;
    this.#reader = deps.reader;
    this.#writer = deps.writer;
    this.#clock = deps.clock;
  }

  /**
   * Adds lines, and in the same transaction makes the changes that they tell of; `notes` are said after it. `check`
   * looks at what came of the changes, and what it throws undoes them; such transactions run one after the other.
   * Resolves when all is on disk.
   */
  async append(
    events: readonly AuditEvent[],
    changes: readonly WriteOp[] = [],
    notes: readonly Note[] = [],
    check?: (tx: Tx) => Promise<void>,
  ): Promise<void> {
    const ts = this.#clock.now();
    const records = await this.#writer.transact('audit', async (tx) => {
      for (const { stream, key, payload } of notes) tx.note({ stream, key, payload });
      const added = await this.appendIn(tx, events, changes, ts);
      await check?.(tx);
      return added;
    });
    this.#tell(records);
  }

  /** The same inside a transaction of the caller's, who decides by what it reads there. */
  async appendIn(
    tx: Tx,
    events: readonly AuditEvent[],
    changes: readonly WriteOp[] = [],
    ts: number = this.#clock.now(),
  ): Promise<AuditRecord[]> {
    // Taking the numbers locks their row: nobody else adds a line until this transaction ends.
    const first = await takeNumbers(tx, 'audit', events.length);
    const [last] = await tx.query<{ hash: string }>('SELECT hash FROM audit WHERE seq = ?', [first - 1]);
    let prev = last?.hash ?? chainStart;
    const records = events.map((event, index) => {
      const record = chained(event, first + index, ts, prev);
      prev = record.hash;
      return record;
    });
    const lines: WriteOp[] = [{ kind: 'insert', table: 'audit', rows: records.map(rowOf) }];
    await tx.apply([...(records.length === 0 ? [] : lines), ...changes]);
    return records;
  }

  /** Adds a line soon, together with others: for what happens often and that nobody waits for, such as denials. */
  record(event: AuditEvent): void {
    this.#waiting.push(event);
    this.#flushing ??= this.#flush();
  }

  /** Resolves when everything that was recorded so far is on disk, or could not be written just now. */
  async settled(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
  }

  /** Called with each line after it is on disk; gives the function that ends it. A listener must not throw. */
  onRecord(listener: (records: readonly AuditRecord[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A page of the log, oldest first. Index: audit_pkey. */
  async page({ after = 0, limit = pageSize }: AuditQuery = {}): Promise<AuditRecord[]> {
    const rows = await this.#reader.query<AuditRow>(
      'SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?',
      [after, Math.min(limit, pageSize)],
    );
    return rows.map(recordOf);
  }

  /** The last line. */
  async head(): Promise<AuditRecord | undefined> {
    const row = await this.#reader.first<AuditRow>('SELECT * FROM audit ORDER BY seq DESC LIMIT 1');
    return row === undefined ? undefined : recordOf(row);
  }

  /** Reads the whole log and checks it; how many lines there are, and the first thing that is wrong. */
  async verify(): Promise<{ readonly lines: number; readonly fault: ChainFault | undefined }> {
    const verifier = new ChainVerifier({ seq: 0, hash: chainStart });
    let lines = 0;
    for (let after = 0; ; ) {
      const page = await this.page({ after });
      const fault = verifier.check(page);
      if (fault !== undefined) return { lines, fault };
      lines += page.length;
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.seq;
    }
    const [given] = await this.#reader.query<{ next: number }>(
      "SELECT next FROM sequences WHERE kind = 'audit'",
    );
    // Numbers that were given and are not there any more: the end was cut off.
    const fault = (given?.next ?? 1) - 1 > lines ? ({ kind: 'missing', seq: lines + 1 } as const) : undefined;
    return { lines, fault };
  }

  async #flush(): Promise<void> {
    // What the event loop has at hand joins first.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const events = this.#waiting;
      this.#waiting = [];
      try {
        await this.append(events);
      } catch (error) {
        this.#log.error({ err: error, lines: events.length }, 'lines of the audit log could not be written');
        this.#waiting = [...events, ...this.#waiting];
        this.#clock.setTimer(retryMs, () => {
          this.#flushing ??= this.#flush();
        });
        break;
      }
    }
    this.#flushing = undefined;
  }

  #tell(records: readonly AuditRecord[]): void {
    for (const listener of this.#listeners) listener(records);
  }
}

interface AuditRow {
  readonly seq: number;
  readonly ts: number;
  readonly action: string;
  readonly outcome: string;
  readonly actor: string;
  readonly subject: string | null;
  readonly detail: string | null;
  readonly prev: string;
  readonly hash: string;
}

function rowOf(record: AuditRecord) {
  const { detail, subject, ...rest } = record;
  return { ...rest, subject: subject ?? null, detail: detail === undefined ? null : JSON.stringify(detail) };
}

function recordOf({ subject, detail, outcome, ...row }: AuditRow): AuditRecord {
  return {
    ...row,
    // Only `rowOf` writes the column.
    outcome: outcome as AuditRecord['outcome'],
    ...(subject === null ? {} : { subject }),
    ...(detail === null ? {} : { detail: parseJson(detail) as JsonObject }),
  };
}
