import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { StoredEvent } from '../../rooms/types.ts';
import { acceptsEvent, acceptsEverything, acceptsRoom, type RoomEventFilter } from '../event-filter.ts';
import type { RoomTimelines } from './room-timelines.ts';

/** The part of a room's timeline that a `/sync` shows. */
export interface Timeline {
  /** Oldest first. */
  readonly events: readonly StoredEvent[];
  /** Whether events between the client's last place and `start` were left out. */
  readonly limited: boolean;
  /** The place before the first event: where paging backwards goes on. */
  readonly start: number;
}

export interface TimelineRequest {
  readonly userId: string;
  readonly roomId: string;
  readonly roomNid: number;
  /** Exclusive. */
  readonly after: number;
  /** Inclusive. */
  readonly upTo: number;
  readonly filter: RoomEventFilter | undefined;
}

const defaultLimit = 10;
const maxLimit = 100;
/** However much a filter or the history's visibility hides, no more than so many pieces are read. */
const maxPieces = 5;
/** Read at a time where a filter may hide much. */
const filteredPiece = 50;

export function emptyTimeline(position: number): Timeline {
  return { events: [], limited: false, start: position };
}

/** The newest events of a range that the user may see and wants to see. */
export async function readTimeline(
  deps: { readonly engine: RoomEngine; readonly timelines: RoomTimelines },
  request: TimelineRequest,
): Promise<Timeline> {
  const { engine, timelines } = deps;
  const { userId, roomId, roomNid, after, upTo, filter } = request;
  if (!acceptsRoom(filter, roomId)) return emptyTimeline(upTo);
  const limit = Math.min(filter?.limit ?? defaultLimit, maxLimit);
  if (limit === 0) {
    const { entries } = await timelines.slice(roomNid, after, upTo, 1);
    return { events: [], limited: entries.length > 0, start: upTo };
  }
  const piece = acceptsEverything(filter) ? limit : Math.max(2 * limit, filteredPiece);
  let events: StoredEvent[] = [];
  let start = upTo;
  for (let pieces = 0; pieces < maxPieces; pieces += 1) {
    const { entries, limited } = await timelines.slice(roomNid, after, start, piece);
    const loaded = await timelines.load(entries);
    const held = entries.flatMap(({ eventId }) => loaded.get(eventId) ?? []);
    const seen = await engine.visibleEvents(userId, roomId, held);
    events = [...seen.filter(({ pdu }) => acceptsEvent(filter, pdu)), ...events];
    start = (entries[0]?.position ?? start + 1) - 1;
    if (events.length >= limit || !limited) {
      const shown = events.slice(-limit);
      const first = shown[0]?.streamPos;
      return {
        events: shown,
        limited: limited || shown.length < events.length,
        start: first === undefined || first === null ? upTo : first - 1,
      };
    }
  }
  return { events, limited: true, start };
}
