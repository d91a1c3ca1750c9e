import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StateKey } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView, StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { InviteRecord, MembershipRecord } from '../../storage/stores/membership-store.ts';
import type { PublishedNote } from '../../storage/streams.ts';
import { acceptsEvent, acceptsRoom, selectFields } from '../event-filter.ts';
import { cameBack, isJoin, wasJoinedAt } from '../membership-history.ts';
import { ChangeIndex } from './change-index.ts';
import { ephemeralEvents } from './ephemeral.ts';
import { leftRoom } from './left-room.ts';
import {
  changedState,
  fullState,
  isOfSummary,
  lazyMembers,
  memberEvents,
  type StateQuery,
  stateUpTo,
  summaryOf,
} from './room-state.ts';
import type { RoomTimelines } from './room-timelines.ts';
import { timelineSection, unreadSection } from './sections.ts';
import type { RoomSections, SyncScope } from './sync-request.ts';
import { emptyTimeline, readTimeline, type Timeline } from './timeline.ts';
import type { SyncToken } from './token.ts';
import type { TypingTracker } from './typing.ts';
import type { UnreadCounter } from './unread.ts';

interface RoomSyncDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly typing: TypingTracker;
  readonly timelines: RoomTimelines;
  readonly unread: UnreadCounter;
}

/** A user's rooms: those that we hold, and invitations to others. */
interface UserRooms {
  readonly memberships: readonly MembershipRecord[];
  readonly invites: readonly InviteRecord[];
}

/** What a joined room is read for: all of it, or what came after a place. */
interface JoinedQuery {
  readonly view: RoomView;
  readonly record: MembershipRecord;
  /** The client has nothing of the room, or asks for everything. */
  readonly isWhole: boolean;
  /** Exclusive start of the timeline. */
  readonly after: number;
  /** The timeline starts anew whatever the client has of it. */
  readonly isAnew: boolean;
}

const maxCachedUsers = 20_000;

/** The rooms of a `/sync`: joined, invited, left. */
export class RoomSync {
  readonly #deps: RoomSyncDeps;
  readonly #events: ChangeIndex;
  readonly #states: ChangeIndex;
  readonly #receipts: ChangeIndex;
  readonly #accountData: ChangeIndex;
  /** The rooms of users who sync, until a membership changes. */
  readonly #userRooms = new Map<string, Promise<UserRooms>>();

  constructor(deps: RoomSyncDeps) {
    this.#deps = deps;
    const { position } = deps.db.streams;
    this.#events = new ChangeIndex(position);
    this.#states = new ChangeIndex(position);
    this.#receipts = new ChangeIndex(position);
    this.#accountData = new ChangeIndex(position);
  }

  roomChanged(note: PublishedNote): void {
    if (note.stream === 'events') {
      this.#events.changed(note.key, note.position);
      if (mayChangeState(note)) this.#states.changed(note.key, note.position);
    }
    if (note.stream === 'local_notices') this.#events.changed(note.key, note.position);
    if (note.stream === 'receipts') {
      this.#receipts.changed(note.key, note.position);
      this.#deps.unread.receiptMoved(note.key);
    }
  }

  accountDataChanged(userId: string, position: number): void {
    this.#accountData.changed(userId, position);
  }

  membershipChanged(userId: string): void {
    this.#userRooms.delete(userId);
  }

  /** Adds those of the candidates that are in the room, as far as their memberships are in memory. */
  addLocalMembers(roomId: string, candidates: Iterable<string>, to: Set<string>): void {
    const view = this.#deps.engine.peek(roomId);
    for (const userId of candidates) {
      // Without a view in memory nobody can be left out: a wake-up too many is no harm, one too few is.
      if (view === undefined || view.membership(userId) === 'join') to.add(userId);
    }
  }

