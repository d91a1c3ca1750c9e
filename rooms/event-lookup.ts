import { Lru } from './lru.ts';
import type { Room } from './room.ts';
import type { RoomStore } from './store.ts';
import type { StoredEvent } from './types.ts';

/** Events by id: from what is being written, from memory, from the database. */
export class EventLookup {
  readonly #store: RoomStore;
  readonly #cache: Lru<string, StoredEvent>;

  constructor(store: RoomStore, limit: number) {
    this.#store = store;
    this.#cache = new Lru(limit);
  }

  /** Only from memory. */
  peek(eventId: string, room?: Room): StoredEvent | undefined {
    return room?.pendingEvents.get(eventId) ?? this.#cache.get(eventId);
  }

  async one(eventId: string, room?: Room): Promise<StoredEvent | undefined> {
    const known = this.peek(eventId, room);
    if (known !== undefined) return known;
    return (await this.many([eventId], room)).get(eventId);
  }

  /** Those that we hold, in any state (outliers, rejected ones), by id. */
  async many(eventIds: Iterable<string>, room?: Room): Promise<Map<string, StoredEvent>> {
    const found = new Map<string, StoredEvent>();
    const wanted: string[] = [];
    for (const id of new Set(eventIds)) {
      const known = this.peek(id, room);
      if (known === undefined) wanted.push(id);
      else found.set(id, known);
    }
    if (wanted.length === 0) return found;
    for (const event of await this.#store.events(wanted)) {
      // What was stored or changed while we were reading is newer than what we read.
      const current = this.peek(event.eventId, room) ?? event;
      if (current === event) this.#cache.set(event.eventId, event);
      found.set(event.eventId, current);
    }
    return found;
  }

  /** Called when an event is on disk as it stands here. */
  stored(event: StoredEvent): void {
    this.#cache.set(event.eventId, event);
  }

  forget(eventId: string): void {
    this.#cache.delete(eventId);
  }
}
