import type { RoomEvent } from '../../protocol/event.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import { askPartners, serversToAsk } from './ask.ts';
import { byPrev, checkedEvents, inOrder } from './outliers.ts';

const maxRounds = 10;
const eventsPerRound = 100;
const maxEvents = 1_000;
const maxLatest = 20;

/** The previous events of these that we neither hold with a state nor have in hand. */
async function gapsIn(
  ctx: RoomContext,
  room: Room,
  events: ReadonlyMap<string, RoomEvent>,
): Promise<{ missing: Set<string>; with: string[] }> {
  const prev = new Set<string>();
  for (const event of events.values())
    for (const id of event.pdu.prev_events) if (!events.has(id)) prev.add(id);
  const held = await ctx.lookup.many(prev, room);
  const missing = new Set<string>();
  for (const id of prev) if ((held.get(id)?.stateGroupAfter ?? null) === null) missing.add(id);
  const open = [...events.values()].filter((event) => event.pdu.prev_events.some((id) => missing.has(id)));
  return { missing, with: open.map((event) => event.eventId) };
}

/** Of the events in hand those that lead from what we hold to this one: older history has no business here. */
async function between(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  events: ReadonlyMap<string, RoomEvent>,
): Promise<Map<string, RoomEvent>> {
  const needed = new Map<string, RoomEvent>();
  let ids = event.pdu.prev_events;
  while (ids.length > 0) {
    const held = await ctx.lookup.many(ids, room);
    const next: string[] = [];
    for (const id of ids) {
      const found = events.get(id);
      if (found === undefined || needed.has(id) || (held.get(id)?.stateGroupAfter ?? null) !== null) continue;
      needed.set(id, found);
      next.push(...found.pdu.prev_events);
    }
    ids = next;
  }
  return needed;
}

/**
 * Fetches what lies between the events we have and this one with `get_missing_events`, a bounded number of
 * rounds. Gives the events in the order of the graph; what could not be had stays a gap. Runs outside the
 * room's queue.
 */
export async function fetchMissingPrev(
  ctx: RoomContext,
  room: Room,
  origin: string,
  event: RoomEvent,
): Promise<RoomEvent[]> {
  const events = new Map([[event.eventId, event]]);
  const servers = serversToAsk(ctx, room, { event, origin });
  for (let round = 0; round < maxRounds && events.size < maxEvents; round += 1) {
    const gaps = await gapsIn(ctx, room, events);
    if (gaps.missing.size === 0) break;
    const latest = gaps.with.slice(0, maxLatest);
    const found = await askPartners(
      servers,
      (server) =>
        ctx.remote.missingEvents(server, room.roomId, {
          earliest: room.extremities.slice(-maxLatest),
          latest,
          limit: eventsPerRound,
          minDepth: 0,
        }),
      (answer) => {
        const checked = checkedEvents(ctx, room.roomId, room.version, answer.slice(0, eventsPerRound));
        for (const id of events.keys()) checked.delete(id);
        return checked.size > 0 ? checked : undefined;
      },
    );
    if (found === undefined) break;
    for (const [id, missing] of found) if (events.size < maxEvents) events.set(id, missing);
    const needed = await between(ctx, room, event, events);
    for (const id of events.keys()) if (id !== event.eventId && !needed.has(id)) events.delete(id);
  }
  return inOrder(await between(ctx, room, event, events), byPrev);
}
