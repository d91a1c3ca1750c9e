import { invalidParam, missingParam, notFound } from '../../http/errors.ts';
import { type AuthenticatedUser, type Route, route } from '../../http/route.ts';
import { stateKeyOf } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { RoomView, StoredEvent } from '../../rooms/types.ts';
import { acceptsRoom, type RoomEventFilter } from '../event-filter.ts';
import { type RoomReader, roomReader } from '../room-access.ts';
import { formatPosition, parsePosition } from '../sync/token.ts';
import type { ClientApiDeps } from './deps.ts';
import { filterOf, passing, visibleEvent } from './reads.ts';

const room = '/_matrix/client/v3/rooms/:roomId';
const maxLimit = 1_000;
/** So many pages of the database are read for one answer, however much a filter or visibility hides. */
const maxPages = 10;

interface PageQuery {
  readonly dir: 'b' | 'f';
  readonly start: number;
  readonly stop: number | undefined;
  readonly limit: number;
  readonly filter: RoomEventFilter | undefined;
}

interface Page {
  readonly events: StoredEvent[];
  /** The place after the last event that was looked at. */
  readonly end: number;
  /** Nothing lies beyond. */
  readonly isEnd: boolean;
}

/** Paging through a room's history, and looking around one event. */
export function messageRoutes(deps: ClientApiDeps): Route[] {
  const { engine } = deps;
  return [
    route({
      method: 'GET',
      path: `${room}/messages`,
      auth: 'user',
      handler: async ({ user, params, query }) => {
        const dir = query.get('dir');
        if (dir === null) throw missingParam('dir is missing');
        if (dir !== 'b' && dir !== 'f') throw invalidParam('dir is b or f');
        const filter = filterOf(query.get('filter'));
        const limit = limitOf(query.get('limit') ?? String(filter?.limit ?? 10));
        const from = query.get('from');
        const start = from === null ? startOf(deps, dir) : parsePosition(from);
        const to = query.get('to');
        const stop = to === null ? undefined : parsePosition(to);
        const reader = await roomReader(deps, user.userId, params['roomId'] ?? '');
        const { view } = reader;
        const wanted = within(reader, { dir, start, stop, limit, filter });
        const page = acceptsRoom(filter, view.roomId)
          ? await readPage(deps, user.userId, view, wanted)
          : { events: [], end: start, isEnd: true };
        const chunk = await engine.clientEvents(user, page.events);
        return {
          start: from ?? formatPosition(start),
          ...(page.isEnd ? {} : { end: formatPosition(page.end) }),
          chunk,
          ...(await lazyState(deps, user, reader, wanted, page.events)),
        };
      },
    }),
    route({
      method: 'GET',
      path: `${room}/context/:eventId`,
      auth: 'user',
      handler: async ({ user, params, query }) => {
        const roomId = params['roomId'] ?? '';
        const filter = filterOf(query.get('filter'));
        const limit = limitOf(query.get('limit') ?? '10');
        const event = await visibleEvent(deps, user.userId, roomId, params['eventId'] ?? '');
        const view = await engine.view(roomId);
        if (view === undefined) throw notFound('There is no such room');
        const at = event.streamPos ?? 0;
        const half = { limit: Math.floor(limit / 2), stop: undefined, filter };
        const before = await readPage(deps, user.userId, view, { ...half, dir: 'b', start: at - 1 });
        const after = await readPage(deps, user.userId, view, {
          ...half,
          limit: limit - half.limit,
          dir: 'f',
          start: at,
        });
        const last = after.events.at(-1) ?? event;
        const state = await engine.events((await engine.stateAfter(last.anchor ?? last.eventId)).values());
        const wanted = new Set([...before.events, event, ...after.events].map(({ pdu }) => pdu.sender));
        const shown = [...state.values()].filter(
          ({ pdu }) =>
            filter?.lazy_load_members !== true ||
            pdu.type !== 'm.room.member' ||
            wanted.has(pdu.state_key ?? ''),
        );
        const [clientEvent] = await engine.clientEvents(user, [event]);
        return {
          start: formatPosition(before.end),
          end: formatPosition(after.end),
          ...(clientEvent === undefined ? {} : { event: clientEvent }),
          events_before: await engine.clientEvents(user, before.events),
          events_after: await engine.clientEvents(user, after.events),
          state: await engine.clientState(user, shown),
        };
      },
    }),
  ];
}

