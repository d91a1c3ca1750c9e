import type { RoomEvent, StateKey } from '../event.ts';
import { stateKeyOf } from '../event.ts';
import type { RoomVersion } from '../room-versions.ts';
import { selectAuthEvents } from './select-auth-events.ts';
import { allowed, rejected, type Verdict } from './verdict.ts';

/**
 * The rules about an event's `auth_events` themselves: rule 2 of versions 10 and 11, rules 2 and 3 of version 12.
 * `create` is the room's create event as we hold it; version 12 finds it by the room id.
 */
export function checkAuthEvents(
  event: RoomEvent,
  authEvents: readonly RoomEvent[],
  version: RoomVersion,
  create?: RoomEvent,
): Verdict {
  if (event.pdu.type === 'm.room.create') return allowed;
  if (version.roomIdIsHash) {
    const isOfThisRoom = create !== undefined && create.eventId === `$${event.roomId.slice(1)}`;
    if (!isOfThisRoom || create.rejected || create.pdu.type !== 'm.room.create') {
      return rejected('2', 'The room id names no accepted create event');
    }
  }
  const section = version.roomIdIsHash ? '3' : '2';
  const expected = new Set(
    selectAuthEvents(event.pdu, version).map(({ type, stateKey }) => stateKeyOf(type, stateKey)),
  );
  const seen = new Set<StateKey>();
  let hasCreate = false;
  for (const { pdu } of authEvents) {
    const key = pdu.state_key === undefined ? undefined : stateKeyOf(pdu.type, pdu.state_key);
    if (key !== undefined && seen.has(key)) {
      return rejected(`${section}.1`, `Two auth events for ${pdu.type} and one state key`);
    }
    if (key === undefined || !expected.has(key)) {
      return rejected(`${section}.2`, `${pdu.type} does not belong among the auth events`);
    }
    seen.add(key);
    if (pdu.type === 'm.room.create') hasCreate = true;
  }
  if (authEvents.some((auth) => auth.rejected)) return rejected(`${section}.3`, 'An auth event was rejected');
  if (!version.roomIdIsHash && !hasCreate) return rejected('2.4', 'No create event among the auth events');
  if (authEvents.some((auth) => auth.roomId !== event.roomId)) {
    return rejected(`${section}.5`, 'An auth event is of another room');
  }
  return allowed;
}
