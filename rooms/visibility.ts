import { type RoomEvent, stateKeyOf } from '../protocol/event.ts';
import { historyVisibilityOf, maySeeEvent } from '../protocol/history-visibility.ts';
import type { RoomContext } from './context.ts';
import { membershipOf, type Room } from './room.ts';
import type { StateSet } from './state/state-set.ts';
import type { StoredEvent } from './types.ts';

const visibilityKey = stateKeyOf('m.room.history_visibility', '');

/**
 * The events that a user may see, in their order ("Room History Visibility"): the one filter for every way
 * in which people read rooms. Rejected, soft-failed and held events are seen by nobody.
 */
export async function visibleEvents<E extends StoredEvent>(
  ctx: RoomContext,
  userId: string,
  roomId: string,
  events: readonly E[],
): Promise<E[]> {
  const room = await ctx.rooms.get(roomId);
  if (room === undefined) return [];
  const memberKey = stateKeyOf('m.room.member', userId);
  const isStranger = await hasForgotten(ctx, room, userId);
  const joinedUntil = isStranger ? Number.NEGATIVE_INFINITY : await lastJoin(ctx, room, userId);
  const visible: E[] = [];
  for (const event of events) {
    if (event.roomId !== roomId || event.rejected || event.softFailed || event.streamPos === null) continue;
    if (event.stateGroup === null || event.stateGroupAfter === null) continue;
    const before = await ctx.sets.get(event.stateGroup, room);
    const after = await ctx.sets.get(event.stateGroupAfter, room);
    const states = around(before, after);
    const settings = await load(
      ctx,
      room,
      states.map((set) => set.get(visibilityKey)),
    );
    const members = await load(
      ctx,
      room,
      states.map((set) => set.get(memberKey)),
    );
    const facts = {
      visibility: settings.map((setting) => historyVisibilityOf(setting?.pdu.content['history_visibility'])),
      membership: isStranger ? ['leave'] : members.map(membershipOf),
      joinedLater: event.streamPos <= joinedUntil,
    };
    if (maySeeEvent(facts)) visible.push(event);
  }
  return visible;
}

/** Who forgot a room that they had left sees no more of it than who never was there. */
async function hasForgotten(ctx: RoomContext, room: Room, userId: string): Promise<boolean> {
  const membership = room.membership(userId);
  if (!room.members.has(userId) || (membership !== 'leave' && membership !== 'ban')) return false;
  return (await ctx.db.memberships.get(room.roomNid, userId))?.forgotten === true;
}

/** The state at an event, or those on its two sides where the event changes the state. */
function around(before: StateSet, after: StateSet): StateSet[] {
  return before.group === after.group ? [before] : [before, after];
}

async function load(
  ctx: RoomContext,
  room: Room,
  ids: readonly (string | undefined)[],
): Promise<(RoomEvent | undefined)[]> {
  const events: (RoomEvent | undefined)[] = [];
  for (const id of ids) events.push(id === undefined ? undefined : await ctx.lookup.one(id, room));
  return events;
}

/** The position of the user's last join: infinite while they are in, minus infinite if they never were. */
async function lastJoin(ctx: RoomContext, room: Room, userId: string): Promise<number> {
  let member = room.get('m.room.member', userId);
  if (membershipOf(member) === 'join') return Number.POSITIVE_INFINITY;
  // Behind a leave or a ban there may be further ones (a ban after a kick) before the join is found.
  for (let steps = 0; member !== undefined && steps < 20; steps += 1) {
    if (membershipOf(member) === 'join') return member.streamPos ?? Number.NEGATIVE_INFINITY;
    if (member.stateGroup === null) break;
    const id: string | undefined = (await ctx.sets.get(member.stateGroup, room)).get(
      stateKeyOf('m.room.member', userId),
    );
    member = id === undefined ? undefined : await ctx.lookup.one(id, room);
  }
  return Number.NEGATIVE_INFINITY;
}
