import type { RoomEvent } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import { redact } from '../protocol/redaction.ts';
import type { RoomVersion } from '../protocol/room-versions.ts';
import type { WriteOp } from '../storage/write-set.ts';
import type { RoomContext } from './context.ts';
import type { Room } from './room.ts';
import { powerLevelsAt } from './state/power-at.ts';
import type { StateSet } from './state/state-set.ts';
import type { StoredEvent } from './types.ts';

/** The change that a redaction is part of. */
interface Redacting {
  readonly room: Room;
  readonly context: RoomContext;
  readonly ops: WriteOp[];
  replace(event: StoredEvent): void;
}

/** The event that a redaction names: in its content from room version 11, at its top level before. */
function redactedEventId(event: RoomEvent, version: RoomVersion): string | undefined {
  if (event.pdu.type !== 'm.room.redaction') return undefined;
  const target = version.updatedRedactionRules ? event.pdu.content['redacts'] : event.pdu.redacts;
  return typeof target === 'string' ? target : undefined;
}

/**
 * May this redaction be applied ("Handling redactions" of the room versions)? Its sender has the redact
 * level in the state before it, or is of the same server as the event's sender.
 */
async function mayRedact(
  ctx: RoomContext,
  room: Room,
  redactor: string,
  before: StateSet,
  target: RoomEvent,
): Promise<boolean> {
  if (target.roomId !== room.roomId) return false;
  if (serverNameOf(redactor) === serverNameOf(target.pdu.sender)) return true;
  return hasRedactLevel(ctx, room, redactor, before);
}

/** Has a user the level to redact what others sent? */
export async function hasRedactLevel(
  ctx: RoomContext,
  room: Room,
  redactor: string,
  before: StateSet,
): Promise<boolean> {
  const levels = await powerLevelsAt(ctx, room, before);
  return levels.userLevel(redactor) >= levels.redact;
}

/**
 * Applies a redaction to its target where both are here and it may. True if it must be held back: the
 * target is not here yet, or the redaction may not be applied; clients are not shown it then.
 */
export async function holdsBack(change: Redacting, stored: StoredEvent, before: StateSet): Promise<boolean> {
  const { room, context: ctx } = change;
  const targetId = redactedEventId(stored, room.version);
  if (targetId === undefined) return stored.pdu.type === 'm.room.redaction';
  change.ops.push(...ctx.db.events.graph.insertRedaction(room.roomNid, stored.nid, targetId));
  const target = await ctx.lookup.one(targetId, room);
  if (target === undefined) {
    room.holdRedaction(targetId, stored.eventId);
    return true;
  }
  if (!(await mayRedact(ctx, room, stored.pdu.sender, before, target))) return true;
  if (target.redactedBy === null)
    change.replace({ ...target, pdu: redact(target.pdu, room.version), redactedBy: stored.eventId });
  return false;
}

/** Redactions that waited for this event and may be applied to it. They wait no longer. */
export async function waitingRedactions(
  ctx: RoomContext,
  room: Room,
  target: StoredEvent,
): Promise<StoredEvent[]> {
  const ids = room.heldRedactions.get(target.eventId) ?? [];
  room.heldRedactions.delete(target.eventId);
  const events = await ctx.lookup.many(ids, room);
  const allowed: StoredEvent[] = [];
  for (const id of ids) {
    const redaction = events.get(id);
    if (redaction === undefined || redaction.stateGroup === null) continue;
    const before = await ctx.sets.get(redaction.stateGroup, room);
    if (await mayRedact(ctx, room, redaction.pdu.sender, before, target)) allowed.push(redaction);
  }
  return allowed;
}
