import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import { type JsonObject, type JsonValue, putKey } from '../protocol/json.ts';
import { propertyPath } from '../protocol/property-path.ts';

/**
 * Filters of the Client-Server API ("Filtering"): which events, rooms and senders a client wants to see. The shapes
 * are the specification's; a `*` in a type matches any sequence of characters.
 */

const EventFilterFields = {
  limit: Type.Optional(Type.Integer({ minimum: 0 })),
  types: Type.Optional(Type.Array(Type.String())),
  not_types: Type.Optional(Type.Array(Type.String())),
  senders: Type.Optional(Type.Array(Type.String())),
  not_senders: Type.Optional(Type.Array(Type.String())),
};

export const EventFilter = Type.Object(EventFilterFields);

export const RoomEventFilter = Type.Object({
  ...EventFilterFields,
  rooms: Type.Optional(Type.Array(Type.String())),
  not_rooms: Type.Optional(Type.Array(Type.String())),
  contains_url: Type.Optional(Type.Boolean()),
  lazy_load_members: Type.Optional(Type.Boolean()),
  include_redundant_members: Type.Optional(Type.Boolean()),
  unread_thread_notifications: Type.Optional(Type.Boolean()),
});

export const SyncFilter = Type.Object({
  event_fields: Type.Optional(Type.Array(Type.String())),
  event_format: Type.Optional(Type.Union([Type.Literal('client'), Type.Literal('federation')])),
  account_data: Type.Optional(EventFilter),
  presence: Type.Optional(EventFilter),
  room: Type.Optional(
    Type.Object({
      rooms: Type.Optional(Type.Array(Type.String())),
      not_rooms: Type.Optional(Type.Array(Type.String())),
      include_leave: Type.Optional(Type.Boolean()),
      timeline: Type.Optional(RoomEventFilter),
      state: Type.Optional(RoomEventFilter),
      ephemeral: Type.Optional(RoomEventFilter),
      account_data: Type.Optional(RoomEventFilter),
    }),
  ),
});

export type EventFilter = Static<typeof EventFilter>;
export type RoomEventFilter = Static<typeof RoomEventFilter>;
export type SyncFilter = Static<typeof SyncFilter>;

export function isSyncFilter(value: JsonValue): value is SyncFilter & JsonObject {
  return Value.Check(SyncFilter, value);
}

export function isRoomEventFilter(value: JsonValue): value is RoomEventFilter & JsonObject {
  return Value.Check(RoomEventFilter, value);
}

interface FilteredEvent {
  readonly type: string;
  readonly sender?: string;
  readonly content: JsonObject;
}

/** Whether an event passes a filter; rooms are tested by `acceptsRoom`, limits by whoever pages. */
export function acceptsEvent(filter: RoomEventFilter | undefined, event: FilteredEvent): boolean {
  if (filter === undefined) return true;
  const { types, not_types, senders, not_senders, contains_url } = filter;
  if (not_types?.some((pattern) => matchesType(pattern, event.type))) return false;
  if (types !== undefined && !types.some((pattern) => matchesType(pattern, event.type))) return false;
  if (event.sender !== undefined) {
    if (not_senders?.includes(event.sender)) return false;
    if (senders !== undefined && !senders.includes(event.sender)) return false;
  }
  if (contains_url !== undefined && contains_url !== (typeof event.content['url'] === 'string')) return false;
  return true;
}

export function acceptsRoom(
  filter: { rooms?: string[]; not_rooms?: string[] } | undefined,
  roomId: string,
): boolean {
  if (filter === undefined) return true;
  if (filter.not_rooms?.includes(roomId)) return false;
  return filter.rooms === undefined || filter.rooms.includes(roomId);
}

/** Whether a filter lets every event pass, whatever it is. */
export function acceptsEverything(filter: RoomEventFilter | undefined): boolean {
  return (
    filter === undefined ||
    (filter.types === undefined &&
      filter.not_types === undefined &&
      filter.senders === undefined &&
      filter.not_senders === undefined &&
      filter.contains_url === undefined)
  );
}

/** Matches `*` in time linear in the text for each of the pattern's parts: no backtracking on hostile patterns. */
function matchesType(pattern: string, type: string): boolean {
  if (!pattern.includes('*')) return pattern === type;
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts[parts.length - 1] ?? '';
  if (!type.startsWith(first) || type.length < first.length + last.length || !type.endsWith(last))
    return false;
  let at = first.length;
  const end = type.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = type.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

/** Without these it would be no event: a server may give more fields than were asked for. */
const alwaysThere = ['type', 'event_id', 'sender', 'origin_server_ts', 'state_key'];

/**
 * Keeps of a client event the fields that `event_fields` names: dot-separated paths, a backslash escapes a dot
 * ("Dot-separated property paths" of the appendices).
 */
export function selectFields(event: JsonObject, fields: readonly string[] | undefined): JsonObject {
  if (fields === undefined) return event;
  const selected: JsonObject = {};
  for (const field of fields) copyPath(event, selected, propertyPath(field));
  for (const key of alwaysThere) if (!Object.hasOwn(selected, key)) copyPath(event, selected, [key]);
  if (Object.hasOwn(event, 'content') && !Object.hasOwn(selected, 'content')) selected['content'] = {};
  return selected;
}

function copyPath(from: JsonObject, to: JsonObject, path: readonly string[]): void {
  const [key, ...rest] = path;
  if (key === undefined || !Object.hasOwn(from, key)) return;
  const value = from[key];
  if (value === undefined) return;
  if (rest.length === 0) {
    putKey(to, key, value);
    return;
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
  const existing = Object.hasOwn(to, key) ? to[key] : undefined;
  const target: JsonObject =
    existing !== null && typeof existing === 'object' && !Array.isArray(existing) ? existing : {};
  copyPath(value, target, rest);
  if (Object.keys(target).length > 0) putKey(to, key, target);
}
