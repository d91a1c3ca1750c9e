import { redact } from '../protocol/redaction.ts';
import { RoomChange } from './change.ts';
import type { RoomContext } from './context.ts';
import { expiredMark } from './expire-mark.ts';
import type { StoredEvent } from './types.ts';

/**
 * Deletes the content of messages here: what is left is their redacted form, which keeps its place, hash references and
 * signatures. State events are kept, since the room is made of them. Gives how many were changed; on disk then.
 */
export async function expireEvents(
  ctx: RoomContext,
  roomId: string,
  eventIds: readonly string[],
): Promise<number> {
  const { count, written } = await ctx.rooms.exclusive(roomId, async (room) => {
    if (room === undefined) return { count: 0, written: Promise.resolve() };
    const events = await ctx.lookup.many(eventIds, room);
    const due = [...events.values()].filter((event) => mayExpire(event, roomId));
    if (due.length === 0) return { count: 0, written: Promise.resolve() };
    const change = new RoomChange(ctx, room);
    for (const event of due)
      change.replace({ ...event, pdu: redact(event.pdu, room.version), redactedBy: expiredMark });
    return { count: due.length, written: change.commit('retention') };
  });
  await written;
  return count;
}

function mayExpire({ roomId, pdu, redactedBy }: StoredEvent, wanted: string): boolean {
  return roomId === wanted && pdu.state_key === undefined && redactedBy === null;
}
