import type { RoomEvent } from '../../protocol/event.ts';
import { authorizeAt } from '../auth.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import type { StateSet } from '../state/state-set.ts';

/**
 * Step 6: the auth rules with the room's current state. An event that passed step 5 and fails here refers
 * to an old part of the graph, by delay or to evade a ban: it is soft-failed.
 */
export async function checkByCurrentState(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  before: StateSet,
): Promise<{ ok: true } | { ok: false; reason: string }> {
  // The same state gives the same verdict as step 5 did.
  if (before.group === room.current.group) return { ok: true };
  const verdict = await authorizeAt(ctx, room, event, room.current);
  return verdict.allowed
    ? { ok: true }
    : { ok: false, reason: `current state: ${verdict.rule} ${verdict.reason}` };
}
