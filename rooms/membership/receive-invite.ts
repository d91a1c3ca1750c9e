import type { Pdu } from '../../protocol/event.ts';
import { eventIdOf } from '../../protocol/hashing.ts';
import { parseUserId, serverNameOf } from '../../protocol/identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { type RoomVersion, roomVersion } from '../../protocol/room-versions.ts';
import { addSignature } from '../../protocol/signing.ts';
import { nextPosition } from '../../storage/write-set.ts';
import { consulted } from '../consult.ts';
import type { RoomContext } from '../context.ts';
import { invalidParam, notFound, RoomError, requireAllowed } from '../errors.ts';
import type { Invitation, ToldRoom } from '../ports.ts';
import { checkFormat } from '../receive/01-format.ts';
import { signatureOf } from '../receive/02-signatures.ts';
import { checkWire, roomIdOfPdu } from '../receive/wire.ts';
import { requireAdmitted } from '../serve/guard.ts';
import { stripState } from '../stripped-state.ts';
import { needsApproval } from './held.ts';

export interface InviteBody {
  readonly roomVersion: string;
  readonly event: JsonValue;
  readonly inviteRoomState: readonly JsonValue[];
}

const maxInviteState = 100;
/** Of a room's name as whoever decides sees it. */
const maxNameLength = 255;

/**
 * `PUT /invite` of a partner: checks that it is an invitation of theirs for one of ours, signs it, and keeps
 * it for the user if we are not in the room (else the event reaches us through the room). Gives the signed
 * event. Throws 400 `M_INVALID_PARAM` or `M_INCOMPATIBLE_ROOM_VERSION`, 403, 404 for an unknown user.
 */
export async function receiveInvite(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  eventId: string,
  body: InviteBody,
): Promise<JsonValue> {
  const version = roomVersion(body.roomVersion);
  if (version === undefined)
    throw new RoomError(400, 'M_INCOMPATIBLE_ROOM_VERSION', 'We do not speak this room version', {
      room_version: body.roomVersion,
    });
  const wire = checkWire(body.event, version, ctx.keys);
  if (!wire.ok) throw invalidParam(wire.reason);
  const { event } = wire;
  // Received events are spared this if they redeem a third-party invitation; what we sign is not.
  if (signatureOf(event.pdu, origin, version, ctx.keys) !== 'valid')
    throw invalidParam('The event is not signed by your server');
  if (event.eventId !== eventId) throw invalidParam('The event has another id');
  if (event.roomId !== roomId) throw invalidParam('The event is of another room');
  const { pdu } = event;
  if (pdu.type !== 'm.room.member' || pdu.content['membership'] !== 'invite')
    throw invalidParam('Not an invitation');
  if (serverNameOf(pdu.sender) !== origin) throw invalidParam('The sender is not of your server');
  const target = pdu.state_key ?? '';
  const user = parseUserId(target);
  if (user?.serverName !== ctx.serverName) throw invalidParam('The invited user is not of this server');
  checkInviteState(ctx, origin, roomId, version, body.inviteRoomState);
  // The border first: whoever may not be invited is refused in the same way whether they exist or not.
  await requireAdmitted(ctx, origin, roomId);
  const room = await ctx.rooms.get(roomId);
  const pending = await ctx.store.invite(roomId, target);
  // Said again, by a partner that cannot know whether we still have it: nothing new for the user.
  const isKnown = pending !== undefined && eventIdOf(pending.event, version) === eventId;
  const where = room ?? toldRoom(roomId, version, body.inviteRoomState);
  const verdicts = await consulted(ctx, { kind: 'invite', from: pdu.sender, to: target, where });
  const decision = ctx.border.mayInvite(pdu.sender, target, where, verdicts);
  const isActive = await ctx.store.isActiveUser(user.localpart);
  const invitation = invitationOf(pdu, roomId, body.inviteRoomState);
  if (needsApproval(decision)) {
    // Once it is signed it cannot be taken back.
    if (isActive && !isKnown) await ctx.invitations?.hold(invitation, 'us');
    if (!isKnown) requireAllowed(decision);
  } else requireAllowed(decision);
  if (!isActive) throw notFound('No such user');
  const signed = addSignature(pdu, version, ctx.serverName, ctx.signingKey);
  const isShown = !isKnown && room?.hasLocalMember() !== true;
  const used = ctx.invitations?.use(invitation);
  const position = nextPosition();
  const ops = [...(used?.ops ?? [])];
  if (isShown)
    ops.push(
      ...ctx.store.inviteOps({
        roomId,
        userId: target,
        event: signed,
        strippedState: stripState(body.inviteRoomState, pdu.sender),
        origin,
        position,
      }),
    );
  if (ops.length > 0) {
    const payload = { roomId, membership: 'invite' };
    await ctx.db.writer.submit({
      label: 'invite from a partner',
      ops,
      notes: isShown ? [{ stream: 'memberships', key: target, position, payload }] : [],
    });
    used?.done();
  }
  return signed as JsonObject;
}

