import { splitStateKey, stateKeyOf } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { redact } from '../../protocol/redaction.ts';
import type { RoomContext } from '../context.ts';
import { notFound } from '../errors.ts';
import { membershipOf, type Room } from '../room.ts';
import type { StateSet } from '../state/state-set.ts';
import type { StoredEvent } from '../types.ts';
import { sharedRoom } from './guard.ts';

const maxEvents = 100;
/** A walk looks at no more events than this, however they are linked. */
const maxWalked = 1_000;

/** State without which the asking server could not judge anything is never withheld. */
const structural: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.member',
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.third_party_invite',
  'm.room.history_visibility',
  'm.room.server_acl',
]);

/** Had the server somebody in the room at that state, joined (or, where that is enough, invited)? */
async function wasPresent(
  ctx: RoomContext,
  room: Room,
  state: StateSet,
  server: string,
  invited: boolean,
): Promise<boolean> {
  const ids: string[] = [];
  for (const [key, id] of state.toMap()) {
    const { type, stateKey } = splitStateKey(key);
    if (type === 'm.room.member' && serverNameOf(stateKey) === server) ids.push(id);
  }
  for (const member of (await ctx.lookup.many(ids, room)).values()) {
    const membership = membershipOf(member);
    if (membership === 'join' || (invited && membership === 'invite')) return true;
  }
  return false;
}

/** May a server that is in the room see this event's content, by the history visibility at the event? */
async function mayServerSee(
  ctx: RoomContext,
  room: Room,
  event: StoredEvent,
  server: string,
): Promise<boolean> {
  const { pdu } = event;
  if (serverNameOf(pdu.sender) === server) return true;
  if (pdu.state_key !== undefined) {
    if (structural.has(pdu.type)) return true;
    if (room.state.get(stateKeyOf(pdu.type, pdu.state_key))?.eventId === event.eventId) return true;
  }
  if (event.stateGroup === null) return true; // outliers are state that was given to us
  const state = await ctx.sets.get(event.stateGroup, room);
  const id = state.get(stateKeyOf('m.room.history_visibility', ''));
  const setting = id === undefined ? undefined : await ctx.lookup.one(id, room);
  const visibility = setting?.pdu.content['history_visibility'];
  if (visibility !== 'joined' && visibility !== 'invited') return true;
  return wasPresent(ctx, room, state, server, visibility === 'invited');
}

/** As we serve it: whole, or in its redacted form, which keeps the graph together and tells nothing. */
async function served(
  ctx: RoomContext,
  room: Room,
  events: readonly StoredEvent[],
  server: string,
): Promise<JsonValue[]> {
  const pdus: JsonValue[] = [];
  for (const event of events) {
    const visible = await mayServerSee(ctx, room, event, server);
    pdus.push(visible ? event.pdu : redact(event.pdu, room.version));
  }
  return pdus;
}

/** `GET /event`: only to servers that are in its room. Throws 403 or 404. */
export async function getEvent(ctx: RoomContext, origin: string, eventId: string): Promise<JsonValue> {
  const event = await ctx.lookup.one(eventId);
  if (event === undefined) throw notFound('Unknown event');
  const room = await sharedRoom(ctx, origin, event.roomId);
  const [pdu] = await served(ctx, room, [event], origin);
  if (pdu === undefined) throw notFound('Unknown event');
  return pdu;
}

/** Walks backwards along previous events, a generation at a time. */
async function walk(
  ctx: RoomContext,
  room: Room,
  from: Iterable<string>,
  options: { limit: number; skip: ReadonlySet<string>; minDepth: number },
): Promise<StoredEvent[]> {
  const found = new Map<string, StoredEvent>();
  const seen = new Set<string>();
  let ids = [...from];
  while (ids.length > 0 && found.size < options.limit && seen.size < maxWalked) {
    const wanted = ids.filter((id) => !seen.has(id) && !options.skip.has(id));
    for (const id of wanted) seen.add(id);
    const events = [...(await ctx.lookup.many(wanted, room)).values()]
      .filter((event) => event.roomId === room.roomId && !event.outlier)
      .sort((a, b) => b.pdu.depth - a.pdu.depth);
    const next: string[] = [];
    for (const event of events) {
      if (event.pdu.depth < options.minDepth || found.size === options.limit) continue;
      found.set(event.eventId, event);
      next.push(...event.pdu.prev_events);
    }
    ids = next;
  }
  return [...found.values()];
}

/** `GET /backfill`: the given events and what precedes them, newest first, at most 100. Throws 403 or 404. */
export async function backfill(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  from: readonly string[],
  limit: number,
): Promise<JsonValue[]> {
  const room = await sharedRoom(ctx, origin, roomId);
  const count = Math.min(Math.max(limit, 1), maxEvents);
  const events = await walk(ctx, room, from.slice(0, maxEvents), {
    limit: count,
    skip: new Set(),
    minDepth: 0,
  });
  return served(ctx, room, events, origin);
}

/**
 * `POST /get_missing_events`: what precedes `latest` and does not belong to `earliest`, oldest first.
 * Throws 403 or 404.
 */
export async function getMissingEvents(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  request: { earliest: readonly string[]; latest: readonly string[]; limit: number; minDepth: number },
): Promise<JsonValue[]> {
  const room = await sharedRoom(ctx, origin, roomId);
  const latest = new Set(request.latest.slice(0, maxEvents));
  const start: string[] = [];
  for (const event of (await ctx.lookup.many(latest, room)).values())
    if (event.roomId === room.roomId) start.push(...event.pdu.prev_events);
  const events = await walk(ctx, room, start, {
    limit: Math.min(Math.max(request.limit, 1), maxEvents),
    skip: new Set([...request.earliest, ...latest]),
    minDepth: request.minDepth,
  });
  return served(ctx, room, events.reverse(), origin);
}
