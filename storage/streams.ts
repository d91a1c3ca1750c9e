import type { Logger } from 'pino';

export type StreamName =
  | 'events'
  /** Notices between the events of a room, by room id; the payload is the room's number. */
  | 'local_notices'
  /** Something is to be told to a user. */
  | 'server_notices'
  | 'memberships'
  | 'receipts'
  | 'typing'
  | 'account_data'
  | 'outbox'
  | 'inbox'
  | 'users'
  | 'devices';

export interface PublishedNote {
  readonly stream: StreamName;
  readonly key: string;
  readonly position: number;
  readonly payload?: unknown;
}

export type StreamListener = (batch: readonly PublishedNote[]) => void;

/** Tells what has changed, after it is on disk and in the order of the positions. */
export interface Streams {
  /** Everything up to here is visible to readers, and nothing will appear below it any more. */
  readonly position: number;
  /** Calls `listener` once per commit; gives the function that ends it. A listener must not throw. */
  subscribe(listener: StreamListener): () => void;
  /** For what lives in memory only, such as typing. `position` is filled in where it is missing. */
  publish(notes: readonly (Omit<PublishedNote, 'position'> & { readonly position?: number })[]): void;
}

/** The bus within one process. */
export class LocalStreams implements Streams {
  readonly #log: Logger;
  readonly #listeners = new Set<StreamListener>();
  #position: number;

  constructor(log: Logger, position: number) {
    this.#log = log;
    this.#position = position;
  }

  get position(): number {
    return this.#position;
  }

  /** Called by the writer after each commit, before anyone is told. */
  advance(position: number): void {
    if (position > this.#position) this.#position = position;
  }

  subscribe(listener: StreamListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  publish(notes: readonly (Omit<PublishedNote, 'position'> & { readonly position?: number })[]): void {
    if (notes.length === 0 || this.#listeners.size === 0) return;
    const batch = notes.map((note) => ({ ...note, position: note.position ?? this.#position }));
    for (const listener of [...this.#listeners]) {
      try {
        listener(batch);
      } catch (error) {
        this.#log.error({ err: error }, 'a listener of the streams failed');
      }
    }
  }
}
