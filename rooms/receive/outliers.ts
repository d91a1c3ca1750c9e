import type { RoomEvent } from '../../protocol/event.ts';
import type { JsonValue } from '../../protocol/json.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import type { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import { checkByAuthEvents } from './04-auth-events.ts';
import { checkWire } from './wire.ts';

/** Those of the PDUs that pass steps 1 to 3 and belong to the room, by id; the others are passed over. */
export function checkedEvents(
  ctx: RoomContext,
  roomId: string,
  version: RoomVersion,
  pdus: readonly JsonValue[],
): Map<string, RoomEvent> {
  const events = new Map<string, RoomEvent>();
  for (const pdu of pdus) {
    const wire = checkWire(pdu, version, ctx.keys);
    if (wire.ok && wire.event.roomId === roomId) events.set(wire.event.eventId, wire.event);
  }
  return events;
}

/** Sorts events so that each comes after those of the others that `before` names. Cycles cannot be: hashes. */
export function inOrder(
  events: ReadonlyMap<string, RoomEvent>,
  before: (event: RoomEvent) => readonly string[],
): RoomEvent[] {
  const sorted: RoomEvent[] = [];
  const state = new Map<string, 'open' | 'done'>();
  for (const start of events.keys()) {
    const stack = [start];
    while (stack.length > 0) {
      const id = stack[stack.length - 1] ?? '';
      const event = events.get(id);
      if (event === undefined || state.get(id) === 'done') {
        stack.pop();
        continue;
      }
      if (state.get(id) === 'open') {
        state.set(id, 'done');
        sorted.push(event);
        stack.pop();
        continue;
      }
      state.set(id, 'open');
      for (const other of before(event)) if (events.has(other) && !state.has(other)) stack.push(other);
    }
  }
  return sorted;
}

const byAuth = (event: RoomEvent): readonly string[] => event.pdu.auth_events;
export const byPrev = (event: RoomEvent): readonly string[] => event.pdu.prev_events;

/**
 * Adds events without a place in the room (auth chains, states of elsewhere) to a change: each is judged by
 * its auth events, and kept as rejected if it fails. Gives all of them that are usable now, by id. Must run
 * in the room's queue.
 */
export async function addOutliers(
  ctx: RoomContext,
  room: Room,
  change: RoomChange,
  events: ReadonlyMap<string, RoomEvent>,
): Promise<Map<string, RoomEvent>> {
  const usable = new Map<string, RoomEvent>();
  const known = await ctx.lookup.many(events.keys(), room);
  const authIds = new Set<string>();
  for (const event of events.values()) for (const id of event.pdu.auth_events) authIds.add(id);
  const authEvents: Map<string, RoomEvent> = new Map(await ctx.lookup.many(authIds, room));
  // From version 12 the create event is implied rather than named: it has to come first all the same.
  const sorted = inOrder(events, byAuth);
  sorted.sort((a, b) => Number(isCreateEvent(b)) - Number(isCreateEvent(a)));
  let create = room.get('m.room.create', '') as RoomEvent | undefined;
  for (const event of sorted) {
    let held: RoomEvent | undefined = known.get(event.eventId);
    if (held === undefined) {
      const isCreate = isCreateEvent(event);
      const implied = room.version.roomIdIsHash && !isCreate ? create : undefined;
      const verdict = checkByAuthEvents(ctx, room.version, event, authEvents, implied);
      held = change.outlier(event, verdict.ok ? undefined : verdict.reason);
      if (isCreate && verdict.ok) create ??= held;
    }
    authEvents.set(held.eventId, held);
    if (!held.rejected) usable.set(held.eventId, held);
  }
  return usable;
}

function isCreateEvent(event: RoomEvent): boolean {
  return event.pdu.type === 'm.room.create' && event.pdu.state_key === '';
}
