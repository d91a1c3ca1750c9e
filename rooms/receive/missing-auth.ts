import type { RoomEvent } from '../../protocol/event.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import { askPartners, serversToAsk } from './ask.ts';
import { addOutliers, checkedEvents } from './outliers.ts';
import { reconsider } from './unreject.ts';

/** Longer auth chains than this are not taken from one answer. */
const maxChain = 20_000;

/** The auth events of an event that we do not hold. */
export async function missingAuth(ctx: RoomContext, room: Room, event: RoomEvent): Promise<string[]> {
  const held = await ctx.lookup.many(event.pdu.auth_events, room);
  return [...new Set(event.pdu.auth_events)].filter((id) => !held.has(id));
}

/**
 * Fetches the auth chain of an event from whoever sent it and stores what is authentic. What nobody gives
 * us stays missing, and the event is rejected until it comes. Runs outside the room's queue.
 */
export async function fetchMissingAuth(
  ctx: RoomContext,
  room: Room,
  origin: string,
  event: RoomEvent,
): Promise<void> {
  const missing = await missingAuth(ctx, room, event);
  if (missing.length === 0) return;
  const servers = serversToAsk(ctx, room, { event, origin });
  const chain = await askPartners(
    servers,
    (server) => ctx.remote.eventAuth(server, room.roomId, event.eventId),
    (answer) => usable(ctx, room, answer, missing),
  );
  if (chain !== undefined) {
    await storeOutliers(ctx, room.roomId, chain);
    return;
  }
  // A server may know the events and not the event that names them.
  const single = new Map<string, RoomEvent>();
  for (const id of missing.slice(0, 10)) {
    const found = await askPartners(
      servers,
      (server) => ctx.remote.event(server, id),
      async (answer) => (await checkedEvents(ctx, room.roomId, room.version, [answer])).get(id),
    );
    if (found !== undefined) single.set(id, found);
  }
  if (single.size > 0) await storeOutliers(ctx, room.roomId, single);
}

async function usable(
  ctx: RoomContext,
  room: Room,
  answer: readonly JsonValue[],
  missing: readonly string[],
): Promise<Map<string, RoomEvent> | undefined> {
  if (answer.length > maxChain) return undefined;
  const events = await checkedEvents(ctx, room.roomId, room.version, answer);
  return missing.every((id) => events.has(id)) ? events : undefined;
}

/** Stores events without a place in the room, in one write set. */
export async function storeOutliers(
  ctx: RoomContext,
  roomId: string,
  events: ReadonlyMap<string, RoomEvent>,
): Promise<void> {
  const written = await ctx.rooms.exclusive(roomId, async (room) => {
    if (room === undefined) return { done: Promise.resolve() };
    const change = new RoomChange(ctx, room);
    const usable = await addOutliers(ctx, room, change, events);
    const done = change.ops.length === 0 ? Promise.resolve() : change.commit('outliers');
    done.catch(() => undefined);
    for (const id of usable.keys()) {
      const arrived = room.waiting.has(id) ? await ctx.lookup.one(id, room) : undefined;
      if (arrived !== undefined) await reconsider(ctx, room, arrived);
    }
    return { done };
  });
  await written.done;
}
