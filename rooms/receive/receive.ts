import type { Pdu, RoomEvent } from '../../protocol/event.ts';
import { serverNameOf } from '../../protocol/identifiers.ts';
import { isObject, type JsonValue } from '../../protocol/json.ts';
import { RoomConflict } from '../../storage/errors.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import { noVerdicts } from '../consult.ts';
import type { RoomContext } from '../context.ts';
import { TryAgain } from '../errors.ts';
import { recoverRoom } from '../membership/recover-room.ts';
import type { StrangersEvent, Verdicts } from '../ports.ts';
import { KeyedQueues } from '../queue.ts';
import type { Room } from '../room.ts';
import type { ReceiveOutcome } from '../types.ts';
import { type Admission, type AdmitOptions, admit, writeAlso } from './admit.ts';
import { fetchMissingAuth, missingAuth } from './missing-auth.ts';
import { fetchMissingPrev } from './missing-prev.ts';
import { fetchStateBefore } from './state-at.ts';
import { isRemovalOfOurs, receiveForUnheldRoom } from './unheld-room.ts';
import { reconsider } from './unreject.ts';
import { checkWire } from './wire.ts';

const maxAttempts = 8;
const notInRoom = 'we are not in this room';

export interface ReceiveOptions {
  /** Anything else than an event of this room is dropped. */
  readonly roomId?: string | undefined;
  /** Committed with the event, whatever becomes of it: for instance the deletion of its staged copy. */
  readonly alsoWrite?: readonly WriteOp[] | undefined;
}

/**
 * Receives events of other servers: the checks of "Checks performed on receipt of a PDU" in their order.
 * What one server sends for one room is taken in the order in which it came; a gap that has to be healed
 * over the network keeps only what came behind it waiting, not the room.
 */
export class Receiver {
  readonly #ctx: RoomContext;
  readonly #lanes = new KeyedQueues();

  constructor(ctx: RoomContext) {
    this.#ctx = ctx;
  }

  /** Throws only for reasons that pass (`TryAgain`, storage errors). */
  receive(origin: string, pdu: JsonValue, options: ReceiveOptions = {}): Promise<ReceiveOutcome> {
    return this.#receive(origin, pdu, options, 1);
  }