/** Before all that we hold. As long as a token may be. */
const beginning = -999_999_999_999_999;

/** Where paging starts if the client names no place: at the newest, or at the oldest that we hold. */
function startOf({ db }: ClientApiDeps, dir: 'b' | 'f'): number {
  return dir === 'b' ? db.streams.position : beginning;
}

/** Who is no longer in the room has nothing to look for after the event with which they left. */
function within(reader: RoomReader, query: PageQuery): PageQuery {
  const end = reader.standing === 'former' ? reader.exit.streamPos : null;
  if (end === null) return query;
  return query.dir === 'b'
    ? { ...query, start: Math.min(query.start, end) }
    : { ...query, stop: Math.min(query.stop ?? end, end) };
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 0) throw invalidParam('limit is not a number');
  return Math.min(limit, maxLimit);
}

/**
 * Reads on until there are `limit` events that the user may see and the filter accepts. A place `p` lies right after
 * the event at position `p`: backwards from it that event comes first, forwards the next one.
 */
async function readPage(
  deps: ClientApiDeps,
  userId: string,
  view: RoomView,
  query: PageQuery,
): Promise<Page> {
  const { db, engine, localNotices } = deps;
  const { dir, stop, limit, filter } = query;
  const events: StoredEvent[] = [];
  let end = query.start;
  for (let pages = 0; pages < maxPages && events.length < limit; pages++) {
    const wanted = Math.min(maxLimit, Math.max(limit - events.length, 20));
    const read = await localNotices.timeline(view.roomNid, {
      dir,
      limit: wanted,
      ...(dir === 'b' ? { upTo: end, after: stop } : { after: end, upTo: stop ?? db.streams.position }),
    });
    const visible = new Set(passing(filter, await engine.visibleEvents(userId, view.roomId, read)));
    for (const event of read) {
      if (events.length === limit) return { events, end, isEnd: false };
      const position = event.streamPos ?? 0;
      end = dir === 'b' ? position - 1 : position;
      if (visible.has(event)) events.push(event);
    }
    if (read.length < wanted) {
      if (dir === 'f') return { events, end, isEnd: true };
      if (stop !== undefined) return { events, end, isEnd: !(await engine.hasMoreHistory(view.roomId)) };
      const fetched = await engine.fetchHistory(view.roomId, 100);
      if (fetched.count === 0) return { events, end, isEnd: fetched.isBeginning };
    }
  }
  return { events, end, isEnd: false };
}

/** With lazy loading: the member events of the senders, as the client does not have them all. */
async function lazyState(
  { engine }: ClientApiDeps,
  user: AuthenticatedUser,
  reader: RoomReader,
  { dir, filter }: PageQuery,
  events: readonly StoredEvent[],
): Promise<JsonObject> {
  const newest = dir === 'b' ? events[0] : events.at(-1);
  if (filter?.lazy_load_members !== true || newest === undefined) return {};
  const state = await engine.stateAfter(newest.anchor ?? newest.eventId);
  const senders = new Set(events.map(({ pdu }) => pdu.sender));
  // Who made the room was not in it yet.
  const now = reader.standing === 'member' ? reader.view.members : undefined;
  const ids = [...senders].flatMap(
    (sender) => state.get(stateKeyOf('m.room.member', sender)) ?? now?.get(sender)?.eventId ?? [],
  );
  return { state: await engine.clientState(user, [...(await engine.events(ids)).values()]) };
}
