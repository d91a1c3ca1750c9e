import { stateKeyOf } from '../protocol/event.ts';
import type { AuditEvent } from '../storage/audit/chain.ts';
import type { RoomContext } from './context.ts';

/**
 * Lets our people see an event in quarantine as it is; the audit log gets `line` with it. False, and nothing is
 * written, if there is no such event or it is in none. Clients that have it already show it when they load the room's
 * history again: Matrix has no way to say to them that an event has changed.
 */
export async function releaseEvent(
  ctx: RoomContext,
  eventId: string,
  line: (roomId: string) => AuditEvent,
): Promise<boolean> {
  const found = await ctx.lookup.one(eventId);
  if (found?.quarantined !== true) return false;
  return ctx.rooms.exclusive(found.roomId, async (room) => {
    // What is on its way to disk with this event lands first.
    await Promise.allSettled(room?.writes ?? []);
    const event = await ctx.lookup.one(eventId, room);
    if (event?.quarantined !== true) return false;
    const { db } = ctx;
    const released = { ...event, quarantined: false };
    await db.audit.append(
      [line(event.roomId)],
      [...db.events.update(event.nid, released), ...db.quarantine.remove(event.nid)],
      [{ stream: 'events', key: event.roomId }],
    );
    ctx.lookup.stored(released);
    if (room?.tips.has(eventId) === true) room.tips.set(eventId, released);
    const { type, state_key } = event.pdu;
    if (room === undefined || state_key === undefined) return true;
    const key = stateKeyOf(type, state_key);
    if (room.current.get(key) === eventId) room.putState(key, released);
    return true;
  });
}
