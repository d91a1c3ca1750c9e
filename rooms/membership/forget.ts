import type { RoomContext } from '../context.ts';
import { notFound, RoomError } from '../errors.ts';

/**
 * Lets a user's devices forget a room that the user has left. Throws 400 `M_UNKNOWN` while they are in it or
 * invited, 404 for a room of ours that they never were in.
 */
export async function forgetRoom(ctx: RoomContext, userId: string, roomId: string): Promise<void> {
  const room = await ctx.rooms.get(roomId);
  if ((await ctx.store.invite(roomId, userId)) !== undefined) throw stillIn();
  if (room === undefined) {
    // Nothing is left of a rejected invitation but the news of its end.
    await ctx.db.writer.submit({ label: 'forget invite', ops: ctx.store.dropInviteOps(roomId, userId) });
    return;
  }
  if (!room.members.has(userId)) throw notFound('You were never in this room');
  const membership = room.membership(userId);
  if (membership !== 'leave' && membership !== 'ban') throw stillIn();
  await ctx.db.writer.submit({
    label: 'forget room',
    ops: [...ctx.db.memberships.forget(room.roomNid, userId), ...ctx.store.dropInviteOps(roomId, userId)],
    notes: [{ stream: 'memberships', key: userId, payload: { roomId, membership: 'forgotten' } }],
  });
}

function stillIn(): RoomError {
  return new RoomError(400, 'M_UNKNOWN', 'Leave the room first');
}
