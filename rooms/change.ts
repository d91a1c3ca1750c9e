import type { Violation } from '../policy/decision.ts';
import { type Pdu, type RoomEvent, stateKeyOf } from '../protocol/event.ts';
import type { JsonObject } from '../protocol/json.ts';
import { redact } from '../protocol/redaction.ts';
import type { Note, WriteOp } from '../storage/write-set.ts';
import { backfilledPosition, nextPosition, type Position } from '../storage/write-set.ts';
import { audienceOf, type Consequences, putState, relayTo, removeState } from './consequences.ts';
import type { RoomContext } from './context.ts';
import { hasItsContent } from './receive/03-hash.ts';
import { holdsBack, waitingRedactions } from './redactions.ts';
import type { Room } from './room.ts';
import { type StateSet, stateDifference } from './state/state-set.ts';
import type { StoredEvent } from './types.ts';

/** So many rejected or soft-failed ancestors are looked through for extremities that a new event covers. */
const maxHiddenAncestors = 100;

type Draft = { -readonly [K in keyof StoredEvent]: StoredEvent[K] };

export interface AddOptions {
  /** The state before the event. */
  readonly before: StateSet;
  /** The event's canonical text, where the caller has it already. */
  readonly json?: string | undefined;
  /** The row that is there already: an outlier that gets its place, a rejected event that is accepted now. */
  readonly existing?: StoredEvent | undefined;
  readonly rejectReason?: string | undefined;
  /** Auth events for want of which it is rejected. */
  readonly waitingFor?: readonly string[] | undefined;
  /** A partner told us the state before it. */
  readonly stateGiven?: boolean | undefined;
  readonly softFailed?: boolean | undefined;
  /** What the border objects to: our people are not shown the content. */
  readonly objections?: readonly Violation[] | undefined;
  readonly txn?: { readonly deviceId: string; readonly txnId: string } | undefined;
  /** Previous events that we do not hold. */
  readonly unheld?: readonly string[] | undefined;
  /** Hand the event to the partners in the room, this one excepted. */
  readonly relay?: { readonly except?: string } | undefined;
}

/**
 * One change of one room: collects everything that goes to disk together and moves the room's view along.
 * Made, filled and committed inside the room's queue; only the waiting for the commit is outside.
 */
export class RoomChange {
  readonly room: Room;
  readonly ops: WriteOp[] = [];
  readonly notes: Note[] = [];
  readonly #ctx: RoomContext;
  readonly #positions: { event: Draft; position: Position }[] = [];
  readonly #touched = new Map<string, StoredEvent>();
  #roomChanged = false;

  constructor(ctx: RoomContext, room: Room) {
    this.#ctx = ctx;
    this.room = room;
  }

  get context(): RoomContext {
    return this.#ctx;
  }

