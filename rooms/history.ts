import type { RoomEvent, StateKey } from '../protocol/event.ts';
import type { WriteOp } from '../storage/write-set.ts';
import { RoomChange } from './change.ts';
import type { RoomContext } from './context.ts';
import { TryAgain } from './errors.ts';
import type { Verdicts } from './ports.ts';
import { checkByAuthEvents, impliedCreate } from './receive/04-auth-events.ts';
import { checkByStateBefore, stateBefore } from './receive/05-state-before.ts';
import { askPartners, serversToAsk } from './receive/ask.ts';
import { fetchMissingAuth } from './receive/missing-auth.ts';
import { byPrev, type CheckedGraph, checkedGraph, inOrder } from './receive/outliers.ts';
import { fetchStateBefore } from './receive/state-at.ts';
import type { Room } from './room.ts';

const maxEvents = 100;
/** So many backward extremities are asked for in one request, and so many requests are made for one page. */
const maxFrom = 20;
const maxRequests = 5;

export interface FetchedHistory {
  /** Events that came. */
  readonly count: number;
  /** Nothing came, and nobody who can be asked has any more. */
  readonly isBeginning: boolean;
}

const beginning: FetchedHistory = { count: 0, isBeginning: true };
const notNow: FetchedHistory = { count: 0, isBeginning: false };

/**
 * Fetches events that lie before what we hold of a room from partners in it ("Backfilling"), checks them as
 * on receipt and gives them places before all we have.
 */
export async function fetchHistory(ctx: RoomContext, roomId: string, limit: number): Promise<FetchedHistory> {
  return ctx.joins.run(`history ${roomId}`, async () => {
    const room = await ctx.rooms.get(roomId);
    if (room === undefined) return beginning;
    const wanted = [...room.missing].reverse();
    try {
      // What nobody gives us must not hide what somebody would.
      for (let request = 0; request < maxRequests && wanted.length > 0; request += 1) {
        const count = await fetchBefore(ctx, room, wanted.splice(0, maxFrom), limit);
        if (count > 0) return { count, isBeginning: false };
      }
      return beginning;
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      ctx.log.info({ err: error, roomId }, 'no history from partners now');
      return notNow;
    }
  });
}

/** Gives how many events came. Throws `TryAgain` if a partner that might have some could not be reached. */
async function fetchBefore(
  ctx: RoomContext,
  room: Room,
  from: readonly string[],
  limit: number,
): Promise<number> {
  const count = Math.min(Math.max(limit, 1), maxEvents);
  const placed = await askPartners(
    serversToAsk(ctx, room),
    (server) => ctx.remote.backfill(server, room.roomId, from, count),
    async (answer, server) => {
      const checked = await checkedGraph(ctx, room.roomId, room.version, answer.slice(0, maxEvents));
      const events = await reachable(ctx, room, from, checked);
      if (events.size === 0) return undefined;
      const stored = await place(ctx, room, server, inOrder(events, byPrev));
      return stored > 0 ? stored : undefined;
    },
  );
  return placed ?? 0;
}

/**
 * Of the events that we were given and do not hold those that precede the ones we asked for. Anything else is not
 * the past of this room, whoever signed it: it would come in by a way on which nobody asks whether it may.
 */
async function reachable(
  ctx: RoomContext,
  room: Room,
  from: readonly string[],
  { events, unverified }: CheckedGraph,
): Promise<Map<string, RoomEvent>> {
  const held = await ctx.lookup.many(events.keys(), room);
  const found = new Map<string, RoomEvent>();
  const seen = new Set<string>();
  const ids = [...from];
  for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
    if (seen.has(id) || held.get(id)?.outlier === false) continue;
    seen.add(id);
    const event = events.get(id);
    if (event !== undefined) found.set(id, event);
    ids.push(...(event?.pdu.prev_events ?? unverified.get(id) ?? []));
  }
  return found;
}

/** Stores a piece of history, given in the order of the graph. */
async function place(
  ctx: RoomContext,
  room: Room,
  server: string,
  events: readonly RoomEvent[],
): Promise<number> {
  const inHand = new Set(events.map((event) => event.eventId));
  const given = new Map<string, Map<StateKey, string>>();
  const verdicts = new Map<string, Verdicts>();
  for (const event of events) {
    await fetchMissingAuth(ctx, room, server, event);
    const prev = await ctx.lookup.many(event.pdu.prev_events, room);
    const isOpen = event.pdu.prev_events.some(
      (id) => !inHand.has(id) && (prev.get(id)?.stateGroupAfter ?? null) === null,
    );
    const state = isOpen ? await fetchStateBefore(ctx, room, server, event) : undefined;
    if (state !== undefined) given.set(event.eventId, state);
  }
  await Promise.all(
    events.map(async (event) => {
      const ask = ctx.border.consult({ kind: 'receive', room, event });
      if (ask !== undefined) verdicts.set(event.eventId, await ask());
    }),
  );
  const stored = await ctx.rooms.exclusive(room.roomId, async (current) => {
    if (current === undefined) return { count: 0, written: Promise.resolve() };
    const change = new RoomChange(ctx, current);
    // Places are given in the order of the write set: the newest first, each further one before it.
    const pieces: WriteOp[][] = [];
    for (const event of events) {
      const start = change.ops.length;
      if (await placeOne(ctx, current, change, event, given.get(event.eventId), verdicts.get(event.eventId)))
        pieces.push(change.ops.splice(start));
    }
    change.ops.push(...pieces.reverse().flat());
    const written = pieces.length === 0 ? Promise.resolve() : change.commit('history');
    written.catch(() => undefined);
    return { count: pieces.length, written };
  });
  await stored.written;
  return stored.count;
}

async function placeOne(
  ctx: RoomContext,
  room: Room,
  change: RoomChange,
  event: RoomEvent,
  given: Map<StateKey, string> | undefined,
  verdicts: Verdicts | undefined,
): Promise<boolean> {
  const existing = await ctx.lookup.one(event.eventId, room);
  if (existing !== undefined && !existing.outlier) return false;
  const prev = await ctx.lookup.many(event.pdu.prev_events, room);
  const isCreate = event.pdu.type === 'm.room.create' && event.pdu.prev_events.length === 0;
  const before = isCreate
    ? ctx.sets.create(room, new Map())
    : await stateBefore(
        ctx,
        room,
        prev.values(),
        given === undefined ? undefined : ctx.sets.create(room, given, room.current),
      );
  if (before === undefined) return false;
  const authEvents = await ctx.lookup.many(event.pdu.auth_events, room);
  const implied = isCreate ? undefined : impliedCreate(room);
  const step4 = checkByAuthEvents(ctx, room.version, event, authEvents, implied);
  const verdict = step4.ok ? await checkByStateBefore(ctx, room, event, before) : step4;
  if (room.missing.has(event.eventId)) change.foundMissing(event.eventId);
  const decision = ctx.border.judgeReceived(room, event, verdicts);
  await change.backfilled(event, {
    before,
    existing,
    rejectReason: verdict.ok ? undefined : verdict.reason,
    objections: decision.allowed ? undefined : decision.violations,
    unheld: event.pdu.prev_events.filter((id) => (prev.get(id)?.stateGroupAfter ?? null) === null),
  });
  return true;
}
