import type { JsonObject } from '../../protocol/json.ts';
import { shownPdu } from '../../rooms/quarantine.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { ClientEvent, StoredEvent } from '../../rooms/types.ts';
import { selectFields } from '../event-filter.ts';
import type { SyncScope } from './sync-request.ts';
import type { Timeline } from './timeline.ts';
import { formatPosition } from './token.ts';
import type { UnreadCount, UnreadCounts } from './unread.ts';

/** `timeline` and `state` (or `state_after`) of a room, as joined rooms and left ones have them. */
export async function timelineSection(
  engine: RoomEngine,
  scope: SyncScope,
  timeline: Timeline,
  state: readonly StoredEvent[],
): Promise<JsonObject> {
  return {
    timeline: {
      events: await inWantedForm(scope, timeline.events, () => engine.clientEvents(scope, timeline.events)),
      limited: timeline.limited,
      prev_batch: formatPosition(timeline.start),
    },
    [scope.useStateAfter ? 'state_after' : 'state']: {
      events: await inWantedForm(scope, state, () => engine.clientState(scope, state)),
    },
  };
}

/** Events in the form and with the fields that the filter asks for. */
async function inWantedForm(
  scope: SyncScope,
  events: readonly StoredEvent[],
  clientForm: () => Promise<ClientEvent[]>,
): Promise<JsonObject[]> {
  if (events.length === 0) return [];
  const { event_format: format, event_fields: fields } = scope.filter;
  if (format === 'federation') {
    // Nobody could name an event without its id, which servers work out. Notices of ours have no such form.
    return events
      .filter(({ anchor }) => anchor === undefined)
      .map((event) => selectFields({ ...shownPdu(event), event_id: event.eventId }, fields));
  }
  return (await clientForm()).map((event) => {
    // The section says which room it is.
    const { room_id: _room, ...rest } = event;
    return selectFields(rest, fields);
  });
}

/** Unread counts of a room, for who asks for it with those of its threads apart. */
export function unreadSection({ all, main, threads }: UnreadCounts, isByThread: boolean): JsonObject {
  if (!isByThread) return { unread_notifications: countOf(all) };
  const ofThreads = [...threads].map(([root, count]) => [root, countOf(count)] as const);
  return {
    unread_notifications: countOf(main),
    unread_thread_notifications: Object.fromEntries(ofThreads),
  };
}

function countOf({ notifications, highlights }: UnreadCount): JsonObject {
  return { notification_count: notifications, highlight_count: highlights };
}
