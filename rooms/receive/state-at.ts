import type { RoomEvent, StateKey } from '../../protocol/event.ts';
import { stateKeyOf } from '../../protocol/event.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import { askPartners, serversToAsk } from './ask.ts';
import { storeOutliers } from './missing-auth.ts';
import { checkedEvents } from './outliers.ts';

/** A room's state has no more events than this, or its server is not believed. */
const maxStateEvents = 100_000;
/** With more missing than this the whole state is asked for at once. */
const maxSingleEvents = 20;

/**
 * The state before an event, as partners tell it: the ids from `state_ids`, the events that we lack from
 * `event` or `state`. Everything is checked as on receipt and stored as outliers; what is rejected has no
 * part in the state. Undefined if all who were asked refuse it, or give nothing usable; throws `TryAgain` if one
 * could not be reached. Runs outside the room's queue.
 */
export async function fetchStateBefore(
  ctx: RoomContext,
  room: Room,
  origin: string,
  event: RoomEvent,
): Promise<Map<StateKey, string> | undefined> {
  const { eventId } = event;
  return askPartners(
    serversToAsk(ctx, room, { event, origin }),
    (server) => ctx.remote.stateIds(server, room.roomId, eventId),
    async ({ pduIds, authChainIds }, server) => {
      const ids = new Set([...pduIds, ...authChainIds]);
      if (ids.size > maxStateEvents) return undefined;
      const held = await ctx.lookup.many(ids, room);
      const missing = [...ids].filter((id) => !held.has(id));
      if (missing.length > 0) {
        const fetched = await fetchEvents(ctx, room, server, eventId, missing);
        await storeOutliers(ctx, room.roomId, fetched);
      }
      return stateMapOf(ctx, room, pduIds);
    },
  );
}

async function fetchEvents(
  ctx: RoomContext,
  room: Room,
  server: string,
  eventId: string,
  missing: readonly string[],
): Promise<Map<string, RoomEvent>> {
  if (missing.length > maxSingleEvents) {
    const { pdus, authChain } = await ctx.remote.state(server, room.roomId, eventId);
    return checkedEvents(ctx, room.roomId, room.version, [...authChain, ...pdus]);
  }
  const events = new Map<string, RoomEvent>();
  for (const id of missing) {
    const pdu = await ctx.remote.event(server, id);
    const event = (await checkedEvents(ctx, room.roomId, room.version, [pdu])).get(id);
    if (event !== undefined) events.set(id, event);
  }
  return events;
}

/** The map of a state given by its event ids; undefined if it is not the state of this room. */
async function stateMapOf(
  ctx: RoomContext,
  room: Room,
  ids: readonly string[],
): Promise<Map<StateKey, string> | undefined> {
  const state = new Map<StateKey, string>();
  const events = await ctx.lookup.many(ids, room);
  for (const event of events.values()) {
    if (event.rejected || event.roomId !== room.roomId || event.pdu.state_key === undefined) continue;
    state.set(stateKeyOf(event.pdu.type, event.pdu.state_key), event.eventId);
  }
  const create = stateKeyOf('m.room.create', '');
  return state.get(create) === room.state.get(create)?.eventId ? state : undefined;
}