  async #receive(
    origin: string,
    pdu: JsonValue,
    options: ReceiveOptions,
    attempt: number,
  ): Promise<ReceiveOutcome> {
    const ctx = this.#ctx;
    const roomId = isObject(pdu) ? pdu['room_id'] : undefined;
    if (typeof roomId !== 'string') return this.#drop('format: not an event with a room_id', options);
    if (options.roomId !== undefined && roomId !== options.roomId)
      return this.#drop('format: an event of another room', options);
    const room = ctx.rooms.peek(roomId) ?? (await ctx.rooms.get(roomId));
    if (room === undefined || !room.hasLocalMember()) {
      const joining = ctx.joining.get(roomId);
      if (joining !== undefined && attempt < maxAttempts) {
        // The join's answer is on its way to disk; what partners send after it comes after it here too.
        await joining.catch(() => undefined);
        return this.#receive(origin, pdu, options, attempt + 1);
      }
      const outcome = await receiveForUnheldRoom(ctx, origin, roomId, pdu, options.alsoWrite);
      if (outcome !== undefined) return outcome;
      if (room === undefined) {
        if (attempt < maxAttempts && (await recoverRoom(ctx, origin, roomId, pdu)))
          return this.#receive(origin, pdu, options, attempt + 1);
        if (!isRemovalOfOurs(ctx, pdu)) return this.#drop(notInRoom, options);
        // Who was invited and did not come is told all the same that nobody expects them any more.
        await writeAlso(ctx, options.alsoWrite);
        return { kind: 'ignored', reason: notInRoom };
      }
    }
    const wire = checkWire(pdu, room.version, ctx.keys);
    if (!wire.ok) {
      if (wire.unverified !== undefined && room.joinedServers().has(origin))
        ctx.border.metStranger(room, origin, strangersEvent(wire.unverified));
      return this.#drop(wire.reason, options);
    }
    if (wire.event.roomId !== roomId) return this.#drop('format: an event of another room', options);
    if (wire.event.pdu.type === 'm.room.create' && wire.event.pdu.prev_events.length === 0)
      return this.#drop('format: the room has its create event', options);
    if (!room.allowsServer(origin)) return this.#drop(`server ACL: ${origin} is denied`, options, wire.event);
    const taken = await this.#lanes.run(`${roomId} ${origin}`, () =>
      this.#take(origin, room.roomId, wire.event, { also: options.alsoWrite }),
    );
    return this.#finish(taken, attempt, (next) => this.#receive(origin, pdu, options, next));
  }

  /** Steps 4 to 6 for an event that has passed the first three: joins and leaves that come by a handshake. */
  async receiveChecked(
    origin: string,
    event: RoomEvent,
    options: AdmitOptions,
    attempt = 1,
  ): Promise<ReceiveOutcome> {
    const taken = await this.#lanes.run(`${event.roomId} ${origin}`, () =>
      this.#take(origin, event.roomId, event, options),
    );
    return this.#finish(taken, attempt, (next) => this.receiveChecked(origin, event, options, next));
  }

  /** Fills what is missing before the event, and admits it. Waits for the network, not for the disk. */
  async #take(origin: string, roomId: string, event: RoomEvent, given: AdmitOptions): Promise<Admission> {
    const ctx = this.#ctx;
    const held = ctx.rooms.peek(roomId) ?? (await ctx.rooms.get(roomId));
    if (held === undefined) throw new TryAgain('The room is gone');
    const ask = given.verdicts === undefined ? this.#consult(held, event) : undefined;
    const options = ask === undefined ? given : { ...given, verdicts: await ask() };
    if ((await missingAuth(ctx, held, event)).length > 0 && !(await this.#isKnown(held, event)))
      await fetchMissingAuth(ctx, held, origin, event);
    const first = await this.#admit(roomId, event, options);
    if (first.kind !== 'gap') return first;
    const room = (await ctx.rooms.get(roomId)) ?? held;
    // Nobody tells us of a room that none of ours is in, unless we were and have lost it.
    if (!room.hasLocalMember()) {
      if (!(await recoverRoom(ctx, origin, roomId, event.pdu)))
        return settled({ kind: 'ignored', reason: notInRoom }, event, ctx, options);
      return this.#admit(roomId, event, options);
    }
    try {
      for (const earlier of await fetchMissingPrev(ctx, room, origin, event))
        await this.#takeEarlier(origin, room, earlier);
      return await this.#admitAtGap(origin, room, event, options);
    } catch (error) {
      // One that was judged before, at a gap too, stays as it was judged then.
      if (!(error instanceof TryAgain) || !(await this.#isKnown(room, event))) throw error;
      return settled({ kind: 'duplicate' }, event, ctx, options);
    }
  }

  /** The checks that policies name are not asked about what was judged before. */
  #consult(room: Room, event: RoomEvent): (() => Promise<Verdicts>) | undefined {
    const ask = this.#ctx.border.consult({ kind: 'receive', room, event });
    if (ask === undefined) return undefined;
    return async () => ((await this.#isKnown(room, event)) ? noVerdicts : ask());
  }

  async #isKnown(room: Room, event: RoomEvent): Promise<boolean> {
    const known = await this.#ctx.lookup.one(event.eventId, room);
    return known !== undefined && !known.outlier;
  }

  /** One of the events that a gap held. What is wrong with it must not keep the others back. */
  async #takeEarlier(origin: string, room: Room, event: RoomEvent): Promise<void> {
    const failed = (error: unknown): void =>
      this.#ctx.log.warn({ err: error, eventId: event.eventId }, 'missing event not taken');
    try {
      await fetchMissingAuth(this.#ctx, room, origin, event);
      const verdicts = await this.#consult(room, event)?.();
      const admission = await this.#admitAtGap(origin, room, event, { verdicts });
      if (admission.kind === 'decided') admission.written.catch(failed);
    } catch (error) {
      if (!(error instanceof TryAgain)) throw error;
      failed(error);
    }
  }

  async #admitAtGap(origin: string, room: Room, event: RoomEvent, options: AdmitOptions): Promise<Admission> {
    const admission = await this.#admit(room.roomId, event, options);
    if (admission.kind !== 'gap') return admission;
    const ctx = this.#ctx;
    const state = await fetchStateBefore(ctx, room, origin, event);
    if (state === undefined) throw new TryAgain('No partner gave the state at a gap');
    return ctx.rooms.exclusive(room.roomId, async (current) => {
      if (current === undefined) throw new TryAgain('The room is gone');
      const given = ctx.sets.create(current, state, current.current);
      return this.#settle(current, await admit(ctx, current, event, { ...options, given }));
    });
  }

  #admit(roomId: string, event: RoomEvent, options: AdmitOptions): Promise<Admission> {
    const ctx = this.#ctx;
    return ctx.rooms.exclusive(roomId, async (room) => {
      if (room === undefined) throw new TryAgain('The room is gone');
      return this.#settle(room, await admit(ctx, room, event, options));
    });
  }

  /** Still in the queue: events that waited for this one are judged again. */
  async #settle(room: Room, admission: Admission): Promise<Admission> {
    if (admission.kind !== 'decided') return admission;
    admission.written.catch(() => undefined);
    if (admission.stored !== undefined && room.waiting.size > 0)
      await reconsider(this.#ctx, room, admission.stored);
    return admission;
  }

  async #finish(
    taken: Admission,
    attempt: number,
    again: (attempt: number) => Promise<ReceiveOutcome>,
  ): Promise<ReceiveOutcome> {
    if (taken.kind === 'gap') throw new TryAgain('Previous events are missing');
    if (taken.kind === 'in-flight') {
      // Somebody else is writing it: it is a duplicate once it is on disk, and new again if that fails.
      await this.#ctx.db.writer.idle();
      if (attempt >= maxAttempts) throw new TryAgain('The event is being written');
      return again(attempt + 1);
    }
    try {
      await taken.written;
      return taken.outcome;
    } catch (error) {
      if (error instanceof RoomConflict && attempt < maxAttempts) return again(attempt + 1);
      throw error;
    }
  }

  async #drop(reason: string, options: ReceiveOptions, event?: RoomEvent): Promise<ReceiveOutcome> {
    await writeAlso(this.#ctx, options.alsoWrite);
    return { kind: 'dropped', reason, ...(event === undefined ? {} : { eventId: event.eventId }) };
  }
}

function strangersEvent({ type, sender, state_key: stateKey, content }: Pdu): StrangersEvent {
  return { server: serverNameOf(sender), type, stateKey, content };
}

/** Nothing is to be done about the event but what was to be written with it. */
function settled(
  outcome: Omit<ReceiveOutcome, 'eventId'>,
  { eventId }: RoomEvent,
  ctx: RoomContext,
  { also }: AdmitOptions,
): Admission {
  return { kind: 'decided', outcome: { ...outcome, eventId }, written: writeAlso(ctx, also) };
}
