import type { Logger } from 'pino';
import type { FailPoint } from '../protocol/runtime.ts';
import type { WritingConnection } from './connection.ts';
import { StorageError, translateError } from './errors.ts';
import type { Parameter } from './sql.ts';
import type { LocalStreams, PublishedNote } from './streams.ts';
import { lockPositions, takeNumbers, WriteBatch } from './write-batch.ts';
import { type Committed, type Note, Position, type WriteOp, type WriteSet } from './write-set.ts';

export { RoomConflict } from './errors.ts';
export {
  backfilledPosition,
  type Committed,
  type Note,
  nextPosition,
  Position,
  type Row,
  type WriteOp,
  type WriteSet,
} from './write-set.ts';

/** A transaction on a cold path. */
export interface Tx {
  query<T>(sql: string, params?: readonly Parameter[]): Promise<T[]>;
  /** Runs the changes now; gives the numbers of their placeholders. */
  apply(ops: readonly WriteOp[]): Promise<{ positionOf(position: Position): number }>;
  /** Published after the commit. */
  note(note: Note & { readonly position?: number }): void;
  /** Takes the next stream position. */
  position(): Promise<number>;
}

/** The only one that changes the database. */
export interface Writer {
  /**
   * Resolves when the set is on disk, with whatever else was submitted in the meantime. Rejects, and then
   * nothing of the set is stored, with {@link RoomConflict}, `DuplicateRow`, `StorageError`, or the error of a
   * set that makes no sense. Sets are written in the order of the calls.
   */
  submit(set: WriteSet): Promise<Committed>;
  /**
   * Runs `run` in a transaction of its own, in the order of the calls. For cold paths: everything else waits,
   * so `run` must not wait for anything but its own queries, least of all for this writer. It may run twice.
   */
  transact<T>(label: string, run: (tx: Tx) => Promise<T>): Promise<T>;
  /** Resolves when everything submitted so far has been written or refused. */
  idle(): Promise<void>;
}

interface SetJob {
  readonly kind: 'set';
  readonly set: WriteSet;
  resolve(committed: Committed): void;
  reject(error: unknown): void;
}

interface TransactionJob {
  readonly kind: 'transaction';
  readonly label: string;
  /** Runs inside the transaction. */
  run(tx: Tx): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export interface WriterDeps {
  /** Opens the one connection that writes; called again when it was lost. */
  connect(): Promise<WritingConnection>;
  /** Names the database in messages. */
  readonly where: string;
  readonly streams: LocalStreams;
  readonly log: Logger;
  readonly failPoint?: FailPoint | undefined;
  /** Called after each commit, before anyone is told, with the tables that were changed. */
  changed?(tables: ReadonlySet<string>): void;
}

/** So many turns of the event loop are waited for at most, while each brings more sets. */
const maxTurns = 4;
/** So many write sets share a commit at most. */
const maxSets = 512;
/** So many connections in a row may turn out to be cut: more than a pool holds. */
const maxConnections = 4;
const begin = { sqlite: 'BEGIN IMMEDIATE', postgres: 'BEGIN' } as const;

/**
 * One writer with group commit. While a commit runs, what is submitted waits and makes the next one; what the
 * event loop has at hand joins first, there is no timer. If a batch fails it is rolled back and its sets are
 * tried one by one: only the guilty one is refused.
 */
export class GroupCommitWriter implements Writer {
  readonly #deps: WriterDeps;
  readonly #idle: (() => void)[] = [];
  #connection: WritingConnection | undefined;
  #jobs: (SetJob | TransactionJob)[] = [];
  #running = false;
  #closed = false;

  constructor(deps: WriterDeps) {
    this.#deps = deps;
  }

  submit(set: WriteSet): Promise<Committed> {
    return new Promise((resolve, reject) => this.#enqueue({ kind: 'set', set, resolve, reject }));
  }

  transact<T>(label: string, run: (tx: Tx) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // `value` is what `run` gave: the job does not know its type.
      const job: TransactionJob = {
        kind: 'transaction',
        label,
        run,
        resolve: (value) => resolve(value as T),
        reject,
      };
      this.#enqueue(job);
    });
  }

  idle(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Writes what was submitted, refuses everything from now on, and lets the connection go. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.idle();
    await this.#connection?.release();
    this.#connection = undefined;
  }

