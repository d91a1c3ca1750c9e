import { authorize, type StateLookup, type Verdict } from '../protocol/auth/authorize.ts';
import { selectAuthEvents } from '../protocol/auth/select-auth-events.ts';
import { type Pdu, type RoomEvent, type StateKey, stateKeyOf } from '../protocol/event.ts';
import { type RoomContext, signers } from './context.ts';
import type { Room } from './room.ts';
import type { StateSet } from './state/state-set.ts';

/** A state lookup over a handful of events. */
export function lookupOver(events: Iterable<RoomEvent>): StateLookup {
  const map = new Map<StateKey, RoomEvent>();
  for (const event of events) {
    if (event.pdu.state_key !== undefined) map.set(stateKeyOf(event.pdu.type, event.pdu.state_key), event);
  }
  return { get: (type, stateKey) => map.get(stateKeyOf(type, stateKey)) };
}

/** The part of a state that the auth rules look at for this event. */
export function authStateAt(
  ctx: RoomContext,
  room: Room,
  event: Pick<Pdu, 'type' | 'sender' | 'state_key' | 'content'>,
  set: StateSet,
): StateLookup | Promise<StateLookup> {
  return set.group === room.current.group ? room : loadAuthState(ctx, room, event, set);
}

async function loadAuthState(
  ctx: RoomContext,
  room: Room,
  event: Pick<Pdu, 'type' | 'sender' | 'state_key' | 'content'>,
  set: StateSet,
): Promise<StateLookup> {
  const ids = new Set<string>();
  for (const { type, stateKey } of selectAuthEvents(event, room.version)) {
    const id = set.get(stateKeyOf(type, stateKey));
    if (id !== undefined) ids.add(id);
  }
  const create = set.get(stateKeyOf('m.room.create', ''));
  if (create !== undefined) ids.add(create);
  const events = await ctx.lookup.many(ids, room);
  return lookupOver(events.values());
}

/** The auth rules of the room's version against one of its states. */
export async function authorizeAt(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  set: StateSet,
): Promise<Verdict> {
  const state = await authStateAt(ctx, room, event.pdu, set);
  return authorize(event, state, room.version, signers(ctx, event.pdu, room.version));
}

/** Ids for `auth_events` of an event that is made on top of this state. */
export function authEventIds(
  event: Pick<Pdu, 'type' | 'sender' | 'state_key' | 'content'>,
  room: Room,
  set: StateSet,
): string[] {
  const ids: string[] = [];
  const isCurrent = set.group === room.current.group;
  for (const { type, stateKey } of selectAuthEvents(event, room.version)) {
    const id = isCurrent ? room.get(type, stateKey)?.eventId : set.get(stateKeyOf(type, stateKey));
    if (id !== undefined && !ids.includes(id)) ids.push(id);
  }
  return ids;
}
