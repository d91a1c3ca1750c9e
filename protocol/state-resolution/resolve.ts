import { authorize, type StateLookup } from '../auth/authorize.ts';
import { selectAuthEvents } from '../auth/select-auth-events.ts';
import { type RoomEvent, type StateKey, type StateMap, stateKeyOf } from '../event.ts';
import type { RoomVersion } from '../room-versions.ts';
import { authDifference, conflictedSubgraph, type LoadEvent, separate } from './conflicts.ts';
import { byMainline, byPower, powerEvents } from './ordering.ts';

/**
 * Resolves the states after several events into one: algorithm v2 (room versions 10 and 11) and v2.1 (12), by the
 * numbered steps of the specification. The result does not depend on the order of its inputs.
 *
 * `load` must know the conflicted events and their full auth chains, and in version 12 the create event.
 */
export function resolveState(
  version: RoomVersion,
  stateSets: readonly StateMap[],
  load: LoadEvent,
): StateMap {
  const separated = separate(stateSets);
  const { unconflicted, conflicted } = separated;
  if (conflicted.size === 0) return unconflicted;

  const fullConflicted = new Set(conflicted);
  for (const eventId of authDifference(separated, load)) fullConflicted.add(eventId);
  const isV21 = version.stateResolution === 'v2.1';
  if (isV21) for (const eventId of conflictedSubgraph(conflicted, load)) fullConflicted.add(eventId);

  // 1. Power events, and what of their auth chains is in conflict.
  const power = powerEvents(fullConflicted, load);
  const sortedPower = byPower(power, version, load);

  // 2. From the unconflicted state (v2.1: from nothing).
  const resolved = new Map<StateKey, string>(isV21 ? [] : unconflicted);
  applyAllowed(sortedPower, resolved, version, load);

  // 3. The others, by the mainline of the power levels so far.
  const rest = [...fullConflicted].filter((eventId) => !power.has(eventId));
  const sortedRest = byMainline(rest, resolved.get(stateKeyOf('m.room.power_levels', '')), load);

  // 4.
  applyAllowed(sortedRest, resolved, version, load);

  // 5. What was never in conflict stays.
  for (const [key, eventId] of unconflicted) resolved.set(key, eventId);
  return resolved;
}

/** Iterative auth checks: applies each event that the rules allow on the state so far. */
function applyAllowed(
  events: readonly RoomEvent[],
  resolved: Map<StateKey, string>,
  version: RoomVersion,
  load: LoadEvent,
): void {
  for (const event of events) {
    if (event.pdu.state_key === undefined) continue;
    // Signatures were verified when the event came in.
    const verdict = authorize(event, stateFor(event, resolved, version, load), version, {
      isSignedBy: () => true,
    });
    if (verdict.allowed) resolved.set(stateKeyOf(event.pdu.type, event.pdu.state_key), event.eventId);
  }
}

/** The state so far; where it lacks what the rules ask for, the event's own auth events that were not rejected. */
function stateFor(
  event: RoomEvent,
  resolved: ReadonlyMap<StateKey, string>,
  version: RoomVersion,
  load: LoadEvent,
): StateLookup {
  const relevant = new Map<StateKey, RoomEvent>();
  for (const authId of event.pdu.auth_events) {
    const auth = load(authId);
    if (auth === undefined || auth.rejected || auth.pdu.state_key === undefined) continue;
    relevant.set(stateKeyOf(auth.pdu.type, auth.pdu.state_key), auth);
  }
  const createKey = stateKeyOf('m.room.create', '');
  if (version.roomIdIsHash) {
    const create = load(`$${event.roomId.slice(1)}`);
    if (create !== undefined && !create.rejected) relevant.set(createKey, create);
  }
  const keys = selectAuthEvents(event.pdu, version).map(({ type, stateKey }) => stateKeyOf(type, stateKey));
  for (const key of [...keys, createKey]) {
    const eventId = resolved.get(key);
    const inState = eventId === undefined ? undefined : load(eventId);
    if (inState !== undefined) relevant.set(key, inState);
  }
  return { get: (type, stateKey) => relevant.get(stateKeyOf(type, stateKey)) };
}
