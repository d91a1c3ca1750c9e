import type { JsonValue } from '../../protocol/json.ts';
import type { RoomContext } from '../context.ts';
import { notFound } from '../errors.ts';
import type { Room } from '../room.ts';
import type { StoredEvent } from '../types.ts';
import { sharedRoom } from './guard.ts';
import { served } from './visibility.ts';

const maxEvents = 100;
/** A walk looks at no more events than this, however they are linked. */
const maxWalked = 1_000;

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