  /** Adds an event at the live end of the room: accepted, soft-failed, or rejected. */
  async add(event: RoomEvent, options: AddOptions): Promise<StoredEvent> {
    const { room } = this;
    const rejected = options.rejectReason !== undefined;
    const hidden = rejected || options.softFailed === true;
    const stateKey = event.pdu.state_key;
    const after =
      stateKey === undefined || rejected ? options.before : this.#stateAfter(event, options.before);
    const stored = this.#draft(event, {
      existing: options.existing,
      rejectReason: options.rejectReason ?? null,
      softFailed: options.softFailed ?? false,
      objections: options.objections,
      before: options.before,
      after,
      txn: options.txn,
    });
    const released = room.heldRedactions.has(stored.eventId) ? await this.#redact(stored) : [];
    const held = !hidden && isRedaction(stored) && (await holdsBack(this, stored, options.before));
    const position = hidden || held ? null : nextPosition();
    this.#write(stored, position, options);
    for (const redaction of released) this.release(redaction);
    const isAwaited = room.missing.has(stored.eventId);
    if (isAwaited) this.foundMissing(stored.eventId);
    // What lies before a hidden event is part of the history only if an event that counts comes after it.
    if (!hidden || isAwaited) this.#missing(options.unheld ?? []);
    if (hidden) {
      for (const id of options.waitingFor ?? []) room.addWaiting(id, stored.eventId);
      return stored;
    }
    const audience = audienceOf(room, stored);
    const previous = room.current;
    await this.#moveTips(stored, isAwaited);
    const current = this.#agreedState() ?? (await this.#resolveTips());
    if (current.group !== previous.group)
      await this.setCurrent(current, position ?? nextPosition(), stored, previous);
    if (position !== null) this.notes.push({ stream: 'events', key: room.roomId, position, payload: stored });
    if (options.relay !== undefined)
      this.#take(
        relayTo(this.#ctx, room, stored, position ?? nextPosition(), audience, options.relay.except),
      );
    return stored;
  }

  /** Stores an event without a place in the room: part of an auth chain, or of a state we were given. */
  outlier(
    event: RoomEvent,
    options: Pick<AddOptions, 'existing' | 'rejectReason' | 'waitingFor'> = {},
  ): StoredEvent {
    const { existing, rejectReason = null, waitingFor = [] } = options;
    const stored = this.#draft(event, { existing, rejectReason, outlier: true });
    this.#write(stored, null, options);
    for (const id of waitingFor) this.room.addWaiting(id, stored.eventId);
    return stored;
  }

  /** Adds an event of the past: it has a state, and a place before all we have. */
  async backfilled(
    event: RoomEvent,
    options: {
      before: StateSet;
      existing?: StoredEvent | undefined;
      rejectReason?: string | undefined;
      objections?: readonly Violation[] | undefined;
      unheld: readonly string[];
    },
  ): Promise<StoredEvent> {
    const rejected = options.rejectReason !== undefined;
    const after =
      event.pdu.state_key === undefined || rejected
        ? options.before
        : this.#stateAfter(event, options.before);
    const stored = this.#draft(event, {
      existing: options.existing,
      rejectReason: options.rejectReason ?? null,
      objections: options.objections,
      before: options.before,
      after,
    });
    const released = this.room.heldRedactions.has(stored.eventId) ? await this.#redact(stored) : [];
    const held = !rejected && isRedaction(stored) && (await holdsBack(this, stored, options.before));
    this.#write(stored, rejected || held ? null : backfilledPosition(), options);
    for (const redaction of released) this.release(redaction);
    this.#missing(options.unheld);
    return stored;
  }

  /** Makes `current` the room's state and brings member rows and the view into line with it. */
  async setCurrent(
    current: StateSet,
    position: Position,
    cause: StoredEvent | undefined,
    previous: StateSet = this.room.current,
  ): Promise<void> {
    const { room } = this;
    this.#roomChanged = true;
    if (current.group === previous.group) return;
    const { states } = this.#ctx.db;
    room.current = current;
    const causeKey =
      cause?.pdu.state_key === undefined ? undefined : stateKeyOf(cause.pdu.type, cause.pdu.state_key);
    // The usual case: one state event on top of the current state. Anything else is compared in full.
    if (
      cause !== undefined &&
      causeKey !== undefined &&
      cause.stateGroup === previous.group &&
      cause.stateGroupAfter === current.group
    ) {
      this.ops.push(...states.changed(room.roomNid, [causeKey], position));
      this.#take(putState(this.#ctx, room, causeKey, cause, position, true));
      return;
    }
    const { changed, removed } = stateDifference(previous.toMap(), current.toMap());
    const events = await this.#ctx.lookup.many(changed.values(), room);
    this.ops.push(...states.changed(room.roomNid, [...removed, ...changed.keys()], position));
    for (const key of removed) this.#take(removeState(this.#ctx, room, key, position));
    for (const [key, id] of changed) {
      const event = events.get(id);
      if (event !== undefined) this.#take(putState(this.#ctx, room, key, event, position, event === cause));
    }
    if (changed.size > 0 || removed.length > 0)
      this.notes.push({ stream: 'events', key: room.roomId, position });
  }

  /** Replaces the room's state by one that was given to us whole: we join, and what we knew is old. */
  async rebase(state: StateSet): Promise<void> {
    await this.setCurrent(state, nextPosition(), undefined);
    this.room.tips.clear();
  }

  /** Makes one event the room's only forward extremity. */
  onlyTip(event: StoredEvent): void {
    this.room.tips.clear();
    this.room.tips.set(event.eventId, event);
  }

  /** Replaces a stored event by another form of it, redacted or whole, in the database and in memory. */
  replace(event: StoredEvent): void {
    const { room } = this;
    this.room.changing = true;
    this.ops.push(...this.#ctx.db.events.rewrite(event.nid, event.pdu, event.redactedBy));
    room.pendingEvents.set(event.eventId, event);
    this.#touched.set(event.eventId, event);
    if (event.pdu.state_key === undefined) return;
    const key = stateKeyOf(event.pdu.type, event.pdu.state_key);
    if (room.current.get(key) === event.eventId) room.putState(key, event);
  }

  /** Gives a held redaction its place in the timeline. */
  release(redaction: StoredEvent): void {
    const position = nextPosition();
    this.ops.push(...this.#ctx.db.events.place(redaction.nid, position));
    const stored: Draft = { ...redaction };
    this.room.pendingEvents.set(stored.eventId, stored);
    this.#touched.set(stored.eventId, stored);
    this.#positions.push({ event: stored, position });
    this.notes.push({ stream: 'events', key: this.room.roomId, position, payload: stored });
  }

  /**
   * Hands the change to the writer. The view has moved already; if the write fails the view is thrown away
   * and the returned promise rejects (`RoomConflict`: try again with the view as it is on disk).
   */
  commit(
    label: string,
    also: readonly WriteOp[] = [],
    options: { isNew?: boolean; joinedVia?: readonly string[] } = {},
  ): Promise<void> {
    const { room } = this;
    const ctx = this.#ctx;
    const sets = room.unwrittenSets;
    room.unwrittenSets = [];
    room.changing = false;
    const ops: WriteOp[] = [];
    if (options.isNew === true) ops.push(...ctx.store.newRoomOps(room, ctx.clock.now(), options.joinedVia));
    ops.push(...ctx.store.stateGroupOps(room.roomNid, sets), ...this.ops);
    if (this.#roomChanged && options.isNew !== true) ops.push(...ctx.store.roomOps(room, options.joinedVia));
    ops.push(...also);
    const guard = { roomNid: room.roomNid, expectedRevision: room.revision };
    if (options.isNew !== true) room.revision += 1;
    const write: Promise<void> = ctx.db.writer
      .submit({ label, ops, notes: this.notes, ...(options.isNew === true ? {} : { room: guard }) })
      .then(
        (committed) => {
          room.writes.delete(write);
          for (const { event, position } of this.#positions) {
            event.streamPos = committed.positionOf(position);
            // A redaction may have replaced it in the meantime.
            const newer: Draft | undefined = room.pendingEvents.get(event.eventId);
            if (newer !== undefined) newer.streamPos = event.streamPos;
          }
          for (const { set } of sets) room.pendingSets.delete(set.group);
          for (const [id, event] of this.#touched) {
            ctx.lookup.stored(event);
            if (room.pendingEvents.get(id) === event) room.pendingEvents.delete(id);
          }
        },
        (error: unknown) => {
          room.writes.delete(write);
          ctx.rooms.invalidate(room);
          throw error;
        },
      );
    room.writes.add(write);
    // Whoever awaits it may do so later; until then it must not count as unhandled.
    write.catch(() => undefined);
    return write;
  }

  /** Applies the redactions that came before the event, and gives those that may now be shown. */
  async #redact(stored: Draft): Promise<StoredEvent[]> {
    const redactions = await waitingRedactions(this.#ctx, this.room, stored);
    const first = redactions[0];
    if (first !== undefined) {
      stored.pdu = redact(stored.pdu, this.room.version);
      stored.redactedBy = first.eventId;
    }
    return redactions;
  }

  #stateAfter(event: RoomEvent, before: StateSet): StateSet {
    const key = stateKeyOf(event.pdu.type, event.pdu.state_key ?? '');
    return this.#ctx.sets.derive(this.room, before, new Map([[key, event.eventId]]));
  }

  #draft(
    event: RoomEvent,
    place: {
      existing?: StoredEvent | undefined;
      rejectReason: string | null;
      softFailed?: boolean;
      objections?: readonly Violation[] | undefined;
      outlier?: boolean;
      before?: StateSet;
      after?: StateSet;
      txn?: { readonly deviceId: string; readonly txnId: string } | undefined;
    },
  ): Draft {
    this.room.changing = true;
    const stored: Draft = {
      eventId: event.eventId,
      roomId: this.room.roomId,
      pdu: formOf(event, place.existing),
      rejected: place.rejectReason !== null,
      nid: place.existing?.nid ?? this.#ctx.store.nextEvent(),
      roomNid: this.room.roomNid,
      streamPos: null,
      outlier: place.outlier ?? false,
      softFailed: place.softFailed ?? false,
      quarantined: (place.objections ?? []).length > 0,
      rejectReason: place.rejectReason,
      redactedBy: place.existing?.redactedBy ?? null,
      stateGroup: place.before?.group ?? null,
      stateGroupAfter: place.after?.group ?? null,
      receivedTs: place.existing?.receivedTs ?? this.#ctx.clock.now(),
      internal: null,
      txn: place.txn ?? null,
    };
    if (stored.quarantined)
      this.ops.push(
        ...this.#ctx.db.quarantine.put(stored.nid, place.objections ?? [], this.#ctx.clock.now()),
      );
    this.room.pendingEvents.set(stored.eventId, stored);
    this.#touched.set(stored.eventId, stored);
    return stored;
  }

  #write(
    stored: Draft,
    position: Position | null,
    options: {
      existing?: StoredEvent | undefined;
      waitingFor?: readonly string[] | undefined;
      stateGiven?: boolean | undefined;
      json?: string | undefined;
    },
  ): void {
    const { events } = this.#ctx.db;
    if (position !== null) this.#positions.push({ event: stored, position });
    stored.internal = internalOf(stored, options);
    const { existing } = options;
    if (existing === undefined) {
      // Its text is that of the event as it came: not if a redaction waited for it.
      const json = stored.redactedBy === null ? options.json : undefined;
      this.ops.push(...events.insert({ ...stored, position, json }));
      return;
    }
    this.ops.push(...events.update(stored.nid, { ...stored, position }));
    if (stored.pdu !== existing.pdu)
      this.ops.push(...events.rewrite(stored.nid, stored.pdu, stored.redactedBy));
  }

  /** Previous events that we do not hold become backward extremities. */
  #missing(unheld: readonly string[]): void {
    const { room } = this;
    const added = unheld.filter((id) => !room.missing.has(id));
    for (const id of added) room.missing.add(id);
    this.ops.push(...this.#ctx.db.events.graph.addMissing(room.roomNid, added));
  }

  /** The event becomes a forward extremity, unless something after it is here already (`isCovered`). */
  #moveTips(stored: StoredEvent, isCovered: boolean): void | Promise<void> {
    const { room } = this;
    this.#roomChanged = true;
    const others = stored.pdu.prev_events.filter((id) => !room.tips.delete(id));
    const become = (): void => {
      if (!isCovered || room.tips.size === 0) room.tips.set(stored.eventId, stored);
    };
    // The usual case: it comes after forward extremities and nothing else.
    return others.length === 0 ? become() : this.#coverBehind(others).then(become);
  }

  /** An event that refers to a rejected or soft-failed one also comes after what that one refers to. */
  async #coverBehind(ids: readonly string[]): Promise<void> {
    const { room } = this;
    const seen = new Set(ids);
    const unheld: string[] = [];
    for (let wanted = [...ids]; wanted.length > 0 && seen.size < maxHiddenAncestors; ) {
      const found = await this.#ctx.lookup.many(wanted, room);
      const next: string[] = [];
      for (const id of wanted) {
        const event = found.get(id);
        if (event === undefined || event.stateGroupAfter === null) unheld.push(id);
        else if (event.rejected || event.softFailed) next.push(...event.pdu.prev_events);
      }
      wanted = next.filter((id) => !room.tips.delete(id) && !seen.has(id));
      for (const id of wanted) seen.add(id);
    }
    this.#missing(unheld);
  }

  /** A backward extremity is no longer one. */
  foundMissing(eventId: string): void {
    this.room.missing.delete(eventId);
    this.ops.push(...this.#ctx.db.events.graph.removeMissing(this.room.roomNid, [eventId]));
  }

  /** The state after all forward extremities where they share one that is in memory: nothing to resolve. */
  #agreedState(): StateSet | undefined {
    let agreed: number | null | undefined;
    for (const { stateGroupAfter } of this.room.tips.values()) {
      if (agreed !== undefined && agreed !== stateGroupAfter) return undefined;
      agreed = stateGroupAfter;
    }
    const { room } = this;
    if (agreed === room.current.group) return room.current;
    return agreed == null ? undefined : this.#ctx.sets.peek(agreed, room);
  }

  async #resolveTips(): Promise<StateSet> {
    const groups = [...this.room.tips.values()].map((tip) => tip.stateGroupAfter);
    const sets: StateSet[] = [];
    for (const group of new Set(groups)) {
      if (group !== null) sets.push(await this.#ctx.sets.get(group, this.room));
    }
    return this.#ctx.sets.resolve(this.room, sets);
  }

  #take({ ops, notes }: Consequences): void {
    this.ops.push(...ops);
    this.notes.push(...notes);
  }
}

/** Of two copies of an event the one to keep: a redacted one if it was redacted, else one with its content. */
function formOf(event: RoomEvent, existing: StoredEvent | undefined): Pdu {
  if (existing === undefined) return event.pdu;
  return existing.redactedBy !== null || hasItsContent(existing.pdu) ? existing.pdu : event.pdu;
}

function isRedaction(event: StoredEvent): boolean {
  return event.pdu.type === 'm.room.redaction';
}

function internalOf(
  stored: StoredEvent,
  { waitingFor = [], stateGiven = false }: Pick<AddOptions, 'waitingFor' | 'stateGiven'>,
): JsonObject | null {
  if (stored.txn !== null) return { device_id: stored.txn.deviceId, txn_id: stored.txn.txnId };
  const internal: JsonObject = {};
  if (waitingFor.length > 0) internal['waiting_for'] = [...waitingFor];
  if (stored.rejected && stateGiven) internal['state_given'] = true;
  return Object.keys(internal).length === 0 ? null : internal;
}
