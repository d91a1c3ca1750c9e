import type { RoomEvent } from '../../protocol/event.ts';
import { authorizeAt } from '../auth.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import type { StateSet } from '../state/state-set.ts';
import type { StoredEvent } from '../types.ts';

/**
 * The state before an event: the resolution of the states after its previous events. Where we do not hold
 * all of them, `given` is the state that a partner told us for this place, and takes part in the resolution.
 */
export async function stateBefore(
  ctx: RoomContext,
  room: Room,
  prev: Iterable<StoredEvent>,
  given?: StateSet,
): Promise<StateSet | undefined> {
  const sets: StateSet[] = given === undefined ? [] : [given];
  const groups = new Set<number>();
  for (const event of prev) if (event.stateGroupAfter !== null) groups.add(event.stateGroupAfter);
  for (const group of groups) {
    sets.push(group === room.current.group ? room.current : await ctx.sets.get(group, room));
  }
  return sets.length === 0 ? undefined : ctx.sets.resolve(room, sets);
}

/** Step 5: the auth rules with the state before the event. Otherwise it is rejected. */
export async function checkByStateBefore(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  before: StateSet,
): Promise<{ ok: true } | { ok: false; reason: string }> {
  const verdict = await authorizeAt(ctx, room, event, before);
  return verdict.allowed
    ? { ok: true }
    : { ok: false, reason: `state before: ${verdict.rule} ${verdict.reason}` };
}
