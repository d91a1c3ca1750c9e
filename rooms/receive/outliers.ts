import { setImmediate as nextTurn } from 'node:timers/promises';
import type { RoomEvent } from '../../protocol/event.ts';
import { eventIdOf } from '../../protocol/hashing.ts';
import type { JsonValue } from '../../protocol/json.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import type { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import { checkFormat } from './01-format.ts';
import { checkByAuthEvents } from './04-auth-events.ts';
import { checkWire, roomIdOfPdu } from './wire.ts';

/** So many events are checked at a stretch: each takes a good part of a millisecond, and others want their turn. */
const stretch = 50;

/** Events as a partner gave them, checked. */
export interface CheckedGraph {
  /** Those that pass steps 1 to 3 and belong to the room, by id. */
  readonly events: Map<string, RoomEvent>;
  /**
   * What precedes those that cannot be verified, by their ids. An id is the hash of what it names, so whoever refers
   * to one vouches for this much: it leads on to events that can be verified.
   */
  readonly unverified: Map<string, readonly string[]>;
}

export async function checkedGraph(
  ctx: RoomContext,
  roomId: string,
  version: RoomVersion,
  pdus: readonly JsonValue[],
): Promise<CheckedGraph> {
  const events = new Map<string, RoomEvent>();
  const unverified = new Map<string, readonly string[]>();
  for (const [index, pdu] of pdus.entries()) {
    if (index > 0 && index % stretch === 0) await nextTurn();
    const wire = checkWire(pdu, version, ctx.keys);
    if (wire.ok) {
      if (wire.event.roomId === roomId) events.set(wire.event.eventId, wire.event);
      continue;
    }
    const format = checkFormat(pdu, version);
    if (format.ok && roomIdOfPdu(format.pdu, version) === roomId)
      unverified.set(eventIdOf(format.pdu, version), format.pdu.prev_events);
  }
  return { events, unverified };
}

/** Those of the PDUs that pass steps 1 to 3 and belong to the room, by id; the others are passed over. */
export async function checkedEvents(
  ctx: RoomContext,
  roomId: string,
  version: RoomVersion,
  pdus: readonly JsonValue[],
): Promise<Map<string, RoomEvent>> {
  return (await checkedGraph(ctx, roomId, version, pdus)).events;
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
  for (const [index, event] of sorted.entries()) {
    if (index > 0 && index % stretch === 0) await nextTurn();
    let held = known.get(event.eventId);
    // One that was rejected for want of what is here now is judged again.
    if (held === undefined || (held.outlier && held.rejected)) {
      const isCreate = isCreateEvent(event);
      const implied = room.version.roomIdIsHash && !isCreate ? create : undefined;
      const verdict = checkByAuthEvents(ctx, room.version, event, authEvents, implied);
      if (verdict.ok) held = change.outlier(event, { existing: held });
      else held ??= change.outlier(event, { rejectReason: verdict.reason, waitingFor: verdict.waitingFor });
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
