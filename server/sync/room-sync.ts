import type { StateKey } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { ClientEvent, RoomView, StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { MembershipRecord } from '../../storage/stores/membership-store.ts';
import type { PublishedNote } from '../../storage/streams.ts';
import { acceptsEvent, acceptsRoom, type RoomEventFilter, selectFields } from '../event-filter.ts';
import { ChangeIndex } from './change-index.ts';
import { ephemeralEvents } from './ephemeral.ts';
import { changedState, fullState, lazyMembers, memberEvents, summaryOf } from './room-state.ts';
import type { RoomTimelines } from './room-timelines.ts';
import type { RoomSections, SyncScope } from './sync-request.ts';
import { formatPosition } from './token.ts';
import type { TypingTracker } from './typing.ts';
import type { UnreadCounter } from './unread.ts';

interface RoomSyncDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly typing: TypingTracker;
  readonly timelines: RoomTimelines;
  readonly unread: UnreadCounter;
}

interface Timeline {
  readonly events: readonly StoredEvent[];
  readonly limited: boolean;
  /** The place before the first event. */
  readonly start: number;
}

const defaultLimit = 10;
const maxLimit = 100;
const maxCachedUsers = 20_000;

/** The rooms of a `/sync`: joined, invited, left. */
export class RoomSync {
  readonly #deps: RoomSyncDeps;
  readonly #events: ChangeIndex;
  readonly #receipts: ChangeIndex;
  readonly #accountData: ChangeIndex;
  /** The memberships of users who sync, until one changes. */
  readonly #memberships = new Map<string, Promise<readonly MembershipRecord[]>>();

  constructor(deps: RoomSyncDeps) {
    this.#deps = deps;
    const { position } = deps.db.streams;
    this.#events = new ChangeIndex(position);
    this.#receipts = new ChangeIndex(position);
    this.#accountData = new ChangeIndex(position);
  }

  roomChanged(note: PublishedNote): void {
    if (note.stream === 'events') this.#events.changed(note.key, note.position);
    if (note.stream === 'receipts') {
      this.#receipts.changed(note.key, note.position);
      this.#deps.unread.receiptMoved(note.key);
    }
  }

  accountDataChanged(userId: string, position: number): void {
    this.#accountData.changed(userId, position);
  }

  membershipChanged(userId: string): void {
    this.#memberships.delete(userId);
  }

  /** Adds those of the candidates that are in the room, as far as their memberships are in memory. */
  addLocalMembers(roomId: string, candidates: Iterable<string>, to: Set<string>): void {
    const view = this.#deps.engine.peek(roomId);
    for (const userId of candidates) {
      // Without a view in memory nobody can be left out: a wake-up too many is no harm, one too few is.
      if (view === undefined || view.membership(userId) === 'join') to.add(userId);
    }
  }

  async compose(scope: SyncScope): Promise<RoomSections> {
    const sections: RoomSections = { join: {}, invite: {}, leave: {} };
    const { filter, since, upTo } = scope;
    const after = since?.position ?? -1;
    for (const record of await this.#membershipsOf(scope.userId)) {
      const { roomId, membership, streamPos } = record;
      if (record.forgotten || streamPos > upTo.position || !acceptsRoom(filter.room, roomId)) continue;
      const isNew = streamPos > after;
      if (membership === 'join') {
        const joined = await this.#joined(scope, record);
        if (joined !== undefined) sections.join[roomId] = joined;
      } else if (membership === 'invite') {
        if (isNew) sections.invite[roomId] = await this.#invited(scope.userId, roomId);
      } else if (membership === 'leave' || membership === 'ban') {
        const isShown = since === undefined ? filter.room?.include_leave === true : isNew;
        const left = isShown ? await this.#left(scope, record) : undefined;
        if (left !== undefined) sections.leave[roomId] = left;
      }
    }
    await this.#remoteInvites(scope, sections);
    return sections;
  }

