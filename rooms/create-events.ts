import { parseUserId } from '../protocol/identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../protocol/json.ts';
import type { RoomVersion } from '../protocol/room-versions.ts';
import { badJson, invalidParam } from './errors.ts';
import type { RoomDefaults } from './ports.ts';
import type { CreateRoomRequest, RoomPreset } from './types.ts';

/** A state event that a new room gets. */
export interface InitialEvent {
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

const creatorLevel = 100;
/** Room version 12: the tombstone must need more than other state, so that only creators can end a room. */
const tombstoneLevel = 150;

const presets: Record<RoomPreset, { joinRule: string; visibility: string; guests: string }> = {
  private_chat: { joinRule: 'invite', visibility: 'shared', guests: 'can_join' },
  trusted_private_chat: { joinRule: 'invite', visibility: 'shared', guests: 'can_join' },
  public_chat: { joinRule: 'public', visibility: 'shared', guests: 'forbidden' },
};

function presetOf(request: CreateRoomRequest): RoomPreset {
  return request.preset ?? (request.visibility === 'public' ? 'public_chat' : 'private_chat');
}

/** Content of the create event. Throws 400 for `additional_creators` that are not user ids. */
export function createContent(
  userId: string,
  request: CreateRoomRequest,
  version: RoomVersion,
  powerLimit: PowerLimit,
): JsonObject {
  const content: JsonObject = { ...request.creationContent, room_version: version.id };
  delete content['creator'];
  if (version.creatorInContent) content['creator'] = userId;
  if (version.creatorsArePrivileged) {
    const given = content['additional_creators'];
    if (given !== undefined && !isUserIdList(given))
      throw badJson('additional_creators must be a list of user ids');
    const creators = new Set(given ?? []);
    // A creator's power has no end: whoever's is limited gets the level of `trustedUsers` instead.
    if (presetOf(request) === 'trusted_private_chat')
      for (const id of request.invite ?? [])
        if (powerLimit(id) === Number.POSITIVE_INFINITY) creators.add(id);
    creators.delete(userId);
    if (creators.size > 0) content['additional_creators'] = [...creators];
    else delete content['additional_creators'];
  }
  return content;
}

function isUserIdList(value: JsonValue): value is string[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'string' && parseUserId(id) !== undefined);
}

/** The highest power level that a user may be given here; infinity for our own people. */
export type PowerLimit = (userId: string) => number;

function powerLevels(
  userId: string,
  request: CreateRoomRequest,
  version: RoomVersion,
  powerLimit: PowerLimit,
): JsonObject {
  const users: JsonObject = {};
  if (!version.creatorsArePrivileged) users[userId] = creatorLevel;
  if (presetOf(request) === 'trusted_private_chat')
    for (const id of request.invite ?? []) {
      const limit = powerLimit(id);
      const isCreator = version.creatorsArePrivileged && limit === Number.POSITIVE_INFINITY;
      if (!isCreator) users[id] = Math.min(creatorLevel, limit);
    }
  const content: JsonObject = {
    users,
    users_default: 0,
    events_default: 0,
    state_default: 50,
    ban: 50,
    kick: 50,
    redact: 50,
    invite: presetOf(request) === 'public_chat' ? 50 : 0,
    events: {
      'm.room.name': 50,
      'm.room.avatar': 50,
      'm.room.canonical_alias': 50,
      'm.room.topic': 50,
      'm.room.power_levels': 100,
      'm.room.history_visibility': 100,
      'm.room.encryption': 100,
      'm.room.server_acl': 100,
      'm.room.tombstone': version.creatorsArePrivileged ? tombstoneLevel : 100,
    },
    notifications: { room: 50 },
    ...request.powerLevelContentOverride,
  };
  if (version.creatorsArePrivileged) raiseTombstone(content);
  return content;
}

/** Whatever the caller overrode: ending the room stays above the level of other state. */
function raiseTombstone(content: JsonObject): void {
  const given = content['state_default'];
  const stateDefault = typeof given === 'number' ? given : 50;
  const events = isObject(content['events']) ? { ...content['events'] } : {};
  const level = events['m.room.tombstone'];
  if (typeof level !== 'number' || level <= stateDefault)
    events['m.room.tombstone'] = Math.max(tombstoneLevel, stateDefault + 50);
  content['events'] = events;
}

/**
 * The state of a new room after its create event, in the order that `POST /createRoom` prescribes, invites
 * excepted. A later item replaces an earlier one of the same type and key where the specification gives it
 * precedence, so that no event is sent only to be overwritten.
 */
export function initialEvents(
  userId: string,
  request: CreateRoomRequest,
  version: RoomVersion,
  profile: JsonObject,
  alias: string | undefined,
  powerLimit: PowerLimit,
): InitialEvent[] {
  const preset = presets[presetOf(request)];
  const given = (request.initialState ?? []).map((event) => ({
    type: event.type,
    stateKey: event.stateKey ?? '',
    content: event.content,
  }));
  for (const { type } of given)
    if (type === 'm.room.create' || type === 'm.room.member')
      throw invalidParam(`initial_state cannot hold ${type}`);
  const named: InitialEvent[] = [];
  if (request.name !== undefined)
    named.push({ type: 'm.room.name', stateKey: '', content: { name: request.name } });
  if (request.topic !== undefined) {
    const text = { 'm.text': [{ body: request.topic, mimetype: 'text/plain' }] };
    named.push({
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: request.topic, 'm.topic': text },
    });
  }
  const base: InitialEvent[] = [
    {
      type: 'm.room.member',
      stateKey: userId,
      content: { ...profile, membership: 'join' },
    },
    { type: 'm.room.power_levels', stateKey: '', content: powerLevels(userId, request, version, powerLimit) },
  ];
  if (alias !== undefined) base.push({ type: 'm.room.canonical_alias', stateKey: '', content: { alias } });
  const implied: InitialEvent[] = [
    { type: 'm.room.join_rules', stateKey: '', content: { join_rule: preset.joinRule } },
    {
      type: 'm.room.history_visibility',
      stateKey: '',
      content: { history_visibility: preset.visibility },
    },
    { type: 'm.room.guest_access', stateKey: '', content: { guest_access: preset.guests } },
  ];
  return [...base, ...latest([...implied, ...given, ...named])];
}

/**
 * What the enterprise's rules add: state that was not asked for otherwise, and the level of invitations.
 */
export function withDefaults(
  events: readonly InitialEvent[],
  { state, inviteLevel }: RoomDefaults,
): InitialEvent[] {
  const has = (type: string): boolean => events.some((event) => event.type === type);
  const raised = events.map((event) => {
    const { invite } = event.content;
    const level = typeof invite === 'number' ? invite : 0;
    return event.type === 'm.room.power_levels' && level < inviteLevel
      ? { ...event, content: { ...event.content, invite: inviteLevel } }
      : event;
  });
  return [...raised, ...state.filter(({ type }) => !has(type))];
}

/** Of several events with one key only the last, at the place of the last. */
function latest(events: readonly InitialEvent[]): InitialEvent[] {
  const byKey = new Map<string, InitialEvent>();
  for (const event of events) {
    const key = JSON.stringify([event.type, event.stateKey]);
    byKey.delete(key);
    byKey.set(key, event);
  }
  return [...byKey.values()];
}
