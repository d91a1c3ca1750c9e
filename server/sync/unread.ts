import type { PushRuleset } from '../../protocol/push-rules/default-rules.ts';
import { evaluatePushRules } from '../../protocol/push-rules/evaluate.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { EventRecord } from '../../storage/stores/event-record.ts';
import { pushRulesOf } from '../push-rules.ts';
import type { RoomTimelines } from './room-timelines.ts';

export interface UnreadCounts {
  readonly notifications: number;
  readonly highlights: number;
}

interface Counted extends UnreadCounts {
  /** The user has read up to here. */
  readonly readUpTo: number;
  /** Counted up to here. */
  readonly upTo: number;
}

/** More unread events than this are not looked at: nobody tells 1,000 from 1,001. */
const maxCounted = 1_000;
const maxKept = 50_000;
const maxRooms = 5_000;

/**
 * Unread counts by the push rules: events after the user's receipt (or the last event of their own) that notify.
 * Counts are kept and carried on from event to event; nothing is written, a restart counts anew.
 */
export class UnreadCounter {
  readonly #db: Database;
  readonly #engine: RoomEngine;
  readonly #timelines: RoomTimelines;
  readonly #counts = new Map<string, Counted>();
  /** Room, then user: how far they have read, until a receipt in the room moves. */
  readonly #readUpTo = new Map<string, Map<string, Promise<number>>>();

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
    const readUpTo = await this.#readUpToOf(userId, view);
    const known = this.#counts.get(key);
    const carriesOn = known !== undefined && known.readUpTo >= readUpTo && known.upTo <= upTo;
    let counted: Counted = carriesOn ? known : { notifications: 0, highlights: 0, readUpTo, upTo: readUpTo };
    if (counted.upTo < upTo) {
      const { entries } = await this.#timelines.slice(view.roomNid, counted.upTo, upTo, maxCounted);
      const events = await this.#engine.events(entries.map(({ eventId }) => eventId));
      const rules = pushRulesOf(userId);
      for (const { eventId, position } of entries) {
        const event = events.get(eventId);
        if (event === undefined) continue;
        if (event.pdu.sender === userId) {
          counted = { notifications: 0, highlights: 0, readUpTo: position, upTo: position };
          continue;
        }
        const outcome = this.#evaluate(rules, userId, view, event);
        counted = {
          ...counted,
          notifications: counted.notifications + (outcome.notify ? 1 : 0),
          highlights: counted.highlights + (outcome.notify && outcome.highlight ? 1 : 0),
        };
      }
      counted = { ...counted, upTo };
    }
    if (this.#counts.size >= maxKept) this.#counts.clear();
    this.#counts.set(key, counted);
    return counted;
  }

  /** The position up to which the user's receipts reach, or at which they came into the room. */
  #readUpToOf(userId: string, view: RoomView): Promise<number> {
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

  async #lookUp(userId: string, view: RoomView): Promise<number> {
    const receipts = await this.#db.receipts.ofUser(view.roomNid, userId);
    const read = receipts
      .filter(
        ({ receiptType, threadId }) =>
          (receiptType === 'm.read' || receiptType === 'm.read.private') &&
          (threadId === '' || threadId === 'main'),
      )
      .map(({ eventPos }) => eventPos);
    const joined = await this.#db.memberships.get(view.roomNid, userId);
    return Math.max(0, joined?.streamPos ?? 0, ...read);
  }

  #evaluate(
    rules: PushRuleset,
    userId: string,
    view: RoomView,
    event: EventRecord,
  ): ReturnType<typeof evaluatePushRules> {
    const name = view.members.get(userId)?.pdu.content['displayname'];
    return evaluatePushRules(rules, event.pdu, {
      userId,
      displayName: typeof name === 'string' ? name : undefined,
      memberCount: view.joinedCount,
      mayNotify: (sender, key) => view.powerLevelOf(sender) >= view.notificationLevel(key),
    });
  }
}