  #membershipsOf(userId: string): Promise<readonly MembershipRecord[]> {
    const known = this.#memberships.get(userId);
    if (known !== undefined) return known;
    if (this.#memberships.size >= maxCachedUsers) this.#memberships.clear();
    const reading = this.#deps.db.memberships.ofUser(userId);
    this.#memberships.set(userId, reading);
    reading.catch(() => this.#memberships.delete(userId));
    return reading;
  }

  async #joined(scope: SyncScope, record: MembershipRecord): Promise<JsonObject | undefined> {
    const { since, upTo, filter, userId } = scope;
    const { roomId, roomNid } = record;
    const isInitial = since === undefined || scope.fullState || record.streamPos > since.position;
    const hasEvents = isInitial || this.#events.mayHaveChanged(roomId, since.position);
    const hasReceipts = isInitial || this.#receipts.mayHaveChanged(roomId, since.position);
    const hasAccountData = isInitial || this.#accountData.mayHaveChanged(userId, since.position);
    const typingSince = since?.boot === upTo.boot ? since.typing : 0;
    const hasTyping = this.#deps.typing.changedSince(roomId, typingSince) !== undefined;
    if (!hasEvents && !hasReceipts && !hasAccountData && !hasTyping) return undefined;

    const view = await this.#deps.engine.view(roomId);
    if (view === undefined) return undefined;
    const newlyJoined = since !== undefined && record.streamPos > since.position;
    const after = since === undefined || newlyJoined ? Number.MIN_SAFE_INTEGER : since.position;
    const timeline = hasEvents ? await this.#timeline(scope, view, after) : empty(upTo.position);
    const changed =
      hasEvents && !isInitial ? await this.#deps.db.states.changedKeys(roomNid, after, upTo.position) : [];
    const state = isInitial
      ? await this.#fullState(scope, view, timeline)
      : await this.#changedState(scope, view, timeline, changed);
    const ephemeral = await ephemeralEvents(this.#deps, {
      roomId,
      roomNid,
      userId,
      receiptsAfter: hasReceipts ? (isInitial ? -1 : since.position) : undefined,
      upTo: upTo.position,
      typingAfter: isInitial ? 0 : typingSince,
      filter: filter.room?.ephemeral,
    });
    const accountData = hasAccountData ? await this.#roomAccountData(scope, roomId, isInitial) : [];
    const isQuiet =
      timeline.events.length === 0 &&
      state.length === 0 &&
      ephemeral.length === 0 &&
      accountData.length === 0;
    if (!isInitial && isQuiet && !timeline.limited && !(await this.#ownReceiptMoved(scope, record)))
      return undefined;

    const counts = await this.#deps.unread.count(userId, view, upTo.position);
    const membersChanged = isInitial || changed.some(isMember);
    return {
      ...(membersChanged ? { summary: summaryOf(view, userId) } : {}),
      timeline: {
        events: await this.#clientEvents(scope, timeline.events),
        limited: timeline.limited,
        prev_batch: formatPosition(timeline.start),
      },
      [scope.useStateAfter ? 'state_after' : 'state']: { events: await this.#clientEvents(scope, state) },
      ephemeral: { events: ephemeral },
      account_data: { events: accountData },
      unread_notifications: {
        notification_count: counts.notifications,
        highlight_count: counts.highlights,
      },
    };
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

  async #timeline(
    scope: SyncScope,
    view: RoomView,
    after: number,
    upTo = scope.upTo.position,
  ): Promise<Timeline> {
    const { engine, timelines } = this.#deps;
    const filter = scope.filter.room?.timeline;
    const limit = Math.min(filter?.limit ?? defaultLimit, maxLimit);
    const slice = await timelines.slice(view.roomNid, after, upTo, Math.max(limit, 1));
    const loaded = await engine.events(slice.entries.map(({ eventId }) => eventId));
    const events = slice.entries.flatMap(({ eventId }) => loaded.get(eventId) ?? []);
    const visible = await engine.visibleEvents(scope.userId, view.roomId, events);
    const first = slice.entries[0];
    return {
      events: visible.filter(({ pdu }) => acceptsEvent(filter, pdu)).slice(-limit || visible.length),
      limited: slice.limited,
      start: first === undefined ? upTo : first.position - 1,
    };
  }

  async #fullState(scope: SyncScope, view: RoomView, timeline: Timeline): Promise<StoredEvent[]> {
    const { engine } = this.#deps;
    const [first] = timeline.events;
    const shown = new Set(timeline.events.map(({ eventId }) => eventId));
    const before =
      first === undefined || scope.useStateAfter ? undefined : await engine.stateBefore(first.eventId);
    const ids = fullState(view, shown, before, scope.useStateAfter);
    return this.#passing(scope, view, timeline, [...(await engine.events(ids)).values()]);
  }

  async #changedState(
    scope: SyncScope,
    view: RoomView,
    timeline: Timeline,
    changed: readonly StateKey[],
  ): Promise<StoredEvent[]> {
    const { engine } = this.#deps;
    const shown = new Set(timeline.events.map(({ eventId }) => eventId));
    const ids = new Set(changedState(view, changed, shown, scope.useStateAfter));
    if (scope.filter.room?.state?.lazy_load_members === true) {
      // The client may not know the senders yet; sending a member event twice is allowed.
      const senders = new Set(timeline.events.map(({ pdu }) => pdu.sender));
      for (const { eventId } of memberEvents(view, senders)) if (!shown.has(eventId)) ids.add(eventId);
    }
    if (ids.size === 0) return [];
    return this.#passing(scope, view, timeline, [...(await engine.events(ids)).values()]);
  }

