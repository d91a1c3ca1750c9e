import type { StateKey, StateMap } from '../../protocol/event.ts';
import type { EventLookup } from '../event-lookup.ts';
import { Lru } from '../lru.ts';
import type { Room } from '../room.ts';
import type { RoomStore } from '../store.ts';
import { resolve } from './resolve.ts';
import { StateSet, stateDifference } from './state-set.ts';

/** Beyond so many differences a resolved state is stored whole rather than as a change to a neighbour. */
const maxDelta = 200;

/** State sets by group number: in memory while they are used, else from the database. */
export class StateSets {
  readonly #store: RoomStore;
  readonly #lookup: EventLookup;
  readonly #cache: Lru<number, StateSet>;

  constructor(store: RoomStore, lookup: EventLookup, limit: number) {
    this.#store = store;
    this.#lookup = lookup;
    this.#cache = new Lru(limit, { weigh: (set) => set.ownSize });
  }

  peek(group: number, room?: Room): StateSet | undefined {
    return room?.pendingSets.get(group) ?? this.#cache.get(group);
  }

  async get(group: number, room?: Room): Promise<StateSet> {
    const known = this.peek(group, room);
    if (known !== undefined) return known;
    const set = StateSet.full(group, await this.#store.stateGroup(group));
    this.#cache.set(group, set);
    return set;
  }

  /** The set `base` with changes over it, to be written with the room's next write set. */
  derive(room: Room, base: StateSet, changes: ReadonlyMap<StateKey, string>): StateSet {
    const group = this.#store.nextStateGroup();
    const set = base.with(group, changes);
    return this.#announce(room, set, base.group, changes);
  }

  /** A set for a whole state, for instance one that a partner gave us. */
  create(room: Room, state: StateMap, near?: StateSet): StateSet {
    if (near !== undefined) {
      const { changed, removed } = stateDifference(near.toMap(), state);
      if (changed.size === 0 && removed.length === 0) return near;
      if (removed.length === 0 && changed.size <= maxDelta) return this.derive(room, near, changed);
    }
    const group = this.#store.nextStateGroup();
    const entries = new Map(state);
    return this.#announce(room, StateSet.full(group, entries), null, entries);
  }

  /** The resolution of the states after several events. Must run in the room's queue. */
  async resolve(room: Room, sets: readonly StateSet[]): Promise<StateSet> {
    const distinct = [...new Map(sets.map((set) => [set.group, set])).values()].sort(
      (a, b) => a.group - b.group,
    );
    const newest = distinct.at(-1);
    if (newest === undefined) throw new Error('There is no state to resolve');
    if (distinct.length === 1) return newest;
    const key = distinct.map((set) => set.group).join(',');
    const known = room.resolutions.get(key);
    if (known !== undefined) return known;
    const maps = distinct.map((set) => set.toMap());
    const resolved = await resolve(this.#lookup, room, maps);
    const set = this.create(room, resolved, newest);
    room.resolutions.set(key, set);
    return set;
  }

  #announce(
    room: Room,
    set: StateSet,
    base: number | null,
    entries: ReadonlyMap<StateKey, string>,
  ): StateSet {
    room.pendingSets.set(set.group, set);
    room.unwrittenSets.push({ set, base, entries });
    this.#cache.set(set.group, set);
    return set;
  }
}
