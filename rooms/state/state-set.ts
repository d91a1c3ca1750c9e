import type { StateKey, StateMap } from '../../protocol/event.ts';

/** So many layers, and the next one is a full copy: reads stay short, a change costs little on average. */
const maxLayers = 24;

/**
 * The state of a room at one point: an immutable map from (type, state key) to event id, with the number
 * of its state group. Neighbouring states differ in one entry, so a set holds its difference to an older
 * set and shares the rest with it.
 */
export class StateSet {
  readonly group: number;
  readonly size: number;
  readonly #parent: StateSet | undefined;
  readonly #own: Map<StateKey, string>;
  readonly #layers: number;

  private constructor(group: number, own: Map<StateKey, string>, parent: StateSet | undefined, size: number) {
    this.group = group;
    this.#own = own;
    this.#parent = parent;
    this.#layers = parent === undefined ? 1 : parent.#layers + 1;
    this.size = size;
  }

  /** A set that stands alone. It keeps `entries`: do not change them afterwards. */
  static full(group: number, entries: Map<StateKey, string>): StateSet {
    return new StateSet(group, entries, undefined, entries.size);
  }

  /** This set with `changes` over it, under a group number of its own. */
  with(group: number, changes: ReadonlyMap<StateKey, string>): StateSet {
    let size = this.size;
    for (const key of changes.keys()) if (this.get(key) === undefined) size += 1;
    if (this.#layers < maxLayers) return new StateSet(group, new Map(changes), this, size);
    const entries = this.toMap();
    for (const [key, id] of changes) entries.set(key, id);
    return StateSet.full(group, entries);
  }

  get(key: StateKey): string | undefined {
    let layer: StateSet | undefined = this;
    while (layer !== undefined) {
      const id = layer.#own.get(key);
      if (id !== undefined) return id;
      layer = layer.#parent;
    }
    return undefined;
  }

  /** A copy as a plain map. */
  toMap(): Map<StateKey, string> {
    const layers: Map<StateKey, string>[] = [];
    let layer: StateSet | undefined = this;
    while (layer !== undefined) {
      layers.push(layer.#own);
      layer = layer.#parent;
    }
    const map = new Map(layers.pop());
    for (let own = layers.pop(); own !== undefined; own = layers.pop()) {
      for (const [key, id] of own) map.set(key, id);
    }
    return map;
  }

  /** Entries that this set holds itself: what it adds to the memory in use. */
  get ownSize(): number {
    return this.#own.size + 8;
  }
}

/** What changes from `before` to `after`; `removed` holds keys that `after` has not. */
export function stateDifference(
  before: StateMap,
  after: StateMap,
): { changed: Map<StateKey, string>; removed: StateKey[] } {
  const changed = new Map<StateKey, string>();
  const removed: StateKey[] = [];
  for (const [key, id] of after) if (before.get(key) !== id) changed.set(key, id);
  for (const key of before.keys()) if (!after.has(key)) removed.push(key);
  return { changed, removed };
}

/** A state group that is written with the next write set: all of it, or what it changes of another. */
export interface NewStateSet {
  readonly set: StateSet;
  readonly base: number | null;
  readonly entries: ReadonlyMap<StateKey, string>;
}