  #passing(
    scope: SyncScope,
    view: RoomView,
    timeline: Timeline,
    events: readonly StoredEvent[],
  ): StoredEvent[] {
    const filter: RoomEventFilter | undefined = scope.filter.room?.state;
    const wanted = new Set(timeline.events.map(({ pdu }) => pdu.sender)).add(scope.userId);
    const { 'm.heroes': heroes } = summaryOf(view, scope.userId);
    if (Array.isArray(heroes)) for (const hero of heroes) wanted.add(hero);
    return lazyMembers(events, filter, wanted).filter(({ pdu }) => acceptsEvent(filter, pdu));
  }

  async #clientEvents(scope: SyncScope, events: readonly StoredEvent[]): Promise<JsonObject[]> {
    if (events.length === 0) return [];
    if (scope.filter.event_format === 'federation') {
      return events.map(({ pdu }) => selectFields(pdu, scope.filter.event_fields));
    }
    const client: ClientEvent[] = await this.#deps.engine.clientEvents(scope, events);
    return client.map((event) => {
      // The section says which room it is.
      const { room_id: _room, ...rest } = event;
      return selectFields(rest, scope.filter.event_fields);
    });
  }

  async #roomAccountData(scope: SyncScope, roomId: string, isInitial: boolean): Promise<JsonObject[]> {
    const after = isInitial || scope.since === undefined ? -1 : scope.since.position;
    const records = await this.#deps.db.accountData.changes(scope.userId, after, scope.upTo.position);
    return records
      .filter((record) => record.roomId === roomId)
      .map(({ type, content }) => ({ type, content: JSON.parse(content) as JsonObject }))
      .filter((event) => acceptsEvent(scope.filter.room?.account_data, event));
  }

  async #invited(userId: string, roomId: string): Promise<JsonObject> {
    return { invite_state: { events: (await this.#deps.engine.inviteState(userId, roomId)) ?? [] } };
  }

  /** Invites to rooms that we do not hold: partners sent their stripped state along. */
  async #remoteInvites(scope: SyncScope, sections: RoomSections): Promise<void> {
    const after = scope.since?.position ?? -1;
    for (const { roomId, streamPos } of await this.#deps.db.memberships.invitesOf(scope.userId)) {
      if (streamPos <= after || streamPos > scope.upTo.position || !acceptsRoom(scope.filter.room, roomId))
        continue;
      sections.invite[roomId] = await this.#invited(scope.userId, roomId);
      delete sections.leave[roomId];
    }
  }

  async #left(scope: SyncScope, record: MembershipRecord): Promise<JsonObject | undefined> {
    const view = await this.#deps.engine.view(record.roomId);
    if (view === undefined) return { timeline: { events: [], limited: false } };
    const after = scope.since?.position ?? Number.MIN_SAFE_INTEGER;
    const timeline = await this.#timeline(scope, view, after, record.streamPos);
    return {
      timeline: {
        events: await this.#clientEvents(scope, timeline.events),
        limited: timeline.limited,
        prev_batch: formatPosition(timeline.start),
      },
      [scope.useStateAfter ? 'state_after' : 'state']: { events: [] },
      account_data: { events: [] },
    };
  }
}

function empty(position: number): Timeline {
  return { events: [], limited: false, start: position };
}

function isMember(key: StateKey): boolean {
  return key.startsWith('13:m.room.member');
}
