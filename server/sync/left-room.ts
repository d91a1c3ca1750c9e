import type { JsonObject } from '../../protocol/json.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { MembershipRecord } from '../../storage/stores/membership-store.ts';
import { acceptsEvent, acceptsRoom } from '../event-filter.ts';
import { isJoin, lastExit, wasJoinedAt } from '../membership-history.ts';
import { changedState, fullState, type StateQuery, stateAfter } from './room-state.ts';
import type { RoomTimelines } from './room-timelines.ts';
import { timelineSection } from './sections.ts';
import type { SyncScope } from './sync-request.ts';
import { emptyTimeline, readTimeline, type Timeline } from './timeline.ts';

interface LeftRoomDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly timelines: RoomTimelines;
}

/** The part of a user's stay in a room that a client has not seen. */
interface Stay {
  /** How it ended. */
  readonly exit: StoredEvent;
  readonly upTo: number;
  /** Whether the client knows the room up to `after`; else it gets all of it. */
  readonly isKnown: boolean;
  readonly after: number;
}

/**
 * A room that the user has left, was put out of, or whose invitation they rejected: what the client has not seen of
 * their stay, and the event that made them what they are now, last.
 */
export async function leftRoom(
  deps: LeftRoomDeps,
  scope: SyncScope,
  record: MembershipRecord,
): Promise<JsonObject> {
  const { engine } = deps;
  const nothing = emptyTimeline(record.streamPos);
  const leave = await engine.event(record.eventId);
  // A resolution of conflicting states may have taken the user out without an event that says so.
  if (leave === undefined || isJoin(leave)) return timelineSection(engine, scope, nothing, []);
  const stay = await unseenStay(engine, scope, leave);
  if (stay === undefined) return timelineSection(engine, scope, withLeave(scope, record, leave, nothing), []);
  const timeline = await readTimeline(deps, {
    userId: scope.userId,
    roomId: record.roomId,
    roomNid: record.roomNid,
    after: stay.after,
    upTo: stay.upTo,
    filter: scope.filter.room?.timeline,
  });
  const state = await stateOf(deps, scope, record, stay, timeline);
  return timelineSection(engine, scope, withLeave(scope, record, leave, timeline), state);
}

/** Undefined for who rejected an invitation, or was banned while they were out: they see nothing but that. */
async function unseenStay(
  engine: RoomEngine,
  { since }: SyncScope,
  leave: StoredEvent,
): Promise<Stay | undefined> {
  const exit = await lastExit(engine, leave);
  const upTo = exit?.streamPos;
  if (exit === undefined || upTo === undefined || upTo === null) return undefined;
  if (since === undefined) return { exit, upTo, isKnown: false, after: Number.MIN_SAFE_INTEGER };
  if (upTo <= since.position) return undefined;
  const isKnown = await wasJoinedAt(engine, exit, since.position);
  return { exit, upTo, isKnown, after: isKnown ? since.position : Number.MIN_SAFE_INTEGER };
}

function withLeave(
  scope: SyncScope,
  { roomId }: MembershipRecord,
  leave: StoredEvent,
  timeline: Timeline,
): Timeline {
  const filter = scope.filter.room?.timeline;
  const isShown = timeline.events.some(({ eventId }) => eventId === leave.eventId);
  const isWanted = filter?.limit !== 0 && acceptsRoom(filter, roomId) && acceptsEvent(filter, leave.pdu);
  return isShown || !isWanted ? timeline : { ...timeline, events: [...timeline.events, leave] };
}

async function stateOf(
  { db, engine }: LeftRoomDeps,
  scope: SyncScope,
  { roomId, roomNid }: MembershipRecord,
  { exit, upTo, isKnown, after }: Stay,
  timeline: Timeline,
): Promise<StoredEvent[]> {
  const filter = scope.filter.room?.state;
  if (!acceptsRoom(filter, roomId)) return [];
  const query: StateQuery = {
    end: await stateAfter(engine, exit.eventId),
    timeline: timeline.events,
    afterTimeline: scope.useStateAfter,
  };
  let events: StoredEvent[];
  if (isKnown) {
    const keys = await db.states.changedKeys(roomNid, after, upTo);
    const inGap = timeline.limited ? await db.states.changedKeys(roomNid, after, timeline.start) : [];
    events = await changedState(engine, query, { keys, inGap: new Set(inGap) });
  } else {
    events = await fullState(engine, query);
  }
  return events.filter(({ pdu }) => acceptsEvent(filter, pdu));
}
