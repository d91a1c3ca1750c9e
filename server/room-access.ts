import { forbidden } from '../http/errors.ts';
import type { RoomEngine } from '../rooms/room-engine.ts';
import type { RoomView, StoredEvent } from '../rooms/types.ts';
import type { Database } from '../storage/database.ts';
import { lastExit } from './membership-history.ts';

/**
 * As what somebody may read a room. `member`: joined, or anybody where history is world-readable. `former`: they left,
 * or were put out of it, with `exit`. `invited`: they see what the history's visibility gives them.
 */
export type RoomReader =
  | { readonly view: RoomView; readonly standing: 'member' | 'invited' }
  | { readonly view: RoomView; readonly standing: 'former'; readonly exit: StoredEvent };

/**
 * Who may read a room at all, before the history's visibility decides event by event: the door of everything that
 * reads rooms. Throws the same 403 for a room that we do not hold, for who never was in it, and for who forgot it.
 */
export async function roomReader(
  deps: { readonly db: Database; readonly engine: RoomEngine },
  userId: string,
  roomId: string,
): Promise<RoomReader> {
  const { db, engine } = deps;
  const view = await engine.view(roomId);
  if (view === undefined) throw notIn();
  const membership = view.membership(userId);
  if (membership === 'join' || view.historyVisibility === 'world_readable')
    return { view, standing: 'member' };
  const member = view.members.get(userId);
  if (member === undefined) throw notIn();
  if (membership === 'invite') return { view, standing: 'invited' };
  const exit = await lastExit(engine, member);
  if (exit === undefined || (await db.memberships.get(view.roomNid, userId))?.forgotten === true)
    throw notIn();
  return { view, standing: 'former', exit };
}

function notIn(): Error {
  return forbidden('You are not in this room');
}
