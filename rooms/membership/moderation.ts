import { parseUserId } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { RoomContext } from '../context.ts';
import { forbidden, invalidParam } from '../errors.ts';
import { addLocal, inRoom, requireJoined } from '../send.ts';
import type { Membership } from '../types.ts';

/** Sets somebody else's membership. Throws 403 where the levels or the present membership forbid it. */
async function setMembership(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  target: string,
  change: { to: Membership; from: readonly Membership[]; otherwise: string; reason?: string | undefined },
): Promise<void> {
  if (parseUserId(target) === undefined) throw invalidParam('Not a user id');
  await inRoom(ctx, roomId, (room) => {
    requireJoined(room, userId);
    if (!change.from.includes(room.membership(target))) throw forbidden(change.otherwise);
    const content: JsonObject = { membership: change.to };
    if (change.reason !== undefined) content['reason'] = change.reason;
    return addLocal(ctx, room, { type: 'm.room.member', sender: userId, stateKey: target, content });
  });
}

export function kickUser(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  target: string,
  reason?: string,
): Promise<void> {
  return setMembership(ctx, userId, roomId, target, {
    to: 'leave',
    from: ['join', 'invite', 'knock'],
    otherwise: `${target} is not in the room`,
    reason,
  });
}

/** Who is banned already is banned again: the reason may be another one. */
export function banUser(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  target: string,
  reason?: string,
): Promise<void> {
  return setMembership(ctx, userId, roomId, target, {
    to: 'ban',
    from: ['join', 'invite', 'knock', 'leave', 'ban'],
    otherwise: `${target} cannot be banned`,
    reason,
  });
}

export function unbanUser(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  target: string,
  reason?: string,
): Promise<void> {
  return setMembership(ctx, userId, roomId, target, {
    to: 'leave',
    from: ['ban'],
    otherwise: `${target} is not banned`,
    reason,
  });
}