/**
 * What the state that came with the invitation says. From room version 12 on the create event is the one whose hash is
 * the room's id; in older rooms the id names the server that made it.
 */
function toldRoom(roomId: string, version: RoomVersion, state: readonly JsonValue[]): ToldRoom {
  const ofType = (type: string) => state.find((event) => isObject(event) && event['type'] === type);
  const create = ofType('m.room.create');
  const sender = isObject(create) ? create['sender'] : undefined;
  return {
    roomId,
    creatorServer: serverNameOf(version.roomIdIsHash && typeof sender === 'string' ? sender : roomId),
    isEncrypted: ofType('m.room.encryption') !== undefined,
  };
}

function invitationOf(pdu: Pdu, roomId: string, state: readonly JsonValue[]): Invitation {
  const named = state.find((event) => isObject(event) && event['type'] === 'm.room.name');
  const content = isObject(named) ? named['content'] : undefined;
  const name = isObject(content) ? content['name'] : undefined;
  return {
    direction: 'inbound',
    roomId,
    inviter: pdu.sender,
    invitee: pdu.state_key ?? '',
    roomName: typeof name === 'string' ? name.slice(0, maxNameLength) : undefined,
  };
}

/**
 * The state that comes with an invitation: from room version 12 the create event must be among it, whole and
 * signed, since its hash is the room's id; whatever is a whole event must be one of this room. Older rooms
 * may send the stripped form.
 */
function checkInviteState(
  ctx: RoomContext,
  origin: string,
  roomId: string,
  version: RoomVersion,
  state: readonly JsonValue[],
): void {
  if (state.length > maxInviteState) throw invalidParam('invite_room_state is too long');
  let hasCreate = false;
  for (const value of state) {
    if (!isObject(value)) throw invalidParam('invite_room_state holds something that is not an event');
    const whole = value['signatures'] !== undefined || version.roomIdIsHash;
    if (!whole) continue;
    const format = checkFormat(value, version);
    if (!format.ok) throw invalidParam(`invite_room_state: ${format.reason}`);
    if (roomIdOfPdu(format.pdu, version) !== roomId)
      throw invalidParam('invite_room_state holds an event of another room');
    const isCreate = format.pdu.type === 'm.room.create' && format.pdu.state_key === '';
    // Others in the room may be of servers whose keys we do not know; the inviting server's we must.
    if (serverNameOf(format.pdu.sender) === origin || (isCreate && version.roomIdIsHash)) {
      const wire = checkWire(value, version, ctx.keys);
      if (!wire.ok) throw invalidParam(`invite_room_state: ${wire.reason}`);
    }
    if (isCreate) hasCreate = true;
  }
  if (version.roomIdIsHash && !hasCreate) throw invalidParam('invite_room_state has no create event');
}
