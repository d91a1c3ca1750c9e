import type { RoomContext } from '../context.ts';
import { forbidden, notFound } from '../errors.ts';
import type { Room } from '../room.ts';
import type { StoredEvent } from '../types.ts';

/** Throws 403 for a server that the room's ACL denies, whether we are in the room or were. */
export async function requireAdmitted(ctx: RoomContext, origin: string, roomId: string): Promise<void> {
  const room = await ctx.rooms.get(roomId);
  if (room !== undefined && !room.allowsServer(origin)) throw forbidden('Your server is denied by the room');
}

/** A room that we are in, for a server that its ACL admits. Throws 404 or 403. */
export async function roomFor(ctx: RoomContext, origin: string, roomId: string): Promise<Room> {
  const room = await ctx.rooms.get(roomId);
  if (room === undefined || !room.hasLocalMember()) throw notFound('We are not in this room');
  if (!room.allowsServer(origin)) throw forbidden('Your server is denied by the room');
  return room;
}

/** The same, and the asking server has somebody joined. */
export async function sharedRoom(ctx: RoomContext, origin: string, roomId: string): Promise<Room> {
  const room = await roomFor(ctx, origin, roomId);
  if (!room.joinedServers().has(origin)) throw forbidden('Your server is not in this room');
  return room;
}

/** An event of this room and no other. Throws 404. */
export async function eventOf(ctx: RoomContext, room: Room, eventId: string): Promise<StoredEvent> {
  const event = await ctx.lookup.one(eventId, room);
  if (event === undefined || event.roomId !== room.roomId) throw notFound('Unknown event');
  return event;
}
