import { isValidEventId } from '../../protocol/identifiers.ts';
import { isObject, type JsonValue } from '../../protocol/json.ts';
import type { PushRuleset } from '../../protocol/push-rules/default-rules.ts';
import { evaluatePushRules } from '../../protocol/push-rules/evaluate.ts';
import { isLocalNoticeId } from '../../rooms/local-notice.ts';
import { shownPdu } from '../../rooms/quarantine.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView, StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import { pushRulesOf } from '../push-rules.ts';
import type { RoomTimelines } from './room-timelines.ts';

export interface UnreadCount {
  readonly notifications: number;
  readonly highlights: number;
}

export interface UnreadCounts {
  /** Of the whole room. */
  readonly all: UnreadCount;
  /** Of what is in no thread. */
  readonly main: UnreadCount;
  /** Of each thread that has any, by its root's event id. */
  readonly threads: ReadonlyMap<string, UnreadCount>;
}

/** An event that notifies the user and that they have not read. */
interface Unread {
  readonly position: number;
  readonly eventId: string;
  /** The root's event id, or `main`. */
  readonly threadId: string;
  readonly highlight: boolean;
}

interface Counted {
  /** Looked at up to here. */
  readonly upTo: number;
  /** Oldest first. */
  readonly unread: readonly Unread[];
}

/** How far a user has read: everything up to `all`, and of each thread up to what it says. */
interface ReadUpTo {
  readonly all: number;
  readonly threads: ReadonlyMap<string, number>;
}

const mainThread = 'main';
/** More unread events than this are not looked at: nobody tells 1,000 from 1,001. */
const maxCounted = 1_000;
const maxKept = 50_000;
const maxRooms = 5_000;
/** "Threaded read receipts": so many relations are followed to a thread. */
const maxHops = 3;

/**
 * Unread counts by the push rules ("Receiving notifications"): events that notify, after the user's receipts and the
 * last event of their own. Counts are kept and carried on from event to event; nothing is written, a restart counts
 * anew.
 */
export class UnreadCounter {
  readonly #db: Database;
  readonly #engine: RoomEngine;
  readonly #timelines: RoomTimelines;
  readonly #counts = new Map<string, Counted>();
  /** Room, then user: how far they have read, until a receipt in the room moves. */
  readonly #readUpTo = new Map<string, Map<string, Promise<ReadUpTo>>>();

  constructor(deps: { db: Database; engine: RoomEngine; timelines: RoomTimelines }) {
    this.#db = deps.db;
    this.#engine = deps.engine;
    this.#timelines = deps.timelines;
  }

  /** A receipt in the room has moved: how far people have read is looked up again. */
  receiptMoved(roomId: string): void {
    this.#readUpTo.delete(roomId);
  }

