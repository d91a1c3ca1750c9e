import { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import type { Room } from '../room.ts';
import type { StateSet } from '../state/state-set.ts';
import type { StoredEvent } from '../types.ts';
import { checkByAuthEvents, impliedCreate } from './04-auth-events.ts';
import { stateBefore } from './05-state-before.ts';
import { judge, mayBeMisjudged } from './admit.ts';

/** One arrival sets off no more re-judgements than this. */
const maxReconsidered = 200;

/**
 * Judges events again that were rejected because this one was missing or rejected itself. One that passes
 * now takes its place: it becomes a forward extremity even if others refer to it already, so that what it
 * changes enters the current state by resolution. Must run in the room's queue.
 */
export async function reconsider(ctx: RoomContext, room: Room, arrived: StoredEvent): Promise<void> {
  const arrivals = [arrived];
  for (let count = 0; arrivals.length > 0 && count < maxReconsidered; ) {
    const event = arrivals.shift();
    if (event === undefined || event.rejected) continue;
    const ids = room.waiting.get(event.eventId);
    if (ids === undefined) continue;
    room.waiting.delete(event.eventId);
    const waiting = await ctx.lookup.many(ids, room);
    for (const candidate of waiting.values()) {
      count += 1;
      if (!candidate.rejected) continue;
      if (candidate.outlier) {
        const accepted = await acceptOutlier(ctx, room, candidate);
        if (accepted !== undefined) arrivals.push(accepted);
        continue;
      }
      if (candidate.stateGroup === null) continue;
      const before =
        (await heldBefore(ctx, room, candidate)) ?? (await ctx.sets.get(candidate.stateGroup, room));
      const fresh = { ...candidate, rejected: false };
      const verdict = await judge(ctx, room, fresh, before);
      if (verdict.kind === 'rejected') {
        for (const id of verdict.waitingFor) room.addWaiting(id, candidate.eventId);
        continue;
      }
      // It was not judged when it came: nobody was shown it.
      const decision = ctx.border.judgeReceived(room, fresh);
      const change = new RoomChange(ctx, room);
      const accepted = await change.add(fresh, {
        before,
        existing: candidate,
        softFailed: verdict.kind === 'soft-failed',
        objections: decision.allowed ? undefined : decision.violations,
      });
      change.commit('event accepted after all').catch((error: unknown) => {
        ctx.log.warn({ err: error, eventId: candidate.eventId }, 'late acceptance not stored');
      });
      arrivals.push(accepted);
    }
  }
}

/** An event without a place is judged by its auth events alone; undefined if they do not allow it yet. */
async function acceptOutlier(
  ctx: RoomContext,
  room: Room,
  candidate: StoredEvent,
): Promise<StoredEvent | undefined> {
  const authEvents = await ctx.lookup.many(candidate.pdu.auth_events, room);
  const verdict = checkByAuthEvents(ctx, room.version, candidate, authEvents, impliedCreate(room));
  if (!verdict.ok) {
    for (const id of verdict.waitingFor) room.addWaiting(id, candidate.eventId);
    return undefined;
  }
  const change = new RoomChange(ctx, room);
  const accepted = change.outlier(candidate, { existing: candidate });
  change.commit('outlier accepted after all').catch((error: unknown) => {
    ctx.log.warn({ err: error, eventId: candidate.eventId }, 'late acceptance not stored');
  });
  return accepted;
}

/** The state before an event whose state a partner had told us, if by now we hold all that lies before it. */
async function heldBefore(ctx: RoomContext, room: Room, event: StoredEvent): Promise<StateSet | undefined> {
  if (!mayBeMisjudged(event)) return undefined;
  const prev = await ctx.lookup.many(event.pdu.prev_events, room);
  const isWhole = event.pdu.prev_events.every((id) => (prev.get(id)?.stateGroupAfter ?? null) !== null);
  return isWhole ? stateBefore(ctx, room, prev.values()) : undefined;
}