  #enqueue(job: SetJob | TransactionJob): void {
    if (this.#closed) {
      job.reject(new StorageError('closed', 'The database is closed'));
      return;
    }
    this.#jobs.push(job);
    if (this.#running) return;
    this.#running = true;
    setImmediate(() => void this.#work());
  }

  async #work(): Promise<void> {
    while (this.#jobs.length > 0) {
      const [first] = this.#jobs;
      if (first?.kind === 'transaction') {
        this.#jobs.shift();
        await this.#transaction(first);
      } else {
        const end = this.#jobs.findIndex((job, index) => job.kind !== 'set' || index === maxSets);
        const batch = this.#jobs.splice(0, end === -1 ? this.#jobs.length : end);
        await this.#writeSets(batch.filter((job) => job.kind === 'set'));
      }
      await this.#gather();
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /**
   * Those who were answered just now, and requests that came in during the commit, join the next one. Most of them
   * take more than one turn of the event loop from their arrival to here; as long as each turn brings some, the next
   * is waited for as well: a commit costs much the same for one set and for a hundred.
   */
  async #gather(): Promise<void> {
    for (let turn = 0; turn < maxTurns; turn += 1) {
      const before = this.#jobs.length;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#jobs.length === before) return;
    }
  }

  async #writeSets(jobs: readonly SetJob[]): Promise<void> {
    try {
      await this.#commit(jobs);
      return;
    } catch (error) {
      const [only] = jobs;
      if (jobs.length === 1 && only !== undefined) {
        this.#refuse(only, error);
        return;
      }
      // Without a database one try is enough; it may even have committed, so nothing is tried twice.
      if (error instanceof StorageError && error.code !== 'full') {
        for (const job of jobs) this.#refuse(job, error);
        return;
      }
      this.#deps.log.debug(
        { err: error, sets: jobs.length },
        'a batch failed; its write sets are tried one by one',
      );
    }
    for (const job of jobs) {
      await this.#commit([job]).catch((error: unknown) => this.#refuse(job, error));
    }
  }

  #refuse(job: SetJob | TransactionJob, error: unknown): void {
    const label = job.kind === 'set' ? job.set.label : job.label;
    if (error instanceof StorageError)
      this.#deps.log.error({ label, err: error }, 'the database refused a change');
    else this.#deps.log.debug({ label, err: error }, 'a change was refused');
    job.reject(error);
  }

  async #commit(jobs: readonly SetJob[]): Promise<void> {
    const batch = new WriteBatch();
    const ends = jobs.map(({ set }) => {
      const start = batch.positionCount;
      batch.add(set);
      return batch.positionCount > start ? batch.positionCount - 1 : undefined;
    });
    await this.#inTransaction((connection) => batch.execute(connection));

    this.#committed(batch.tables, batch.numberOf(batch.positionCount - 1));
    const notes: PublishedNote[] = [];
    const results = jobs.map(({ set }, index): Committed => {
      const end = ends[index];
      const highest = (end === undefined ? undefined : batch.numberOf(end)) ?? this.#deps.streams.position;
      for (const note of set.notes ?? []) notes.push(published(note, highest, batch));
      return { position: highest, positionOf: (position) => batch.positionOf(position) };
    });
    // Promises settle after the listeners: who waits for its own write finds the caches up to date.
    this.#deps.streams.publish(notes);
    for (const [index, job] of jobs.entries()) {
      const result = results[index];
      if (result !== undefined) job.resolve(result);
    }
  }

  async #transaction(job: TransactionJob): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const tables = new Set<string>();
      const notes: Note[] = [];
      let highest: number | undefined;
      try {
        const value = await this.#inTransaction((connection) =>
          job.run({
            query: (sql, params) => connection.query(sql, params),
            apply: async (ops) => {
              const batch = new WriteBatch();
              batch.addOps(ops);
              await batch.execute(connection);
              for (const table of batch.tables) tables.add(table);
              highest = batch.numberOf(batch.positionCount - 1) ?? highest;
              return batch;
            },
            note: (note) => notes.push(note),
            position: async () => {
              highest = await takePosition(connection);
              return highest;
            },
          }),
        );
        this.#committed(tables, highest);
        const position = highest ?? this.#deps.streams.position;
        this.#deps.streams.publish(notes.map((note) => published(note, position)));
        job.resolve(value);
        return;
      } catch (error) {
        if (attempt === 1 && isTransient(error)) continue;
        this.#refuse(job, error);
        return;
      }
    }
  }

  #committed(tables: ReadonlySet<string>, position: number | undefined): void {
    if (tables.has('events')) this.#deps.failPoint?.('event-stored');
    if (position !== undefined) this.#deps.streams.advance(position);
    this.#deps.changed?.(tables);
  }

  async #inTransaction<T>(run: (connection: WritingConnection) => Promise<T>): Promise<T> {
    try {
      const connection = await this.#begin();
      try {
        const value = await run(connection);
        await connection.run('COMMIT');
        return value;
      } catch (error) {
        // A full disk may have ended the transaction already; then there is nothing to roll back.
        await connection.run('ROLLBACK').catch(() => undefined);
        throw error;
      }
    } catch (error) {
      const translated = translateError(error, this.#deps.where);
      if (translated instanceof StorageError && translated.code === 'unreachable')
        await this.#reconnectLater();
      throw translated;
    }
  }

  /**
   * Begins a transaction. A connection that was cut since it was last used is found out only now, and a pool may hold
   * more of them: as nothing was sent to be written yet, the next connection gets its turn.
   */
  async #begin(): Promise<WritingConnection> {
    for (let attempt = 1; ; attempt += 1) {
      this.#connection ??= await this.#deps.connect();
      const connection = this.#connection;
      try {
        await connection.run(begin[connection.kind]);
        return connection;
      } catch (error) {
        const translated = translateError(error, this.#deps.where);
        const isCut = translated instanceof StorageError && translated.code === 'unreachable';
        if (!isCut || attempt === maxConnections) throw translated;
        await this.#reconnectLater();
      }
    }
  }

  async #reconnectLater(): Promise<void> {
    const lost = this.#connection;
    this.#connection = undefined;
    await lost?.release().catch(() => undefined);
  }
}

async function takePosition(connection: WritingConnection): Promise<number> {
  await lockPositions(connection);
  return takeNumbers(connection, 'position', 1);
}

function published(note: Note, fallback: number, batch?: WriteBatch): PublishedNote {
  const { stream, key, payload, position } = note;
  const number =
    position instanceof Position ? (batch?.positionOf(position) ?? fallback) : (position ?? fallback);
  return { stream, key, position: number, ...(payload === undefined ? {} : { payload }) };
}

/** PostgreSQL ended the transaction for the sake of another one (deadlock, serialization). */
function isTransient(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '40001' || error.code === '40P01');
}