  async count(userId: string, view: RoomView, upTo: number): Promise<UnreadCounts> {
    const key = `${view.roomId}\n${userId}`;
    const read = await this.#readUpToOf(userId, view);
    const known = this.#counts.get(key) ?? { upTo: read.all, unread: [] };
    const extended = known.upTo < upTo ? await this.#extend(userId, view, known, read, upTo) : known;
    const unread = extended.unread.filter((entry) => !isRead(entry, read));
    if (this.#counts.size >= maxKept) this.#counts.clear();
    this.#counts.set(key, { upTo: extended.upTo, unread });
    // Another device may be ahead.
    return sumUp(unread.filter(({ position }) => position <= upTo));
  }

  /** Looks at what came since. */
  async #extend(
    userId: string,
    view: RoomView,
    known: Counted,
    read: ReadUpTo,
    upTo: number,
  ): Promise<Counted> {
    const after = Math.max(known.upTo, read.all);
    const { entries } = await this.#timelines.slice(view.roomNid, after, upTo, maxCounted);
    // Notices of the server are told to nobody a second time.
    const ids = entries.map(({ eventId }) => eventId).filter((id) => !isLocalNoticeId(id));
    const events = await this.#engine.events(ids);
    const rules = pushRulesOf(userId);
    let unread = [...known.unread];
    for (const { eventId, position } of entries) {
      const event = events.get(eventId);
      if (event === undefined || event.redactedBy !== null) continue;
      // Who says something has read what was said.
      if (event.pdu.sender === userId) unread = [];
      const redacted = event.pdu.redacts ?? event.pdu.content['redacts'];
      if (event.pdu.type === 'm.room.redaction')
        unread = unread.filter((entry) => entry.eventId !== redacted);
      const { notify, highlight } = evaluate(rules, userId, view, event);
      if (notify) unread.push({ position, eventId, threadId: await this.#threadOf(event), highlight });
    }
    return { upTo, unread: unread.slice(-maxCounted) };
  }

  /** The root of the thread that an event is in, by its own relation or by that of what it relates to. */
  async #threadOf(event: StoredEvent): Promise<string> {
    let content: JsonValue | undefined = event.pdu.content;
    for (let hops = 0; hops < maxHops; hops += 1) {
      const relation: JsonValue | undefined = isObject(content) ? content['m.relates_to'] : undefined;
      const target = isObject(relation) ? relation['event_id'] : undefined;
      if (!isObject(relation) || typeof target !== 'string' || !isValidEventId(target)) return mainThread;
      if (relation['rel_type'] === 'm.thread') return target;
      const parent = await this.#engine.event(target);
      content = parent?.roomId === event.roomId ? parent.pdu.content : undefined;
    }
    return mainThread;
  }

  /** How far the user's receipts reach, or where they came into the room. */
  #readUpToOf(userId: string, view: RoomView): Promise<ReadUpTo> {
    let ofRoom = this.#readUpTo.get(view.roomId);
    if (ofRoom === undefined) {
      if (this.#readUpTo.size >= maxRooms) this.#readUpTo.clear();
      ofRoom = new Map();
      this.#readUpTo.set(view.roomId, ofRoom);
    }
    const known = ofRoom.get(userId);
    if (known !== undefined) return known;
    // Put aside before it is read: a receipt that moves in the meantime throws it away.
    const reading = this.#lookUp(userId, view);
    ofRoom.set(userId, reading);
    const kept = ofRoom;
    reading.catch(() => kept.delete(userId));
    return reading;
  }

  async #lookUp(userId: string, view: RoomView): Promise<ReadUpTo> {
    const joined = await this.#db.memberships.get(view.roomNid, userId);
    let all = Math.max(0, joined?.streamPos ?? 0);
    const threads = new Map<string, number>();
    for (const { receiptType, threadId, eventPos } of await this.#db.receipts.ofUser(view.roomNid, userId)) {
      if (receiptType !== 'm.read' && receiptType !== 'm.read.private') continue;
      if (threadId === '') all = Math.max(all, eventPos);
      else threads.set(threadId, Math.max(threads.get(threadId) ?? 0, eventPos));
    }
    return { all, threads };
  }
}

function isRead({ position, threadId }: Unread, { all, threads }: ReadUpTo): boolean {
  return position <= all || position <= (threads.get(threadId) ?? 0);
}

function evaluate(
  rules: PushRuleset,
  userId: string,
  view: RoomView,
  event: StoredEvent,
): ReturnType<typeof evaluatePushRules> {
  const name = view.members.get(userId)?.pdu.content['displayname'];
  return evaluatePushRules(rules, shownPdu(event), {
    userId,
    displayName: typeof name === 'string' ? name : undefined,
    memberCount: view.joinedCount,
    mayNotify: (sender, key) => view.powerLevelOf(sender) >= view.notificationLevel(key),
  });
}

function sumUp(unread: readonly Unread[]): UnreadCounts {
  const threads = new Map<string, UnreadCount>();
  for (const { threadId, highlight } of unread) {
    const { notifications, highlights } = threads.get(threadId) ?? none;
    threads.set(threadId, {
      notifications: notifications + 1,
      highlights: highlights + (highlight ? 1 : 0),
    });
  }
  const main = threads.get(mainThread) ?? none;
  threads.delete(mainThread);
  const highlights = unread.filter(({ highlight }) => highlight).length;
  return { all: { notifications: unread.length, highlights }, main, threads };
}

const none: UnreadCount = { notifications: 0, highlights: 0 };
