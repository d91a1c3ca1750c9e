import { authorize } from '../../protocol/auth/authorize.ts';
import type { RoomEvent } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { addSignature } from '../../protocol/signing.ts';
import { authStateAt } from '../auth.ts';
import { draftEvent, nextPlace } from '../build.ts';
import { consulted } from '../consult.ts';
import type { RoomContext } from '../context.ts';
import { forbidden, invalidParam, notFound, RoomError, requireAllowed } from '../errors.ts';
import { authoriserFor } from '../membership/restricted.ts';
import type { RemoteTemplate } from '../ports.ts';
import type { Receiver } from '../receive/receive.ts';
import { checkWire } from '../receive/wire.ts';
import type { Room } from '../room.ts';
import type { SendJoinAnswer } from '../types.ts';
import { roomFor } from './guard.ts';
import { authChainOf, pdusOf } from './state.ts';

/**
 * `GET /make_join`. Throws 404, 403 (not their user, ACL, auth rules), 400 `M_INCOMPATIBLE_ROOM_VERSION`
 * and the 400s of restricted rooms.
 */
export async function makeJoin(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  userId: string,
  versions: readonly string[],
): Promise<RemoteTemplate> {
  if (serverNameOf(userId) !== origin) throw forbidden('Not a user of your server');
  const room = await roomFor(ctx, origin, roomId);
  if (!versions.includes(room.version.id))
    throw new RoomError(
      400,
      'M_INCOMPATIBLE_ROOM_VERSION',
      'Your server does not know the version of this room',
      {
        room_version: room.version.id,
      },
    );
  requireAllowed(ctx.border.mayJoin(userId, room));
  const content: JsonObject = { membership: 'join' };
  const authoriser = await authoriserFor(ctx, room, userId);
  if (authoriser !== undefined) content['join_authorised_via_users_server'] = authoriser;
  const proposal = await template(ctx, roomId, userId, content);
  return { ...proposal, servers: [...room.joinedServers()] };
}

/** `GET /make_leave`. Throws 404 or 403. */
export async function makeLeave(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  userId: string,
): Promise<RemoteTemplate> {
  if (serverNameOf(userId) !== origin) throw forbidden('Not a user of your server');
  await roomFor(ctx, origin, roomId);
  return template(ctx, roomId, userId, { membership: 'leave' });
}

/** An event that would be allowed now, for the other server to sign. */
function template(
  ctx: RoomContext,
  roomId: string,
  userId: string,
  content: JsonObject,
): Promise<RemoteTemplate> {
  return ctx.rooms.exclusive(roomId, async (room) => {
    if (room === undefined) throw notFound('We are not in this room');
    const place = await nextPlace(ctx, room);
    const request = { type: 'm.room.member', sender: userId, stateKey: userId, content };
    const draft = draftEvent(ctx, room, place, request);
    const event: RoomEvent = {
      eventId: '$template',
      roomId,
      rejected: false,
      pdu: { ...draft, hashes: { sha256: '' }, signatures: {} },
    };
    const state = await authStateAt(ctx, room, event.pdu, place.before);
    // The signatures that the rules ask for are made by `send_join`.
    const verdict = authorize(event, state, room.version, { isSignedBy: () => true });
    if (!verdict.allowed) throw forbidden(verdict.reason);
    return { roomVersion: room.version.id, event: draft };
  });
}

/** The member event that a server brings back, checked as the specification lists it. */
function broughtBack(
  ctx: RoomContext,
  origin: string,
  room: Room,
  eventId: string,
  pdu: JsonValue,
  membership: 'join' | 'leave',
): RoomEvent {
  const wire = checkWire(pdu, room.version, ctx.keys);
  if (!wire.ok) throw invalidParam(wire.reason);
  const { event } = wire;
  if (event.eventId !== eventId) throw invalidParam('The event has another id');
  if (event.roomId !== room.roomId) throw invalidParam('The event is of another room');
  if (event.pdu.type !== 'm.room.member') throw invalidParam('The event is not m.room.member');
  if (event.pdu.content['membership'] !== membership)
    throw invalidParam(`The membership is not ${membership}`);
  if (serverNameOf(event.pdu.sender) !== origin) throw invalidParam('The sender is not of your server');
  if (event.pdu.state_key !== event.pdu.sender) throw invalidParam('The state key is not the sender');
  return event;
}

