import type { RoomEvent } from '../../protocol/event.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import { RoomChange } from '../change.ts';
import type { RoomContext } from '../context.ts';
import type { Verdicts } from '../ports.ts';
import type { Room } from '../room.ts';
import type { StateSet } from '../state/state-set.ts';
import type { ReceiveOutcome, StoredEvent } from '../types.ts';
import { hasItsContent } from './03-hash.ts';
import { checkByAuthEvents, impliedCreate } from './04-auth-events.ts';
import { checkByStateBefore, stateBefore } from './05-state-before.ts';
import { checkByCurrentState } from './06-current-state.ts';

export interface AdmitOptions {
  /** The state before the event as a partner told it, where previous events are missing. */
  readonly given?: StateSet | undefined;
  readonly also?: readonly WriteOp[] | undefined;
  /** What the checks said that policies name. */
  readonly verdicts?: Verdicts | undefined;
  /** Hand the event on to the other partners in the room: we are its resident server (joins, leaves). */
  readonly relay?: { readonly except?: string } | undefined;
}

export type Admission =
  | { kind: 'decided'; outcome: ReceiveOutcome; written: Promise<void>; stored?: StoredEvent }
  /** It is being written at this moment by somebody else. */
  | { kind: 'in-flight' }
  /** Previous events are missing and no state was given. */
  | { kind: 'gap'; missing: string[] };

/**
 * Steps 4 to 6 and the storing of an event whose signature and hash were checked. Must run in the room's
 * queue.
 */
export async function admit(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  options: AdmitOptions = {},
): Promise<Admission> {
  const existing = await ctx.lookup.one(event.eventId, room);
  if (existing !== undefined && !existing.outlier && !mayBeMisjudged(existing)) {
    if (room.pendingEvents.has(event.eventId)) return { kind: 'in-flight' };
    return {
      kind: 'decided',
      outcome: { kind: 'duplicate', eventId: event.eventId },
      written: completes(event, existing)
        ? complete(ctx, room, { ...existing, pdu: event.pdu }, options.also)
        : writeAlso(ctx, options.also),
      stored: existing,
    };
  }
  const prevIds = new Set(event.pdu.prev_events);
  const prev = await ctx.lookup.many(prevIds, room);
  if ([...prev.values()].some((found) => found.roomId !== room.roomId))
    return {
      kind: 'decided',
      outcome: {
        kind: 'dropped',
        eventId: event.eventId,
        reason: 'format: a previous event is of another room',
      },
      written: writeAlso(ctx, options.also),
    };
  const unheld = [...prevIds].filter((id) => (prev.get(id)?.stateGroupAfter ?? null) === null);
  if (unheld.length > 0 && options.given === undefined) return { kind: 'gap', missing: unheld };
  // Only the create event comes after nothing; whatever else claims that fails the auth rules there.
  const before =
    prevIds.size === 0
      ? ctx.sets.create(room, new Map())
      : await stateBefore(ctx, room, prev.values(), options.given);
  if (before === undefined) return { kind: 'gap', missing: unheld };
  const verdict = await judge(ctx, room, event, before);
  const decision =
    verdict.kind === 'accepted'
      ? ctx.border.judgeReceived(room, event, options.verdicts)
      : ({ allowed: true } as const);
  const change = new RoomChange(ctx, room);
  const stored = await change.add(event, {
    before,
    existing,
    unheld,
    stateGiven: options.given !== undefined,
    relay: verdict.kind === 'accepted' ? options.relay : undefined,
    rejectReason: verdict.kind === 'rejected' ? verdict.reason : undefined,
    waitingFor: verdict.kind === 'rejected' ? verdict.waitingFor : undefined,
    softFailed: verdict.kind === 'soft-failed',
    objections: decision.allowed ? undefined : decision.violations,
  });
  const written = change.commit('received event', options.also);
  return {
    kind: 'decided',
    outcome: {
      kind: verdict.kind,
      eventId: event.eventId,
      ...(verdict.kind === 'accepted' ? {} : { reason: verdict.reason }),
    },
    written,
    stored,
  };
}

export type Judgement =
  | { kind: 'accepted' }
  | { kind: 'soft-failed'; reason: string }
  | { kind: 'rejected'; reason: string; waitingFor: string[] };

/** The three auth checks in their order. */
export async function judge(
  ctx: RoomContext,
  room: Room,
  event: RoomEvent,
  before: StateSet,
): Promise<Judgement> {
  const authEvents = await ctx.lookup.many(event.pdu.auth_events, room);
  const step4 = checkByAuthEvents(ctx, room.version, event, authEvents, impliedCreate(room));
  if (!step4.ok) return { kind: 'rejected', reason: step4.reason, waitingFor: step4.waitingFor };
  const step5 = await checkByStateBefore(ctx, room, event, before);
  if (!step5.ok) return { kind: 'rejected', reason: step5.reason, waitingFor: [] };
  const step6 = await checkByCurrentState(ctx, room, event, before);
  return step6.ok ? { kind: 'accepted' } : { kind: 'soft-failed', reason: step6.reason };
}

/**
 * Was it rejected on the word of a partner, who told us what the state before it was? Then it is judged again when it
 * comes again: by what lies before it if we hold that now, or by what somebody else says.
 */
export function mayBeMisjudged(event: StoredEvent): boolean {
  return event.rejected && event.internal?.['state_given'] === true;
}

/** Has this copy the content of the event, and what we hold has not, though nobody redacted it? */
function completes(event: RoomEvent, existing: StoredEvent): boolean {
  return existing.redactedBy === null && !hasItsContent(existing.pdu) && hasItsContent(event.pdu);
}

/** Somebody gave us an altered copy first: the whole one replaces it. */
function complete(
  ctx: RoomContext,
  room: Room,
  whole: StoredEvent,
  also: readonly WriteOp[] | undefined,
): Promise<void> {
  const change = new RoomChange(ctx, room);
  change.replace(whole);
  return change.commit('whole copy of an event', also);
}

/** Writes what had to go with an event that itself changes nothing. */
export async function writeAlso(ctx: RoomContext, also: readonly WriteOp[] | undefined): Promise<void> {
  if (also === undefined || also.length === 0) return;
  await ctx.db.writer.submit({ label: 'received nothing new', ops: [...also] });
}
