import { objectionToClass, roomClassType } from '../policy/room-class.ts';
import type { RoomEvent } from '../protocol/event.ts';
import { parseUserId } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import { RoomConflict } from '../storage/errors.ts';
import type { WriteOp } from '../storage/write-set.ts';
import { buildEvent, type EventRequest, nextPlace, type Place } from './build.ts';
import { RoomChange } from './change.ts';
import { consulted, noVerdicts } from './consult.ts';
import type { RoomContext } from './context.ts';
import { badJson, forbidden, invalidParam, notFound, requireAllowed } from './errors.ts';
import { hasRedactLevel } from './redactions.ts';
import type { Room } from './room.ts';
import type { ClientTxn, RedactRequest, SendRequest } from './types.ts';

/** A view that another process or a failed write has overtaken is rebuilt so many times. */
const maxAttempts = 8;

/** What is done inside the room's queue; gives the promise of the commit, which is awaited outside. */
export type Attempt<T> = (room: Room) => Promise<{ result: T; written: Promise<void> }>;

/**
 * Runs an attempt in the room's queue until its write set is on disk. If the write fails because the view
 * was not the room's last state, the view is loaded again and the attempt starts over; any other failure is
 * the caller's.
 */
export async function inRoom<T>(ctx: RoomContext, roomId: string, attempt: Attempt<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      const { result, written } = await ctx.rooms.exclusive(roomId, async (room) => {
        if (room === undefined) throw notFound('Unknown room');
        return attempt(room);
      });
      await written;
      return result;
    } catch (error) {
      if (!(error instanceof RoomConflict) || count >= maxAttempts) throw error;
    }
  }
}

/** Adds an event of ours to the room: builds, checks, moves the view, hands it to the writer. */
export async function addLocal(
  ctx: RoomContext,
  room: Room,
  request: EventRequest,
  options: { txn?: ClientTxn | undefined; userId?: string; also?: readonly WriteOp[]; place?: Place } = {},
): Promise<{ result: RoomEvent; written: Promise<void> }> {
  const place = options.place ?? (await nextPlace(ctx, room));
  const event = await buildEvent(ctx, room, place, request);
  const change = new RoomChange(ctx, room);
  const { txn } = options;
  await change.add(event, {
    before: place.before,
    json: event.json,
    relay: {},
    txn: txn === undefined ? undefined : { deviceId: txn.deviceId, txnId: txn.txnKey },
  });
  const also = [...(options.also ?? [])];
  if (txn !== undefined) also.push(...ctx.store.txnOps(request.sender, txn, event.eventId, ctx.clock.now()));
  return { result: event, written: change.commit('local event', also) };
}

/**
 * Makes requests with the same (user, device, transaction id) one: the first runs, the others get its
 * answer, at the same moment or after a restart.
 */
export class TxnGuard {
  readonly #ctx: RoomContext;
  readonly #running = new Map<string, Promise<{ eventId: string }>>();

  constructor(ctx: RoomContext) {
    this.#ctx = ctx;
  }

  once(
    userId: string,
    txn: ClientTxn | undefined,
    run: () => Promise<{ eventId: string }>,
  ): Promise<{ eventId: string }> {
    if (txn === undefined) return run();
    const key = `${userId.length} ${txn.deviceId.length} ${userId}${txn.deviceId}${txn.txnKey}`;
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const result = this.#runOnce(key, userId, txn, run);
    this.#running.set(key, result);
    return result;
  }

  async #runOnce(
    key: string,
    userId: string,
    txn: ClientTxn,
    run: () => Promise<{ eventId: string }>,
  ): Promise<{ eventId: string }> {
    try {
      return await this.#lookUp(userId, txn, run);
    } finally {
      this.#running.delete(key);
    }
  }

  async #lookUp(
    userId: string,
    txn: ClientTxn,
    run: () => Promise<{ eventId: string }>,
  ): Promise<{ eventId: string }> {
    const known = await this.#ctx.store.txn(userId, txn);
    if (known !== undefined) return { eventId: known };
    try {
      return await run();
    } catch (error) {
      // Another process may have been first.
      const other = await this.#ctx.store.txn(userId, txn);
      if (other !== undefined) return { eventId: other };
      throw error;
    }
  }
}

/**
 * Sends a message or state event of a local user. Throws 403 where the auth rules or the user's membership
 * forbid it, 400 for a member that is no user, 404 for a room that we do not hold, 413 for an event that is too large.
 */
export async function sendEvent(ctx: RoomContext, request: SendRequest): Promise<{ eventId: string }> {
  // The auth rules leave it open what a member is; nobody else's server would make of it anything but noise.
  if (request.type === 'm.room.member' && parseUserId(request.stateKey ?? '') === undefined)
    throw invalidParam('The state key of a member event is a user id');
  if (request.type === roomClassType && request.stateKey !== undefined)
    requireClass(request.content, request.stateKey);
  const local = { ...request, sender: request.userId };
  const known = ctx.rooms.peek(request.roomId) ?? (await ctx.rooms.get(request.roomId));
  const asked =
    known?.membership(request.userId) === 'join'
      ? consulted(ctx, { kind: 'send', room: known, event: local })
      : noVerdicts;
  const verdicts = asked instanceof Promise ? await asked : asked;
  const event = await inRoom(ctx, request.roomId, async (room) => {
    requireJoined(room, request.userId);
    const decision = ctx.border.maySend(room, local, verdicts);
    requireAllowed(decision instanceof Promise ? await decision : decision);
    return addLocal(
      ctx,
      room,
      {
        type: request.type,
        sender: request.userId,
        stateKey: request.stateKey,
        content: request.content,
        timestamp: request.timestamp,
      },
      { txn: request.txn },
    );
  });
  return { eventId: event.eventId };
}

/**
 * Redacts an event: one's own, or with the redact level any. Throws 404 if the room does not hold it, 403 for somebody
 * else's without that level.
 */
export async function redactEvent(ctx: RoomContext, request: RedactRequest): Promise<{ eventId: string }> {
  const event = await inRoom(ctx, request.roomId, async (room) => {
    requireJoined(room, request.userId);
    const target = await ctx.lookup.one(request.eventId, room);
    if (target === undefined || target.roomId !== room.roomId) throw notFound('Unknown event');
    const place = await nextPlace(ctx, room);
    const isOwn = target.pdu.sender === request.userId;
    if (!isOwn && !(await hasRedactLevel(ctx, room, request.userId, place.before)))
      throw forbidden('You may not redact this event');
    const inContent = room.version.updatedRedactionRules;
    const { redacts: _redacts, ...further } = request.content ?? {};
    const content = {
      ...further,
      ...(request.reason === undefined ? {} : { reason: request.reason }),
      ...(inContent ? { redacts: request.eventId } : {}),
    };
    return addLocal(
      ctx,
      room,
      {
        type: 'm.room.redaction',
        sender: request.userId,
        content,
        redacts: inContent ? undefined : request.eventId,
      },
      { txn: request.txn, place },
    );
  });
  return { eventId: event.eventId };
}

/** Throws 400 for a class event that nobody could make sense of. */
export function requireClass(content: JsonObject, stateKey: string): void {
  const objection = objectionToClass(content, stateKey);
  if (objection !== undefined) throw badJson(objection);
}

export function requireJoined(room: Room, userId: string): void {
  if (room.membership(userId) !== 'join') throw forbidden('You are not joined to this room');
}
