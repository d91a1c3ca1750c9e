import { splitStateKey, stateKeyOf } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonValue } from '../../protocol/json.ts';
import { redact } from '../../protocol/redaction.ts';
import type { RoomContext } from '../context.ts';
import { membershipOf, type Room } from '../room.ts';
import type { StateSet } from '../state/state-set.ts';
import type { StoredEvent } from '../types.ts';

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
export async function mayServerSee(
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
export async function served(
  ctx: RoomContext,
  room: Room,
  events: Iterable<StoredEvent>,
  server: string,
): Promise<JsonValue[]> {
  const pdus: JsonValue[] = [];
  for (const event of events) {
    const visible = await mayServerSee(ctx, room, event, server);
    pdus.push(visible ? event.pdu : redact(event.pdu, room.version));
  }
  return pdus;
}