/**
 * `PUT /send_join`: takes the join into the room, hands it to the other partners there, and gives the room
 * as it was before. Throws 400 `M_INVALID_PARAM`, 403, 404.
 */
export async function sendJoin(
  ctx: RoomContext,
  receiver: Receiver,
  origin: string,
  roomId: string,
  eventId: string,
  pdu: JsonValue,
): Promise<SendJoinAnswer> {
  const room = await roomFor(ctx, origin, roomId);
  let event = broughtBack(ctx, origin, room, eventId, pdu, 'join');
  const { sender } = event.pdu;
  const verdicts = await consulted(ctx, { kind: 'join', userId: sender, where: room });
  requireAllowed(ctx.border.mayJoin(sender, room, verdicts));
  await requireAdmissible(ctx, room, origin, event);
  const authoriser = event.pdu.content['join_authorised_via_users_server'];
  if (typeof authoriser === 'string' && serverNameOf(authoriser) === ctx.serverName) {
    // What let the user in a moment ago must still hold, or our signature would.
    await authoriserFor(ctx, room, event.pdu.sender);
    event = { ...event, pdu: addSignature(event.pdu, room.version, ctx.serverName, ctx.signingKey) };
  }
  const outcome = await receiver.receiveChecked(origin, event, { relay: { except: origin }, verdicts });
  if (outcome.kind === 'rejected' || outcome.kind === 'soft-failed')
    throw forbidden(outcome.reason ?? 'The room does not allow this join');
  const stored = await ctx.lookup.one(eventId, room);
  if (stored === undefined || stored.stateGroup === null || stored.rejected || stored.softFailed)
    throw forbidden('The room does not allow this join');
  const state = (await ctx.sets.get(stored.stateGroup, room)).toMap();
  const chain = await authChainOf(ctx, room, [eventId, ...state.values()]);
  return {
    event: stored.pdu,
    state: await pdusOf(ctx, room, state.values()),
    authChain: await pdusOf(ctx, room, chain),
    origin: ctx.serverName,
  };
}

/**
 * Throws 403 where an island in the room does not want that server there: before somebody comes in through us the
 * others are asked. An invitation of ours has asked them.
 */
async function requireAdmissible(
  ctx: RoomContext,
  room: Room,
  origin: string,
  { pdu }: RoomEvent,
): Promise<void> {
  if (room.membership(pdu.sender) === 'join') return;
  if (room.joinedServers().has(origin)) return;
  const inviter = room.get('m.room.member', pdu.sender)?.pdu.sender;
  const isOurs = inviter !== undefined && serverNameOf(inviter) === ctx.serverName;
  if (room.membership(pdu.sender) === 'invite' && isOurs) return;
  requireAllowed(await ctx.border.mayAdmit(room, [origin]));
}

/** `PUT /send_leave`. Throws 400 `M_INVALID_PARAM`, 403, 404. */
export async function sendLeave(
  ctx: RoomContext,
  receiver: Receiver,
  origin: string,
  roomId: string,
  eventId: string,
  pdu: JsonValue,
): Promise<void> {
  const room = await roomFor(ctx, origin, roomId);
  const event = broughtBack(ctx, origin, room, eventId, pdu, 'leave');
  const outcome = await receiver.receiveChecked(origin, event, { relay: { except: origin } });
  if (outcome.kind === 'rejected' || outcome.kind === 'soft-failed')
    throw forbidden(outcome.reason ?? 'The room does not allow this');
}