  /**
   * The rooms as they are at `scope.upTo`; undefined if memberships have changed since that place was taken: what
   * they were there is not known any more, and the caller starts over from a newer place.
   */
  async compose(scope: SyncScope): Promise<RoomSections | undefined> {
    const { filter, since, upTo, userId } = scope;
    const { memberships, invites } = await this.#roomsOf(userId);
    if ([...memberships, ...invites].some(({ streamPos }) => streamPos > upTo.position)) {
      // Readers see a commit a moment before its position is announced.
      await nextTurn();
      return undefined;
    }
    const sections: RoomSections = { join: {}, invite: {}, leave: {} };
    const after = since?.position ?? -1;
    const includeLeft = since === undefined && filter.room?.include_leave === true;
    for (const record of memberships) {
      const { roomId, membership, streamPos } = record;
      if (record.forgotten || !acceptsRoom(filter.room, roomId)) continue;
      const isNews = streamPos > after;
      if (membership === 'join') {
        const joined = await this.#joined(scope, record);
        if (joined !== undefined) sections.join[roomId] = joined;
      } else if (membership === 'invite') {
        const invited = isNews ? await this.#invited(userId, roomId) : undefined;
        if (invited !== undefined) sections.invite[roomId] = invited;
      } else if (membership === 'leave' || membership === 'ban') {
        if (since === undefined ? includeLeft : isNews)
          sections.leave[roomId] = await leftRoom(this.#deps, scope, record);
      }
    }
    for (const { roomId, streamPos, ended } of invites) {
      if (streamPos <= after || !acceptsRoom(filter.room, roomId)) continue;
      if (!ended) {
        const invited = await this.#invited(userId, roomId);
        if (invited !== undefined) sections.invite[roomId] = invited;
        delete sections.leave[roomId];
      } else if (since !== undefined && sections.leave[roomId] === undefined) {
        sections.leave[roomId] = await timelineSection(
          this.#deps.engine,
          scope,
          emptyTimeline(upTo.position),
          [],
        );
      }
    }
    return sections;
  }

  #roomsOf(userId: string): Promise<UserRooms> {
    const known = this.#userRooms.get(userId);
    if (known !== undefined) return known;
    if (this.#userRooms.size >= maxCachedUsers) this.#userRooms.clear();
    const reading = this.#readRoomsOf(userId);
    this.#userRooms.set(userId, reading);
    reading.catch(() => this.#userRooms.delete(userId));
    return reading;
  }

  async #readRoomsOf(userId: string): Promise<UserRooms> {
    const { memberships } = this.#deps.db;
    // Invitations first: one that becomes a membership in between is then seen as both, never as neither.
    const invites = await memberships.invitesOf(userId);
    return { invites, memberships: await memberships.ofUser(userId) };
  }

  async #joined(scope: SyncScope, record: MembershipRecord): Promise<JsonObject | undefined> {
    const { since, upTo, userId } = scope;
    const { roomId, roomNid } = record;
    const { engine, db, unread } = this.#deps;
    const isNew = since === undefined || scope.fullState || record.streamPos > since.position;
    const hasEvents = isNew || this.#events.mayHaveChanged(roomId, since.position);
    const hasReceipts = isNew || this.#receipts.mayHaveChanged(roomId, since.position);
    const hasAccountData = isNew || (await this.#accountDataChanged(scope, since, roomId));
    const typingSince = since?.boot === upTo.boot ? since.typing : 0;
    const hasTyping = this.#deps.typing.changedSince(roomId, typingSince) !== undefined;
    if (!hasEvents && !hasReceipts && !hasAccountData && !hasTyping) return undefined;

    const view = await engine.view(roomId);
    if (view === undefined) return undefined;
    const query = await this.#queryFor(scope, view, record);
    const timeline = hasEvents ? await this.#timeline(scope, query) : emptyTimeline(upTo.position);
    // Two hundred clients that a message wakes would all ask whether the state has changed, too.
    const hasState = hasEvents && this.#states.mayHaveChanged(roomId, query.after);
    const changed = hasState ? await db.states.changedKeys(roomNid, query.after, upTo.position) : [];
    const state = hasEvents ? await this.#state(scope, query, timeline, changed) : [];
    const receiptsAfter = query.isWhole || since === undefined ? -1 : since.position;
    const ephemeral = await ephemeralEvents(this.#deps, {
      roomId,
      roomNid,
      userId,
      receiptsAfter: hasReceipts ? receiptsAfter : undefined,
      upTo: upTo.position,
      typingAfter: query.isWhole ? 0 : typingSince,
      filter: scope.filter.room?.ephemeral,
    });
    const accountData = hasAccountData ? await this.#roomAccountData(scope, roomId, query.isWhole) : [];
    const isQuiet =
      timeline.events.length === 0 &&
      !timeline.limited &&
      state.length === 0 &&
      ephemeral.length === 0 &&
      accountData.length === 0;
    if (!isNew && isQuiet && !(await this.#ownReceiptMoved(scope, record))) return undefined;

    const counts = await unread.count(userId, view, upTo.position);
    return {
      ...(query.isWhole || changed.some(isOfSummary) ? { summary: summaryOf(view, userId) } : {}),
      ...(await timelineSection(engine, scope, timeline, state)),
      ephemeral: { events: ephemeral },
      account_data: { events: accountData },
      ...unreadSection(counts, scope.filter.room?.timeline?.unread_thread_notifications === true),
    };
  }

  /**
   * Who was joined at `since` gets what came after it, also if they were out in between. Who was not gets the room
   * whole, and if they had been in it before, a timeline that starts anew: they may have seen parts of it.
   */
  async #queryFor(
    { since, fullState: isFull }: SyncScope,
    view: RoomView,
    record: MembershipRecord,
  ): Promise<JoinedQuery> {
    const { engine } = this.#deps;
    const whole = { view, record, isWhole: true, after: Number.MIN_SAFE_INTEGER, isAnew: false };
    if (since === undefined) return whole;
    const sinceThen = { view, record, isWhole: isFull, after: since.position, isAnew: false };
    if (record.streamPos <= since.position) return sinceThen;
    const member = await engine.event(record.eventId);
    if (member === undefined || !isJoin(member)) return whole;
    // An old join that came back by a resolution of conflicting states: the client thinks that the user is out.
    if ((member.streamPos ?? record.streamPos) < record.streamPos) return { ...whole, isAnew: true };
    if (await wasJoinedAt(engine, member, since.position)) return sinceThen;
    return { ...whole, isAnew: await cameBack(engine, member) };
  }

  async #timeline(scope: SyncScope, { record, after, isAnew }: JoinedQuery): Promise<Timeline> {
    const timeline = await readTimeline(this.#deps, {
      userId: scope.userId,
      roomId: record.roomId,
      roomNid: record.roomNid,
      after,
      upTo: scope.upTo.position,
      filter: scope.filter.room?.timeline,
    });
    return isAnew ? { ...timeline, limited: true } : timeline;
  }

  async #state(
    scope: SyncScope,
    { view, record, isWhole, after }: JoinedQuery,
    timeline: Timeline,
    changed: readonly StateKey[],
  ): Promise<StoredEvent[]> {
    const { engine, db } = this.#deps;
    const filter = scope.filter.room?.state;
    if (!acceptsRoom(filter, record.roomId)) return [];
    const query: StateQuery = {
      end: stateUpTo(engine, view, scope.upTo.position),
      timeline: timeline.events,
      afterTimeline: scope.useStateAfter,
    };
    const senders = new Set(timeline.events.map(({ pdu }) => pdu.sender));
    let events: StoredEvent[];
    if (isWhole) {
      const { 'm.heroes': heroes } = summaryOf(view, scope.userId);
      const wanted = new Set([...senders, scope.userId, ...(Array.isArray(heroes) ? heroes : [])]);
      events = lazyMembers(await fullState(engine, query), filter, wanted);
    } else {
      const inGap = timeline.limited
        ? await db.states.changedKeys(record.roomNid, after, timeline.start)
        : [];
      // With lazy loading too: the client may know members who are not in the timeline.
      events = await changedState(engine, query, { keys: changed, inGap: new Set(inGap) });
      if (filter?.lazy_load_members === true) events.push(...(await memberEvents(engine, query, senders)));
    }
    const unique = new Map(events.map((event) => [event.eventId, event]));
    return [...unique.values()].filter(({ pdu }) => acceptsEvent(filter, pdu));
  }

  /** A receipt of one's own that others do not see changes the counts all the same. */
  async #ownReceiptMoved(
    { userId, since }: SyncScope,
    { roomNid, roomId }: MembershipRecord,
  ): Promise<boolean> {
    if (since === undefined || !this.#receipts.mayHaveChanged(roomId, since.position)) return false;
    const receipts = await this.#deps.db.receipts.ofUser(roomNid, userId);
    return receipts.some(({ streamPos }) => streamPos > since.position);
  }

  async #accountDataChanged(scope: SyncScope, since: SyncToken, roomId: string): Promise<boolean> {
    if (!this.#accountData.mayHaveChanged(scope.userId, since.position)) return false;
    return (await scope.accountData.after(since.position)).some((record) => record.roomId === roomId);
  }

  async #roomAccountData(scope: SyncScope, roomId: string, isWhole: boolean): Promise<JsonObject[]> {
    const filter = scope.filter.room?.account_data;
    if (!acceptsRoom(filter, roomId)) return [];
    const records = await scope.accountData.after(isWhole ? -1 : (scope.since?.position ?? -1));
    return records
      .filter((record) => record.roomId === roomId)
      .map(({ type, content }) => ({ type, content: JSON.parse(content) as JsonObject }))
      .filter((event) => acceptsEvent(filter, event))
      .map((event) => selectFields(event, scope.filter.event_fields));
  }

  /** Undefined for an invitation that is not shown, or is none any more. */
  async #invited(userId: string, roomId: string): Promise<JsonObject | undefined> {
    const events = await this.#deps.engine.inviteState(userId, roomId);
    return events === undefined ? undefined : { invite_state: { events } };
  }
}

/** False only for a message: a note that says nothing of its event is of a state that was resolved anew. */
function mayChangeState({ payload }: PublishedNote): boolean {
  // What a change of a room tells with the event that it adds.
  const event = payload as StoredEvent | undefined;
  return event === undefined || event.pdu.state_key !== undefined;
}
