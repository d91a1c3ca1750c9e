import type { StateKey } from '../protocol/event.ts';
import { roomVersion } from '../protocol/room-versions.ts';
import type { EventLookup } from './event-lookup.ts';
import { Lru } from './lru.ts';
import { KeyedQueues } from './queue.ts';
import { Room } from './room.ts';
import type { StateSets } from './state/state-sets.ts';
import type { RoomStore } from './store.ts';
import type { StoredEvent } from './types.ts';

/** The rooms in memory, and the queue of each. */
export class RoomRegistry {
  readonly #serverName: string;
  readonly #store: RoomStore;
  readonly #lookup: EventLookup;
  readonly #sets: StateSets;
  readonly #rooms: Lru<string, Room>;
  readonly #loading = new Map<string, Promise<Room | undefined>>();
  readonly #draining = new Map<string, Promise<unknown>>();
  readonly #queues = new KeyedQueues();

  constructor(serverName: string, store: RoomStore, lookup: EventLookup, sets: StateSets, limit: number) {
    this.#serverName = serverName;
    this.#store = store;
    this.#lookup = lookup;
    this.#sets = sets;
    this.#rooms = new Lru(limit, {
      mayForget: (room) => room.pins === 0 && room.writes.size === 0,
    });
  }

  peek(roomId: string): Room | undefined {
    return this.#rooms.get(roomId);
  }

  /** The room if we hold it, loaded on first use. */
  get(roomId: string): Promise<Room | undefined> | Room | undefined {
    return this.#rooms.get(roomId) ?? this.#load(roomId);
  }

  /**
   * Runs a task in the room's serial queue, also for rooms that do not exist yet. A change that the task
   * began and did not hand to the writer has moved the view already: the view is thrown away then.
   */
  exclusive<T>(roomId: string, task: (room: Room | undefined) => Promise<T> | T): Promise<T> {
    return this.#queues.run(roomId, async () => {
      const room = this.#rooms.get(roomId) ?? (await this.#load(roomId));
      if (room === undefined) return task(undefined);
      room.pins += 1;
      try {
        return await task(room);
      } finally {
        room.pins -= 1;
        if (room.changing) this.invalidate(room);
      }
    });
  }

  /** Takes in a room that was made or joined just now. */
  add(room: Room): void {
    this.#rooms.set(room.roomId, room);
  }

  /**
   * Throws the room's view away because a write set of it failed. The next use loads it from disk, once
   * everything that was built on it has failed as well.
   */
  invalidate(room: Room): void {
    if (room.stale) return;
    room.stale = true;
    if (this.#rooms.peek(room.roomId) === room) this.#rooms.delete(room.roomId);
    const drained = Promise.allSettled(room.writes);
    this.#draining.set(room.roomId, drained);
    drained.then(() => {
      if (this.#draining.get(room.roomId) === drained) this.#draining.delete(room.roomId);
    });
  }

  #load(roomId: string): Promise<Room | undefined> {
    const running = this.#loading.get(roomId);
    if (running !== undefined) return running;
    const load = this.#read(roomId).finally(() => this.#loading.delete(roomId));
    this.#loading.set(roomId, load);
    return load;
  }

  async #read(roomId: string): Promise<Room | undefined> {
    await this.#draining.get(roomId);
    const row = await this.#store.room(roomId);
    if (row === undefined || row.stateGroup === null) return undefined;
    const version = roomVersion(row.version);
    if (version === undefined) return undefined;
    const current = await this.#sets.get(row.stateGroup);
    const entries = current.toMap();
    const events = await this.#lookup.many([...entries.values(), ...row.extremities]);
    const room = new Room({
      roomNid: row.roomNid,
      roomId,
      version,
      revision: row.revision,
      current,
      tips: row.extremities.map((id) => events.get(id)).filter((event) => event !== undefined),
      missing: await this.#store.missing(row.roomNid),
      waiting: await this.#store.waitingForAuth(row.roomNid),
      heldRedactions: await this.#store.heldRedactions(row.roomNid),
      state: stateEvents(entries, events),
      serverName: this.#serverName,
    });
    this.#rooms.set(roomId, room);
    return room;
  }
}

function* stateEvents(
  entries: ReadonlyMap<StateKey, string>,
  events: ReadonlyMap<string, StoredEvent>,
): IterableIterator<[StateKey, StoredEvent]> {
  for (const [key, id] of entries) {
    const event = events.get(id);
    if (event !== undefined) yield [key, event];
  }
}
