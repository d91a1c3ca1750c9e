import { forbidden, invalidParam, notFound } from '../../http/errors.ts';
import { type AuthenticatedUser, type Route, route } from '../../http/route.ts';
import { type StateMap, stateKeyOf } from '../../protocol/event.ts';
import { type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { ClientEvent, StoredEvent } from '../../rooms/types.ts';
import { acceptsEvent, isRoomEventFilter, type RoomEventFilter } from '../event-filter.ts';
import { type RoomReader, roomReader } from '../room-access.ts';
import { parsePosition } from '../sync/token.ts';
import type { ClientApiDeps } from './deps.ts';

const room = '/_matrix/client/v3/rooms/:roomId';

/** Reading rooms: single events, state, members. */
export function readRoutes(deps: ClientApiDeps): Route[] {
  const { engine } = deps;

  const stateEntry = (path: string): Route =>
    route({
      method: 'GET',
      path,
      auth: 'user',
      handler: async ({ user, params, query }) => {
        const { roomId = '', eventType = '', stateKey = '' } = params;
        const event = await readableEntry(deps, user.userId, roomId, [eventType, stateKey]);
        if (event === undefined) throw notFound('The room has no such state');
        if (query.get('format') !== 'event') return engine.shownContent(event);
        return firstOf(await engine.clientEvents(user, [event]));
      },
    });

  return [
    route({
      method: 'GET',
      path: `${room}/event/:eventId`,
      auth: 'user',
      handler: async ({ user, params }) => {
        const event = await visibleEvent(deps, user.userId, params['roomId'] ?? '', params['eventId'] ?? '');
        return firstOf(await engine.clientEvents(user, [event]));
      },
    }),
    route({
      method: 'GET',
      path: `${room}/state`,
      auth: 'user',
      handler: async ({ user, params }) => {
        const state = await readableState(deps, user.userId, params['roomId'] ?? '');
        return engine.clientState(user, state);
      },
    }),
    stateEntry(`${room}/state/:eventType`),
    stateEntry(`${room}/state/:eventType/`),
    stateEntry(`${room}/state/:eventType/:stateKey`),
    route({
      method: 'GET',
      path: `${room}/members`,
      auth: 'user',
      handler: async ({ user, params, query }) => {
        const roomId = params['roomId'] ?? '';
        const at = query.get('at');
        const state =
          at === null
            ? await readableState(deps, user.userId, roomId)
            : await stateAtPosition(deps, user, roomId, parsePosition(at));
        const wanted = query.get('membership');
        const unwanted = query.get('not_membership');
        const members = state.filter(({ pdu }) => {
          if (pdu.type !== 'm.room.member') return false;
          const { membership } = pdu.content;
          return (wanted === null || membership === wanted) && (unwanted === null || membership !== unwanted);
        });
        return { chunk: await engine.clientState(user, members) };
      },
    }),
    route({
      method: 'GET',
      path: `${room}/joined_members`,
      auth: 'user',
      handler: async ({ user, params }) => {
        const view = await engine.view(params['roomId'] ?? '');
        if (view?.membership(user.userId) !== 'join') throw forbidden('You are not joined to this room');
        const joined: JsonObject = {};
        for (const userId of view.joinedUsers()) {
          const member = view.members.get(userId);
          const { displayname, avatar_url } = member === undefined ? {} : engine.shownContent(member);
          joined[userId] = {
            ...(typeof displayname === 'string' ? { display_name: displayname } : {}),
            ...(typeof avatar_url === 'string' ? { avatar_url } : {}),
          };
        }
        return { joined };
      },
    }),
  ];
}

function firstOf(events: readonly ClientEvent[]): ClientEvent {
  const [event] = events;
  if (event === undefined) throw notFound('There is no such event');
  return event;
}

/** An event of this room that the user may see; 404 for all others, so that nothing is told of them. */
export async function visibleEvent(
  { engine, localNotices }: ClientApiDeps,
  userId: string,
  roomId: string,
  eventId: string,
): Promise<StoredEvent> {
  const event = await localNotices.one(eventId);
  const [visible] =
    event === undefined || event.roomId !== roomId ? [] : await engine.visibleEvents(userId, roomId, [event]);
  if (visible === undefined) throw notFound('There is no such event');
  return visible;
}

/** The state that a user may read: the current one while they are in, the one they left for those who left. */
async function readableState(deps: ClientApiDeps, userId: string, roomId: string): Promise<StoredEvent[]> {
  const reader = await roomReader(deps, userId, roomId);
  if (reader.standing === 'member') return [...reader.view.state.values()];
  return load(deps, await deps.engine.stateAfter(exitOf(reader).eventId));
}

/** One entry of that state. */
async function readableEntry(
  deps: ClientApiDeps,
  userId: string,
  roomId: string,
  [type, stateKey]: [string, string],
): Promise<StoredEvent | undefined> {
  const reader = await roomReader(deps, userId, roomId);
  if (reader.standing === 'member') return reader.view.get(type, stateKey);
  const state = await deps.engine.stateAfter(exitOf(reader).eventId);
  const id = state.get(stateKeyOf(type, stateKey));
  return id === undefined ? undefined : deps.engine.event(id);
}

/** Who is invited knows of the room what the invitation shows, no more. */
function exitOf(reader: RoomReader): StoredEvent {
  if (reader.standing !== 'former') throw forbidden('You are not in this room');
  return reader.exit;
}

async function load({ engine }: ClientApiDeps, state: StateMap): Promise<StoredEvent[]> {
  return [...(await engine.events(state.values())).values()];
}

/** The state after the last event up to a position, for who may see that event; none before the room began. */
async function stateAtPosition(
  deps: ClientApiDeps,
  user: AuthenticatedUser,
  roomId: string,
  position: number,
): Promise<StoredEvent[]> {
  const { db, engine } = deps;
  const reader = await roomReader(deps, user.userId, roomId);
  const end = reader.standing === 'former' ? reader.exit.streamPos : null;
  const upTo = Math.min(position, end ?? Number.MAX_SAFE_INTEGER);
  const [event] = await db.events.timeline(reader.view.roomNid, { dir: 'b', upTo, limit: 1 });
  if (event === undefined) return [];
  if ((await engine.visibleEvents(user.userId, roomId, [event])).length === 0)
    throw forbidden('You may not see the room at that point');
  return load(deps, await engine.stateAfter(event.eventId));
}

/** The `filter` of a query as JSON; throws 400. */
export function filterOf(text: string | null): RoomEventFilter | undefined {
  if (text === null) return undefined;
  let value: JsonValue;
  try {
    value = parseJson(text, { numbers: 'any' });
  } catch {
    throw invalidParam('filter is not JSON');
  }
  if (!isRoomEventFilter(value)) throw invalidParam('filter is not a room event filter');
  return value;
}

export function passing<E extends StoredEvent>(
  filter: RoomEventFilter | undefined,
  events: readonly E[],
): E[] {
  return events.filter(({ pdu }) => acceptsEvent(filter, pdu));
}
