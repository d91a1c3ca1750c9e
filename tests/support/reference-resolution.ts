import { authorize } from '../../protocol/auth/authorize.ts';
import { selectAuthEvents } from '../../protocol/auth/select-auth-events.ts';
import { type RoomEvent, type StateKey, type StateMap, stateKeyOf } from '../../protocol/event.ts';
import { PowerLevels } from '../../protocol/power-levels.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';

type Events = ReadonlyMap<string, RoomEvent>;

/**
 * State resolution a second time, to hold the real one against: straight down the definitions of the specification,
 * with no regard to speed. It shares with the real one the auth rules alone. All events must be held.
 */
export function referenceResolution(
  version: RoomVersion,
  sets: readonly StateMap[],
  events: Events,
): Map<StateKey, string> {
  const get = (id: string): RoomEvent => {
    const event = events.get(id);
    if (event === undefined) throw new Error(`${id} is not held`);
    return event;
  };
  const chains = new Map<string, ReadonlySet<string>>();
  const chainOf = (id: string): ReadonlySet<string> => {
    const known = chains.get(id);
    if (known !== undefined) return known;
    const chain = new Set<string>();
    for (const authId of get(id).pdu.auth_events) {
      chain.add(authId);
      for (const further of chainOf(authId)) chain.add(further);
    }
    chains.set(id, chain);
    return chain;
  };

  // Unconflicted state map, conflicted state set.
  const unconflicted = new Map<StateKey, string>();
  const conflicted = new Set<string>();
  for (const key of new Set(sets.flatMap((set) => [...set.keys()]))) {
    const values = sets.map((set) => set.get(key));
    const [first] = values;
    if (first !== undefined && values.every((value) => value === first)) unconflicted.set(key, first);
    else for (const value of values) if (value !== undefined) conflicted.add(value);
  }
  if (conflicted.size === 0) return unconflicted;

  // Auth difference.
  const full = sets.map((set) => new Set([...set.values()].flatMap((id) => [...chainOf(id)])));
  const fullConflicted = new Set(conflicted);
  for (const id of events.keys()) {
    const count = full.filter((chain) => chain.has(id)).length;
    if (count > 0 && count < full.length) fullConflicted.add(id);
  }

  // Conflicted state subgraph.
  if (version.stateResolution === 'v2.1') {
    for (const id of events.keys()) {
      const isReached = conflicted.has(id) || [...conflicted].some((from) => chainOf(from).has(id));
      const reaches = conflicted.has(id) || [...conflicted].some((to) => chainOf(id).has(to));
      if (isReached && reaches) fullConflicted.add(id);
    }
  }

  // Step 1.
  const isPower = ({ pdu }: RoomEvent): boolean =>
    pdu.type === 'm.room.power_levels' ||
    pdu.type === 'm.room.join_rules' ||
    (pdu.type === 'm.room.member' &&
      ['leave', 'ban'].includes(String(pdu.content['membership'])) &&
      pdu.sender !== pdu.state_key);
  const chosen = new Set<string>();
  for (const id of fullConflicted) {
    if (!isPower(get(id))) continue;
    chosen.add(id);
    for (const authId of chainOf(id)) if (fullConflicted.has(authId)) chosen.add(authId);
  }
  const powerOf = ({ roomId, pdu }: RoomEvent): number => {
    const auth = pdu.auth_events.map(get);
    const create = version.roomIdIsHash
      ? events.get(`$${roomId.slice(1)}`)
      : auth.find((event) => event.pdu.type === 'm.room.create');
    const levels = auth.find((event) => event.pdu.type === 'm.room.power_levels');
    return new PowerLevels(create, levels, version).userLevel(pdu.sender);
  };
  const younger = (a: RoomEvent, b: RoomEvent): number =>
    a.pdu.origin_server_ts - b.pdu.origin_server_ts || (a.eventId < b.eventId ? -1 : 1);
  const sorted: RoomEvent[] = [];
  const left = new Set(chosen);
  while (left.size > 0) {
    const free = [...left].map(get).filter((event) => !event.pdu.auth_events.some((id) => left.has(id)));
    free.sort((a, b) => {
      const [x, y] = [powerOf(a), powerOf(b)];
      return x === y ? younger(a, b) : x > y ? -1 : 1;
    });
    const [smallest] = free;
    if (smallest === undefined) throw new Error('The auth events form a cycle');
    sorted.push(smallest);
    left.delete(smallest.eventId);
  }

  // Steps 2 to 4.
  const state = new Map<StateKey, string>(version.stateResolution === 'v2.1' ? [] : unconflicted);
  const apply = (list: readonly RoomEvent[]): void => {
    for (const event of list) {
      const { pdu } = event;
      const find = (type: string, stateKey: string): RoomEvent | undefined => {
        const needed = selectAuthEvents(pdu, version).some(
          (key) => key.type === type && key.stateKey === stateKey,
        );
        if (!needed && type !== 'm.room.create') return undefined;
        const inState = state.get(stateKeyOf(type, stateKey));
        if (inState !== undefined) return get(inState);
        if (type === 'm.room.create' && version.roomIdIsHash) return events.get(`$${event.roomId.slice(1)}`);
        return pdu.auth_events
          .map(get)
          .find((auth) => auth.pdu.type === type && auth.pdu.state_key === stateKey && !auth.rejected);
      };
      const verdict = authorize(event, { get: find }, version, { isSignedBy: () => true });
      if (verdict.allowed && pdu.state_key !== undefined)
        state.set(stateKeyOf(pdu.type, pdu.state_key), event.eventId);
    }
  };
  apply(sorted);
  const levelsOf = (id: string): string | undefined =>
    get(id).pdu.auth_events.find((authId) => get(authId).pdu.type === 'm.room.power_levels');
  const walk = (from: string | undefined): string[] =>
    from === undefined ? [] : [from, ...walk(levelsOf(from))];
  const mainline = walk(state.get(stateKeyOf('m.room.power_levels', '')));
  const positionOf = (id: string): number => {
    const met = walk(levelsOf(id)).find((other) => mainline.includes(other));
    return met === undefined ? Number.POSITIVE_INFINITY : mainline.indexOf(met);
  };
  const rest = [...fullConflicted].filter((id) => !chosen.has(id)).map(get);
  rest.sort((a, b) => {
    const [x, y] = [positionOf(a.eventId), positionOf(b.eventId)];
    return x === y ? younger(a, b) : y > x ? 1 : -1;
  });
  apply(rest);

  // Step 5.
  for (const [key, id] of unconflicted) state.set(key, id);
  return state;
}
