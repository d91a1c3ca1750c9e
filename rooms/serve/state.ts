import type { RoomEvent } from '../../protocol/event.ts';
import type { JsonValue } from '../../protocol/json.ts';
import type { RoomContext } from '../context.ts';
import { notFound } from '../errors.ts';
import type { Room } from '../room.ts';
import { loadAuthChain } from '../state/resolve.ts';
import type { StoredEvent } from '../types.ts';
import { eventOf, sharedRoom } from './guard.ts';
import { mayServerSee, served } from './visibility.ts';

/** The ids of all that authorises these events, themselves only where another of them needs them. */
export async function authChainOf(
  ctx: RoomContext,
  room: Room,
  eventIds: Iterable<string>,
): Promise<Set<string>> {
  const events = new Map<string, RoomEvent>();
  await loadAuthChain(ctx.lookup, room, eventIds, events);
  const chain = new Set<string>();
  for (const event of events.values())
    for (const id of event.pdu.auth_events) if (events.has(id)) chain.add(id);
  if (room.version.roomIdIsHash) {
    // Events of this version imply their create event instead of naming it.
    const create = room.get('m.room.create', '');
    if (create !== undefined) chain.add(create.eventId);
  }
  return chain;
}

export async function pdusOf(ctx: RoomContext, room: Room, eventIds: Iterable<string>): Promise<JsonValue[]> {
  const events = await ctx.lookup.many(eventIds, room);
  return [...events.values()].map((event) => event.pdu);
}

async function stateIdsAt(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  eventId: string,
): Promise<{ room: Room; event: StoredEvent; stateIds: string[]; chain: Set<string> }> {
  const room = await sharedRoom(ctx, origin, roomId);
  const event = await eventOf(ctx, room, eventId);
  if (event.stateGroup === null) throw notFound('We do not know the state at this event');
  const stateIds = [...(await ctx.sets.get(event.stateGroup, room)).toMap().values()];
  return { room, event, stateIds, chain: await authChainOf(ctx, room, stateIds) };
}

/**
 * `GET /state`: the state before an event of this room, and its auth chain. Of a time that the server may not see it
 * gets what keeps the room together. Throws 403 or 404.
 */
export async function getState(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  eventId: string,
): Promise<{ pdus: JsonValue[]; authChain: JsonValue[] }> {
  const { room, event, stateIds, chain } = await stateIdsAt(ctx, origin, roomId, eventId);
  const pdus = (await mayServerSee(ctx, room, event, origin))
    ? await pdusOf(ctx, room, stateIds)
    : await served(ctx, room, (await ctx.lookup.many(stateIds, room)).values(), origin);
  return { pdus, authChain: await pdusOf(ctx, room, chain) };
}

/** `GET /state_ids`. Throws 403 or 404. */
export async function getStateIds(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  eventId: string,
): Promise<{ pduIds: string[]; authChainIds: string[] }> {
  const { stateIds, chain } = await stateIdsAt(ctx, origin, roomId, eventId);
  return { pduIds: stateIds, authChainIds: [...chain] };
}

/** `GET /event_auth`: what authorises an event of this room. Throws 403 or 404. */
export async function getEventAuth(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  eventId: string,
): Promise<JsonValue[]> {
  const room = await sharedRoom(ctx, origin, roomId);
  await eventOf(ctx, room, eventId);
  const chain = await authChainOf(ctx, room, [eventId]);
  chain.delete(eventId);
  return pdusOf(ctx, room, chain);
}
