import { authorize } from '../protocol/auth/authorize.ts';
import type { RoomEvent, UnsignedPdu } from '../protocol/event.ts';
import { maxPduBytes } from '../protocol/event-format.ts';
import type { JsonObject } from '../protocol/json.ts';
import { JsonError } from '../protocol/json.ts';
import { signEvent } from '../protocol/signing.ts';
import { authEventIds, authStateAt } from './auth.ts';
import type { RoomContext } from './context.ts';
import { badJson, forbidden, RoomError } from './errors.ts';
import type { Room } from './room.ts';
import type { StateSet } from './state/state-set.ts';
import type { StoredEvent } from './types.ts';

/** A room with more forward extremities joins them step by step: an event may name 20. */
const maxPrevEvents = 20;
const maxDepth = Number.MAX_SAFE_INTEGER;
const maxFieldBytes = 255;

export interface EventRequest {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string | undefined;
  readonly content: JsonObject;
  readonly timestamp?: number | undefined;
  /** Top-level `redacts` of room version 10. */
  readonly redacts?: string | undefined;
}

/** Where a new event of ours goes: after which events, and with what state before it. */
export interface Place {
  readonly prev: readonly StoredEvent[];
  readonly before: StateSet;
}

/** The place of the next event. Must run in the room's queue. */
export function nextPlace(ctx: RoomContext, room: Room): Place | Promise<Place> {
  const tips = [...room.tips.values()];
  if (tips.length <= maxPrevEvents) return { prev: tips, before: room.current };
  return placeAfterSome(ctx, room, tips);
}

async function placeAfterSome(ctx: RoomContext, room: Room, tips: StoredEvent[]): Promise<Place> {
  const prev = tips.sort((a, b) => b.pdu.depth - a.pdu.depth).slice(0, maxPrevEvents);
  const sets: StateSet[] = [];
  for (const tip of prev) {
    if (tip.stateGroupAfter !== null) sets.push(await ctx.sets.get(tip.stateGroupAfter, room));
  }
  return { prev, before: await ctx.sets.resolve(room, sets) };
}

/** The event without hash and signature, in the format of the room's version. */
export function draftEvent(ctx: RoomContext, room: Room, place: Place, request: EventRequest): UnsignedPdu {
  const depth = place.prev.reduce((highest, event) => Math.max(highest, event.pdu.depth), 0) + 1;
  const pdu: UnsignedPdu = {
    room_id: room.roomId,
    type: request.type,
    sender: request.sender,
    content: request.content,
    prev_events: place.prev.map((event) => event.eventId),
    auth_events: [],
    depth: Math.min(depth, maxDepth),
    origin_server_ts: request.timestamp ?? ctx.clock.now(),
  };
  if (request.stateKey !== undefined) pdu.state_key = request.stateKey;
  if (request.redacts !== undefined) pdu.redacts = request.redacts;
  pdu.auth_events = authEventIds(pdu, room, place.before);
  return pdu;
}

/** An event of ours, and its canonical text. */
export interface BuiltEvent extends RoomEvent {
  readonly json: string;
}

/** Signs an event of ours. Throws 413 for one that is too large and 400 for content Matrix forbids. */
function sealEvent(ctx: RoomContext, room: Room, draft: UnsignedPdu): BuiltEvent {
  checkSizes(draft);
  try {
    const { pdu, eventId, json } = signEvent(draft, room.version, ctx.serverName, ctx.signingKey);
    if (Buffer.byteLength(json) > maxPduBytes)
      throw new RoomError(413, 'M_TOO_LARGE', 'The event is too large');
    return { eventId, roomId: room.roomId, pdu, rejected: false, json };
  } catch (error) {
    if (error instanceof JsonError) throw badJson(error.message);
    throw error;
  }
}

/** Builds an event of ours at a place and checks it there. Throws 403 with the rule that it breaks. */
export async function buildEvent(
  ctx: RoomContext,
  room: Room,
  place: Place,
  request: EventRequest,
): Promise<BuiltEvent> {
  const event = sealEvent(ctx, room, draftEvent(ctx, room, place, request));
  const state = await authStateAt(ctx, room, event.pdu, place.before);
  // Our own signature is the only one on it, so only we can be an authorising server.
  const verdict = authorize(event, state, room.version, {
    isSignedBy: (serverName) => serverName === ctx.serverName,
  });
  if (!verdict.allowed) throw forbidden(verdict.reason);
  return event;
}

function checkSizes(draft: UnsignedPdu): void {
  const fields = [draft.type, draft.sender, draft.state_key ?? ''];
  if (fields.some((field) => Buffer.byteLength(field) > maxFieldBytes))
    throw new RoomError(413, 'M_TOO_LARGE', `type, sender and state key are at most ${maxFieldBytes} bytes`);
}
