import type { RoomEvent, StateKey, StateMap } from '../../protocol/event.ts';
import { splitStateKey } from '../../protocol/event.ts';
import type { RoomView } from '../../rooms/types.ts';
import type { RoomEventFilter } from '../event-filter.ts';

/**
 * Which state events a `/sync` shows beside a timeline, so that a client that applies first `state`, then the
 * timeline, ends at the room's current state.
 */

/** All of the state up to the start of the timeline (or to its end: `state_after`). */
export function fullState(
  view: RoomView,
  timelineIds: ReadonlySet<string>,
  before: StateMap | undefined,
  afterTimeline: boolean,
): string[] {
  if (afterTimeline) return [...view.state.values()].map((event) => event.eventId);
  const ids: string[] = [];
  for (const [key, event] of view.state) {
    if (!timelineIds.has(event.eventId)) ids.push(event.eventId);
    else {
      const earlier = before?.get(key);
      if (earlier !== undefined) ids.push(earlier);
    }
  }
  return ids;
}

/** What changed between two syncs: the keys' current events, but for those that the timeline itself shows. */
export function changedState(
  view: RoomView,
  changed: Iterable<StateKey>,
  timelineIds: ReadonlySet<string>,
  afterTimeline: boolean,
): string[] {
  const ids: string[] = [];
  for (const key of changed) {
    const event = view.state.get(key);
    if (event !== undefined && (afterTimeline || !timelineIds.has(event.eventId))) ids.push(event.eventId);
  }
  return ids;
}

/** With lazy loading, only the member events of those whom the client needs to show (`wanted`). */
export function lazyMembers<T extends Pick<RoomEvent, 'pdu'>>(
  events: readonly T[],
  filter: RoomEventFilter | undefined,
  wanted: ReadonlySet<string>,
): T[] {
  if (filter?.lazy_load_members !== true) return [...events];
  return events.filter(({ pdu }) => pdu.type !== 'm.room.member' || wanted.has(pdu.state_key ?? ''));
}

/** The member events of `users` in the current state. */
export function memberEvents(view: RoomView, users: Iterable<string>): RoomEvent[] {
  const events: RoomEvent[] = [];
  for (const userId of users) {
    const event = view.members.get(userId);
    if (event !== undefined) events.push(event);
  }
  return events;
}

export function isMemberKey(key: StateKey): boolean {
  return splitStateKey(key).type === 'm.room.member';
}

/**
 * The room summary: counts, and up to five heroes where the room has no name of its own. Heroes are joined or
 * invited members, or if there are none those who have left.
 */
export function summaryOf(view: RoomView, userId: string): Record<string, number | string[]> {
  const summary: Record<string, number | string[]> = {
    'm.joined_member_count': view.joinedCount,
    'm.invited_member_count': view.invitedCount,
  };
  const named =
    typeof view.content('m.room.name')['name'] === 'string' && view.content('m.room.name')['name'] !== '';
  const alias = view.content('m.room.canonical_alias')['alias'];
  if (!named && (typeof alias !== 'string' || alias === '')) summary['m.heroes'] = heroesOf(view, userId);
  return summary;
}

function heroesOf(view: RoomView, userId: string): string[] {
  const present: string[] = [];
  const gone: string[] = [];
  for (const [member, event] of view.members) {
    if (member === userId) continue;
    const membership = event.pdu.content['membership'];
    if (membership === 'join' || membership === 'invite') {
      present.push(member);
      if (present.length === 5) return present;
    } else if (gone.length < 5) {
      gone.push(member);
    }
  }
  return present.length > 0 ? present : gone;
}
