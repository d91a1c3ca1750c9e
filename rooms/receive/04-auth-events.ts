import { checkAuthEvents } from '../../protocol/auth/auth-events.ts';
import { authorize } from '../../protocol/auth/authorize.ts';
import { type RoomEvent, stateKeyOf } from '../../protocol/event.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import { lookupOver } from '../auth.ts';
import { type RoomContext, signers } from '../context.ts';
import type { Room } from '../room.ts';

export type AuthEventsVerdict =
  | { ok: true }
  /** `waitingFor`: auth events that may still come, or may still be accepted; the event is judged again then. */
  | { ok: false; reason: string; waitingFor: string[] };

/**
 * Step 4: the auth rules with the events that the event itself names as its authorisation. Otherwise it is
 * rejected. `events` are the auth events that we hold, by id.
 */
export function checkByAuthEvents(
  ctx: RoomContext,
  version: RoomVersion,
  event: RoomEvent,
  events: ReadonlyMap<string, RoomEvent>,
  create: RoomEvent | undefined,
): AuthEventsVerdict {
  const missing = event.pdu.auth_events.filter((id) => !events.has(id));
  if (missing.length > 0)
    return { ok: false, reason: `auth events: we do not hold ${missing.join(', ')}`, waitingFor: missing };
  const named = event.pdu.auth_events.map((id) => events.get(id)).filter((named) => named !== undefined);
  const rejection = checkAuthEvents(event, named, version, create);
  if (rejection !== undefined) {
    const rejected = named.filter((auth) => auth.rejected).map((auth) => auth.eventId);
    return { ok: false, reason: `auth events: ${rejection.rule} ${rejection.reason}`, waitingFor: rejected };
  }
  const state = lookupOver(create === undefined ? named : [create, ...named]);
  const allowed = authorize(event, state, version, signers(ctx, event.pdu, version));
  if (allowed.allowed) return { ok: true };
  return { ok: false, reason: `auth events: ${allowed.rule} ${allowed.reason}`, waitingFor: [] };
}

/** The room's create event, for versions in which events imply it rather than name it. */
export function impliedCreate(room: Room): RoomEvent | undefined {
  return room.version.roomIdIsHash ? room.state.get(stateKeyOf('m.room.create', '')) : undefined;
}
