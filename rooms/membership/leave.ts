import { serverNameOf } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { signEvent } from '../../protocol/signing.ts';
import { nextPosition } from '../../storage/write-set.ts';
import type { RoomContext } from '../context.ts';
import { notFound, RoomError } from '../errors.ts';
import { RemoteError } from '../ports.ts';
import type { Room } from '../room.ts';
import { addLocal, inRoom } from '../send.ts';
import type { PendingInvite } from '../store.ts';
import { eventFromTemplate } from './template.ts';

/**
 * Leaves a room, or rejects an invitation to it. Leaving what one has left is no error. Throws 404 for a
 * room with which the user has nothing to do, 403 where a ban stands.
 */
export async function leaveRoom(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  reason?: string,
): Promise<void> {
  const invite = await ctx.store.invite(roomId, userId);
  if (invite !== undefined) return rejectInvite(ctx, userId, roomId, invite, reason);
  const room = await ctx.rooms.get(roomId);
  if (room === undefined || !room.members.has(userId)) throw notFound('You are not in this room');
  if (room.membership(userId) === 'leave') return;
  requireMayLeave(ctx, room, userId);
  const content: JsonObject = { membership: 'leave' };
  if (reason !== undefined) content['reason'] = reason;
  await inRoom(ctx, roomId, (current) =>
    addLocal(ctx, current, { type: 'm.room.member', sender: userId, stateKey: userId, content }),
  );
}

/** Throws 403 `M_CANNOT_LEAVE_SERVER_NOTICE_ROOM` for who was invited to the room in which the server speaks to them. */
export function requireMayLeave(ctx: RoomContext, room: Room, userId: string): void {
  const sender = room.get('m.room.member', userId)?.pdu.sender;
  if (room.membership(userId) !== 'invite' || sender !== ctx.systemUserId) return;
  throw new RoomError(
    403,
    'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM',
    'The invitation to the room of server notices cannot be rejected; you may leave the room once you have joined it',
  );
}

/**
 * Rejects an invitation to a room that we are not in ("Leaving Rooms (Rejecting Invites)"). If the inviting
 * server does not help, the invitation ends here all the same: nobody is bound to a server that is gone.
 */
async function rejectInvite(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  invite: PendingInvite,
  reason: string | undefined,
): Promise<void> {
  const content: JsonObject = reason === undefined ? {} : { reason };
  const inviter = invite.event['sender'];
  const servers = new Set([invite.origin, typeof inviter === 'string' ? serverNameOf(inviter) : '']);
  for (const server of servers) {
    if (server === '' || server === ctx.serverName || !ctx.border.mayTalkTo(server)) continue;
    try {
      await leaveThrough(ctx, server, roomId, userId, content);
      break;
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      ctx.log.info({ err: error, server, roomId }, 'rejecting an invitation: the partner did not help');
    }
  }
  await endInvite(ctx, userId, roomId);
}

/** Leaves a room that we do not hold with the help of a server that is in it. Throws `RemoteError`. */
export async function leaveThrough(
  ctx: RoomContext,
  server: string,
  roomId: string,
  userId: string,
  content: JsonObject,
): Promise<void> {
  const template = await ctx.remote.makeLeave(server, roomId, userId);
  const wanted = { roomId, userId, membership: 'leave' as const, content, now: ctx.clock.now() };
  const { pdu: draft, version } = eventFromTemplate(template, wanted);
  const { pdu, eventId } = signEvent(draft, version, ctx.serverName, ctx.signingKey);
  await ctx.remote.sendLeave(server, roomId, eventId, pdu);
}

/** Ends a pending invitation and tells the user's devices. */
export async function endInvite(ctx: RoomContext, userId: string, roomId: string): Promise<void> {
  const position = nextPosition();
  await ctx.db.writer.submit({
    label: 'invite ended',
    ops: ctx.store.endInviteOps(roomId, userId, position),
    notes: [{ stream: 'memberships', key: userId, position, payload: { roomId, membership: 'leave' } }],
  });
}
