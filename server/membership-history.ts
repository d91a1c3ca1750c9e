import type { RoomEngine } from '../rooms/room-engine.ts';
import type { StoredEvent } from '../rooms/types.ts';

/** What became of one user in one room: their member events, each followed back to the one it replaced. */

/** Further back nobody is followed. */
const maxSteps = 100;

async function* newestFirst(engine: RoomEngine, member: StoredEvent): AsyncGenerator<StoredEvent, void> {
  let event: StoredEvent | undefined = member;
  for (let steps = 0; event !== undefined && steps < maxSteps; steps += 1) {
    yield event;
    event = await engine.replacedBy(event);
  }
}

export function isJoin(event: StoredEvent): boolean {
  return event.pdu.content['membership'] === 'join';
}

/** Whether the user of a member event was joined at a position. */
export async function wasJoinedAt(
  engine: RoomEngine,
  member: StoredEvent,
  position: number,
): Promise<boolean> {
  for await (const event of newestFirst(engine, member)) {
    // What has no position came with a state that was given to us whole: it is older than all that has one.
    if ((event.streamPos ?? Number.MIN_SAFE_INTEGER) <= position) return isJoin(event);
  }
  return false;
}

/** Whether the user of a join had been joined before, and out in between. */
export async function cameBack(engine: RoomEngine, join: StoredEvent): Promise<boolean> {
  let wasOut = false;
  for await (const event of newestFirst(engine, join)) {
    if (!isJoin(event)) wasOut = true;
    else if (wasOut) return true;
  }
  return false;
}

/**
 * The event with which the user of a member event was last put out of the room, or left; undefined for who never was
 * in, or still is. A ban of somebody who was kicked already is not it, nor is a new invitation.
 */
export async function lastExit(engine: RoomEngine, member: StoredEvent): Promise<StoredEvent | undefined> {
  let newer: StoredEvent | undefined;
  for await (const event of newestFirst(engine, member)) {
    if (isJoin(event)) return newer;
    newer = event;
  }
  return undefined;
}
