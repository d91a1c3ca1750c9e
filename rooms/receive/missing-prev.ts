import type { RoomEvent } from '../../protocol/event.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import { askPartners, serversToAsk } from './ask.ts';
import { byPrev, type CheckedGraph, checkedGraph, inOrder } from './outliers.ts';

const maxRounds = 10;
const eventsPerRound = 100;
const maxEvents = 1_000;
const maxLatest = 20;

/** What lies between the events that we hold and one that has come. */
interface Between {
  /** Events in hand that lead to it: older history has no business here. */
  readonly needed: Map<string, RoomEvent>;
  /** Previous events that we neither hold with a state nor have in hand. */
  readonly open: Set<string>;
  /** Those that refer to them. */
  readonly before: Set<string>;
}

async function between(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  { events, unverified }: CheckedGraph,
): Promise<Between> {
  const needed = new Map<string, RoomEvent>();
  const open = new Set<string>();
  const before = new Set<string>();
  const seen = new Set<string>([event.eventId]);
  let links = event.pdu.prev_events.map((id) => [event.eventId, id] as const);
  while (links.length > 0) {
    const held = await ctx.lookup.many(
      links.map(([, id]) => id),
      room,
    );
    const next: (readonly [string, string])[] = [];
    for (const [from, id] of links) {
      if ((held.get(id)?.stateGroupAfter ?? null) !== null) continue;
      const found = events.get(id);
      const prev = found?.pdu.prev_events ?? unverified.get(id);
      if (prev === undefined) {
        open.add(id);
        before.add(from);
      } else if (!seen.has(id)) {
        seen.add(id);
        if (found !== undefined) needed.set(id, found);
        next.push(...prev.map((older) => [id, older] as const));
      }
    }
    links = next;
  }
  return { needed, open, before };
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
  const inHand: CheckedGraph = { events: new Map(), unverified: new Map() };
  const servers = serversToAsk(ctx, room, { event, origin });
  let gap = await between(ctx, room, event, inHand);
  for (let round = 0; round < maxRounds && gap.open.size > 0 && gap.needed.size < maxEvents; round += 1) {
    const latest = [...gap.before].slice(0, maxLatest);
    const found = await askPartners(
      servers,
      (server) =>
        ctx.remote.missingEvents(server, room.roomId, {
          earliest: room.extremities.slice(-maxLatest),
          latest,
          limit: eventsPerRound,
          minDepth: 0,
        }),
      async (answer) => {
        const pdus = answer.slice(0, eventsPerRound);
        const { events, unverified } = await checkedGraph(ctx, room.roomId, room.version, pdus);
        return events.size + unverified.size > 0 ? { events, unverified } : undefined;
      },
    );
    if (found === undefined) break;
    for (const [id, missing] of found.events) inHand.events.set(id, missing);
    for (const [id, prev] of found.unverified) inHand.unverified.set(id, prev);
    const known = gap.open;
    gap = await between(ctx, room, event, inHand);
    for (const id of inHand.events.keys()) if (!gap.needed.has(id)) inHand.events.delete(id);
    // Nothing of what was asked for came.
    if ([...known].every((id) => gap.open.has(id))) break;
  }
  return inOrder(gap.needed, byPrev);
}
