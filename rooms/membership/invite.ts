import type { Pdu, RoomEvent } from '../../protocol/event.ts';
import { parseUserId, serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { buildEvent, type EventRequest, nextPlace } from '../build.ts';
import { consulted, noVerdicts } from '../consult.ts';
import type { RoomContext } from '../context.ts';
import { badGateway, forbidden, invalidParam, notFound, requireAllowed } from '../errors.ts';
import { type Invitation, RemoteError } from '../ports.ts';
import { signatureOf } from '../receive/02-signatures.ts';
import { admit } from '../receive/admit.ts';
import { checkWire } from '../receive/wire.ts';
import type { Room } from '../room.ts';
import { addLocal, inRoom, requireJoined } from '../send.ts';
import { strippedTypes } from '../stripped-state.ts';
import { holdElsewhere, holdOutbound, needsApproval } from './held.ts';
import { remoteRefusal } from './remote-refusal.ts';
import { shareWith } from './share-room.ts';

/** Of a room's name as whoever decides sees it. */
const maxNameLength = 255;

export interface InviteOptions {
  readonly reason?: string | undefined;
  readonly isDirect?: boolean | undefined;
}

/**
 * Invites a user. Somebody of a partner is invited by the handshake of `PUT /invite`: their server checks
 * and signs the event before it enters the room. Throws 403 (border, auth rules, their server's refusal; an
 * {@link InvitationHeld} where it waits for an approval), 404, 502 when their server cannot be reached. Gives the id of the invitation.
 */
export async function inviteUser(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  target: string,
  options: InviteOptions = {},
): Promise<{ eventId: string }> {
  if (parseUserId(target) === undefined) throw invalidParam('Not a user id');
  if (serverNameOf(target) !== ctx.serverName) return inviteRemote(ctx, userId, roomId, target, options);
  const profile = await ctx.store.profile(target);
  const { eventId } = await inRoom(ctx, roomId, (room) => {
    requireInvitable(room, userId, target);
    requireAllowed(ctx.border.mayInvite(userId, target, room, noVerdicts));
    return addLocal(ctx, room, inviteRequest(userId, target, profile, options));
  });
  return { eventId };
}

function requireInvitable(room: Room, userId: string, target: string): void {
  requireJoined(room, userId);
  if (room.membership(target) === 'join') throw forbidden(`${target} is already in the room`);
  if (room.membership(target) === 'ban') throw forbidden(`${target} is banned from the room`);
}

function inviteRequest(
  userId: string,
  target: string,
  profile: JsonObject,
  options: InviteOptions,
): EventRequest {
  const content: JsonObject = { ...profile, membership: 'invite' };
  if (options.reason !== undefined) content['reason'] = options.reason;
  if (options.isDirect === true) content['is_direct'] = true;
  return { type: 'm.room.member', sender: userId, stateKey: target, content };
}

async function inviteRemote(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  target: string,
  options: InviteOptions,
): Promise<{ eventId: string }> {
  const server = serverNameOf(target);
  const known = await ctx.rooms.get(roomId);
  if (known === undefined) throw notFound('Unknown room');
  requireInvitable(known, userId, target);
  const verdicts = await consulted(ctx, { kind: 'invite', from: userId, to: target, where: known });
  // Nobody else is asked, and nothing is changed, for an invitation that will be refused below.
  const isLikely = known.powerLevelOf(userId) >= known.powerLevels.invite;
  if (isLikely && ctx.border.foresees(userId, target, known)) await shareWith(ctx, userId, roomId, server);
  const { event, room, state, decision } = await ctx.rooms.exclusive(roomId, async (held) => {
    if (held === undefined) throw notFound('Unknown room');
    requireInvitable(held, userId, target);
    const decision = ctx.border.mayInvite(userId, target, held, verdicts);
    if (!needsApproval(decision)) requireAllowed(decision);
    const request = inviteRequest(userId, target, {}, options);
    // Whoever is asked to approve it need not be asked about what the room itself forbids.
    const built = await buildEvent(ctx, held, await nextPlace(ctx, held), request);
    return { event: built, room: held, state: inviteRoomState(held, userId), decision };
  });
  const name = room.content('m.room.name')['name'];
  const invitation: Invitation = {
    direction: 'outbound',
    roomId,
    inviter: userId,
    invitee: target,
    ...options,
    roomName: typeof name === 'string' ? name.slice(0, maxNameLength) : undefined,
  };
  if (!decision.allowed) throw await holdOutbound(ctx, invitation, decision.violations);
  let answer: JsonValue;
  try {
    answer = await ctx.remote.invite(server, roomId, event.eventId, {
      roomVersion: room.version.id,
      event: event.pdu,
      inviteRoomState: state,
    });
  } catch (error) {
    if (error instanceof RemoteError && error.violations.includes('invite_needs_approval'))
      throw await holdElsewhere(ctx, invitation, server, error);
    throw remoteRefusal(server, 'invite', error);
  }
  const signed = checkSigned(ctx, room, event, server, answer);
  await inRoom(ctx, roomId, async (current) => {
    const admission = await admit(ctx, current, signed, { relay: {} });
    if (admission.kind !== 'decided') throw badGateway('The invitation lost its place in the room');
    const { outcome, written } = admission;
    if (outcome.kind === 'rejected' || outcome.kind === 'soft-failed')
      throw forbidden(outcome.reason ?? 'The room no longer allows this invitation');
    return { result: undefined, written };
  });
  await ctx.invitations?.ended(invitation);
  return { eventId: event.eventId };
}

/**
 * Hands an invitation that is in the room to the invited server again: it may have lost it. A refusal is the other
 * side's decision; throws `RemoteError` if nothing was heard of it.
 */
export async function repeatInvite(ctx: RoomContext, roomId: string, target: string): Promise<void> {
  const room = await ctx.rooms.get(roomId);
  const invite = room?.get('m.room.member', target);
  if (room === undefined || invite === undefined || room.membership(target) !== 'invite') return;
  const { pdu, eventId } = invite;
  if (serverNameOf(pdu.sender) !== ctx.serverName) return;
  try {
    await ctx.remote.invite(serverNameOf(target), roomId, eventId, {
      roomVersion: room.version.id,
      event: pdu,
      inviteRoomState: inviteRoomState(room, pdu.sender),
    });
  } catch (error) {
    if (!(error instanceof RemoteError) || error.kind === 'unreachable') throw error;
    ctx.log.info({ err: error, roomId, target }, 'an invitation was not taken again');
  }
}

/** The event as we sent it, with the signature of the invited server added; anything else is refused. */
function checkSigned(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  server: string,
  answer: JsonValue,
): RoomEvent {
  const wire = checkWire(answer, room.version, ctx.keys);
  if (!wire.ok || wire.event.eventId !== event.eventId)
    throw badGateway(`${server} did not answer with the invitation that we sent`);
  const theirs = wire.event.pdu.signatures[server];
  const pdu: Pdu = {
    ...event.pdu,
    signatures: { ...event.pdu.signatures, ...(theirs === undefined ? {} : { [server]: theirs }) },
  };
  if (signatureOf(pdu, server, room.version, ctx.keys) !== 'valid')
    throw badGateway(`${server} did not sign the invitation`);
  return { ...event, pdu };
}

/** State that tells the invited server and user what the room is: whole events, the create event among them. */
function inviteRoomState(room: Room, inviter: string): JsonValue[] {
  const state: JsonValue[] = [];
  for (const type of strippedTypes) {
    const event = room.get(type, '');
    if (event !== undefined) state.push(event.pdu);
  }
  const member = room.get('m.room.member', inviter);
  if (member !== undefined) state.push(member.pdu);
  return state;
}
