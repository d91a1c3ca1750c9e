import type { Database } from '../../storage/database.ts';
import type { EventRecord } from '../../storage/stores/event-record.ts';
import type { LocalNotices } from '../notices/local-notices.ts';

export interface TimelineEntry {
  readonly position: number;
  readonly eventId: string;
}

export interface TimelineSlice {
  /** Oldest first. */
  readonly entries: readonly TimelineEntry[];
  /** Whether older entries of the asked range were left out. */
  readonly limited: boolean;
}

interface Tail {
  /** `entries` holds all entries of the room with `from < position <= to`, oldest first. */
  from: number;
  to: number;
  entries: TimelineEntry[];
  /** A read in progress; whoever else needs it waits for it instead of asking again. */
  loading: Promise<void> | undefined;
}

/** As many entries of a room are kept in memory; a `/sync` that reaches further back asks the database. */
const maxTail = 500;
const maxRooms = 5_000;

/**
 * The newest part of each active room's timeline, in memory: when a message wakes two hundred waiting clients, the
 * database is asked once.
 */
export class RoomTimelines {
  readonly #db: Database;
  readonly #notices: LocalNotices;
  readonly #tails = new Map<number, Tail>();

  constructor(db: Database, notices: LocalNotices) {
    this.#db = db;
    this.#notices = notices;
  }

  /** The events and notices of entries. */
  load(entries: readonly TimelineEntry[]): Promise<Map<string, EventRecord>> {
    return this.#notices.many(entries.map(({ eventId }) => eventId));
  }

  /** The newest `limit` entries with `after < position <= upTo`. */
  async slice(roomNid: number, after: number, upTo: number, limit: number): Promise<TimelineSlice> {
    const tail = await this.#tailUpTo(roomNid, upTo);
    if (after >= tail.from) return newest(tail.entries, after, upTo, limit);
    const inMemory = newest(tail.entries, tail.from, upTo, limit);
    if (inMemory.limited || inMemory.entries.length === limit) {
      if (inMemory.limited) return inMemory;
      const older = await this.#notices.timeline(roomNid, {
        after,
        upTo: tail.from,
        limit: 1,
        dir: 'b',
      });
      return { entries: inMemory.entries, limited: older.length > 0 };
    }
    const missing = limit - inMemory.entries.length;
    const older = await this.#notices.timeline(roomNid, {
      after,
      upTo: Math.min(tail.from, upTo),
      limit: missing + 1,
      dir: 'b',
    });
    const limited = older.length > missing;
    const kept = toEntries(older.slice(0, missing)).reverse();
    return { entries: [...kept, ...inMemory.entries], limited };
  }

  async #tailUpTo(roomNid: number, upTo: number): Promise<Tail> {
    let tail = this.#tails.get(roomNid);
    if (tail === undefined) {
      tail = { from: upTo, to: upTo, entries: [], loading: undefined };
      this.#tails.set(roomNid, tail);
      if (this.#tails.size > maxRooms) {
        const oldest = this.#tails.keys().next().value;
        if (oldest !== undefined) this.#tails.delete(oldest);
      }
    }
    while (tail.to < upTo) {
      tail.loading ??= this.#extend(roomNid, tail);
      await tail.loading;
    }
    return tail;
  }

  async #extend(roomNid: number, tail: Tail): Promise<void> {
    try {
      const upTo = this.#db.streams.position;
      const found = await this.#notices.timeline(roomNid, {
        after: tail.to,
        upTo,
        limit: maxTail + 1,
        dir: 'b',
      });
      if (found.length > maxTail) {
        found.length = maxTail;
        tail.entries = toEntries(found).reverse();
        tail.from = (tail.entries[0]?.position ?? upTo) - 1;
      } else {
        tail.entries.push(...toEntries(found).reverse());
        const surplus = tail.entries.length - maxTail;
        if (surplus > 0) {
          tail.from = tail.entries[surplus - 1]?.position ?? tail.from;
          tail.entries.splice(0, surplus);
        }
      }
      tail.to = upTo;
    } finally {
      tail.loading = undefined;
    }
  }
}

function toEntries(events: readonly EventRecord[]): TimelineEntry[] {
  return events.map(({ streamPos, eventId }) => ({ position: streamPos ?? 0, eventId }));
}

function newest(
  entries: readonly TimelineEntry[],
  after: number,
  upTo: number,
  limit: number,
): { entries: TimelineEntry[]; limited: boolean } {
  const end = firstAfter(entries, upTo);
  const start = firstAfter(entries, after);
  const from = Math.max(start, end - limit);
  return { entries: entries.slice(from, end), limited: from > start };
}

/** Index of the first entry with a position above `position`. */
function firstAfter(entries: readonly TimelineEntry[], position: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((entries[middle]?.position ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
