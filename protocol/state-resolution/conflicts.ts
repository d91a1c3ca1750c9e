import type { RoomEvent, StateKey, StateMap } from '../event.ts';

/** Gives an event by its id; undefined for one that we do not hold. */
export type LoadEvent = (eventId: string) => RoomEvent | undefined;

export interface SeparatedState {
  readonly unconflicted: Map<StateKey, string>;
  /** The conflicted state set. */
  readonly conflicted: Set<string>;
  /** The conflicted events of each of the states. */
  readonly conflictedBySet: readonly ReadonlySet<string>[];
}

/** Unconflicted state map and conflicted state set: a key is unconflicted if each state has it with one value. */
export function separate(stateSets: readonly StateMap[]): SeparatedState {
  const unconflicted = new Map<StateKey, string>();
  const conflicted = new Set<string>();
  const conflictedBySet = stateSets.map(() => new Set<string>());
  const keys = new Set<StateKey>();
  for (const set of stateSets) for (const key of set.keys()) keys.add(key);
  for (const key of keys) {
    const first = stateSets[0]?.get(key);
    if (first !== undefined && stateSets.every((set) => set.get(key) === first)) {
      unconflicted.set(key, first);
      continue;
    }
    stateSets.forEach((set, index) => {
      const eventId = set.get(key);
      if (eventId === undefined) return;
      conflicted.add(eventId);
      conflictedBySet[index]?.add(eventId);
    });
  }
  return { unconflicted, conflicted, conflictedBySet };
}

/** The union of the auth chains of some events; an event belongs to it only if another one refers to it. */
export function authChain(eventIds: Iterable<string>, load: LoadEvent): Set<string> {
  const chain = new Set<string>();
  const open = [...eventIds];
  for (let eventId = open.pop(); eventId !== undefined; eventId = open.pop()) {
    for (const authId of load(eventId)?.pdu.auth_events ?? []) {
      if (chain.has(authId)) continue;
      chain.add(authId);
      open.push(authId);
    }
  }
  return chain;
}

/**
 * The auth difference: what is in the full auth chain of some states and not of all. The unconflicted events have
 * the same chain in each state, so only the chains of the conflicted ones are compared; what the unconflicted
 * chain holds too is in every full chain and drops out.
 */
export function authDifference(separated: SeparatedState, load: LoadEvent): Set<string> {
  // In how many of the chains each event is: one chain at a time is held, however many states there are.
  const counts = new Map<string, number>();
  for (const eventIds of separated.conflictedBySet) {
    for (const eventId of authChain(eventIds, load)) counts.set(eventId, (counts.get(eventId) ?? 0) + 1);
  }
  const difference = new Set<string>();
  for (const [eventId, count] of counts) {
    if (count < separated.conflictedBySet.length) difference.add(eventId);
  }
  if (difference.size > 0) {
    for (const eventId of authChain(separated.unconflicted.values(), load)) difference.delete(eventId);
  }
  return difference;
}

/**
 * The conflicted state subgraph (version 12): all events on paths of `auth_events` between two conflicted events,
 * ends included. Such an event is reached from a conflicted one and reaches one.
 */
export function conflictedSubgraph(conflicted: ReadonlySet<string>, load: LoadEvent): Set<string> {
  const referredBy = new Map<string, string[]>();
  const seen = new Set(conflicted);
  const open = [...conflicted];
  for (let eventId = open.pop(); eventId !== undefined; eventId = open.pop()) {
    for (const authId of load(eventId)?.pdu.auth_events ?? []) {
      const referrers = referredBy.get(authId);
      if (referrers === undefined) referredBy.set(authId, [eventId]);
      else referrers.push(eventId);
      if (seen.has(authId)) continue;
      seen.add(authId);
      open.push(authId);
    }
  }
  const subgraph = new Set(conflicted);
  const back = [...conflicted];
  for (let eventId = back.pop(); eventId !== undefined; eventId = back.pop()) {
    for (const referrer of referredBy.get(eventId) ?? []) {
      if (subgraph.has(referrer)) continue;
      subgraph.add(referrer);
      back.push(referrer);
    }
  }
  return subgraph;
}
