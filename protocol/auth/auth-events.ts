import type { RoomEvent } from '../event.ts';
import { stateKeyOf } from '../event.ts';
import type { RoomVersion } from '../room-versions.ts';
import { selectAuthEvents } from './select-auth-events.ts';
import { type Rejection, rejected } from './verdict.ts';

/**
 * The rules about an event's `auth_events` themselves: rule 2 of versions 10 and 11, rules 2 and 3 of version 12.
 * `authEvents` are the events that it names, in its order; `create` is the room's create event as we hold it,
 * which version 12 finds by the room id. Undefined: nothing speaks against the event so far, `authorize` decides.
 */
export function checkAuthEvents(
  event: RoomEvent,
  authEvents: readonly RoomEvent[],
  version: RoomVersion,
  create?: RoomEvent,
): Rejection | undefined {
  // Rule 1 decides about it alone.
  if (event.pdu.type === 'm.room.create') return undefined;

  // 2. of version 12
  if (version.roomIdIsHash) {
    const isOfThisRoom = create !== undefined && create.eventId === `$${event.roomId.slice(1)}`;
    if (!isOfThisRoom || create.rejected || create.pdu.type !== 'm.room.create') {
      return rejected('2', 'The room id names no accepted create event');
    }
  }

  // 2. (3.)
  const rule = (rest: string): string => `${version.roomIdIsHash ? 3 : 2}${rest}`;
  const keys = authEvents.map(({ pdu: { type, state_key } }) =>
    state_key === undefined ? undefined : stateKeyOf(type, state_key),
  );
  // .1
  const stateKeys = keys.filter((key) => key !== undefined);
  if (new Set(stateKeys).size < stateKeys.length) {
    return rejected(rule('.1'), 'Two auth events have one type and state key');
  }
  // .2
  const selected = new Set(
    selectAuthEvents(event.pdu, version).map(({ type, stateKey }) => stateKeyOf(type, stateKey)),
  );
  if (keys.some((key) => key === undefined || !selected.has(key))) {
    return rejected(rule('.2'), 'An auth event is not one of those that the event may name');
  }
  // .3
  if (authEvents.some((auth) => auth.rejected)) return rejected(rule('.3'), 'An auth event was rejected');
  // .4 of versions 10 and 11
  if (!version.roomIdIsHash && !authEvents.some(({ pdu }) => pdu.type === 'm.room.create')) {
    return rejected(rule('.4'), 'No create event among the auth events');
  }
  // .5; version 12 has this number without a .4
  if (authEvents.some((auth) => auth.roomId !== event.roomId)) {
    return rejected(rule('.5'), 'An auth event is of another room');
  }
  return undefined;
}
