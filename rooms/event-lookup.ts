import type { EventStore } from '../storage/stores/event-store.ts';
import type { Room } from './room.ts';
import type { StoredEvent } from './types.ts';

/** Events by id: from what is being written to a room, from memory, from the database. */
export class EventLookup {
  readonly #events: EventStore;

  constructor(events: EventStore) {
    this.#events = events;
  }

  /** Only from memory. */
  peek(eventId: string, room?: Room): StoredEvent | undefined {
    return room?.pendingEvents.get(eventId) ?? this.#events.peek(eventId);
  }

  async one(eventId: string, room?: Room): Promise<StoredEvent | undefined> {
    return this.peek(eventId, room) ?? (await this.many([eventId], room)).get(eventId);
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
    // What was taken up while we were reading is newer than what we read.
    for (const [id, event] of await this.#events.getMany(wanted))
      found.set(id, room?.pendingEvents.get(id) ?? event);
    return found;
  }

  /** Called when an event is on disk as it stands here. */
  stored(event: StoredEvent): void {
    this.#events.remember(event);
  }
}
