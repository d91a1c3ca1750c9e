import assert from 'node:assert/strict';
import { checkAuthEvents } from '../../protocol/auth/auth-events.ts';
import { authorize, type StateLookup, type Verdict } from '../../protocol/auth/authorize.ts';
import { selectAuthEvents } from '../../protocol/auth/select-auth-events.ts';
import { type Pdu, type RoomEvent, type StateKey, stateKeyOf } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { type RoomVersion, type RoomVersionId, roomVersion } from '../../protocol/room-versions.ts';

/** The room's founder, of the server that the room id names. */
export const alice = '@alice:one.test';
/** Joined, with power 50. */
export const mod = '@mod:one.test';
/** Joined, with no power, of another server. */
export const bob = '@bob:two.test';
/** Nothing to do with the room so far. */
export const carol = '@carol:three.test';

export function versionOf(id: RoomVersionId): RoomVersion {
  const version = roomVersion(id);
  assert.ok(version);
  return version;
}

export interface EventOptions {
  readonly stateKey?: string;
  readonly prev?: readonly string[];
  /** Over what the event has otherwise: keys that are undefined here are taken away. */
  readonly pdu?: { readonly [key: string]: JsonObject[string] | undefined };
  readonly rejected?: boolean;
}

export interface JudgeOptions {
  /** Instead of those of the state that the event may name. */
  readonly authEvents?: readonly RoomEvent[];
  /** Instead of the room's create event, where the version looks it up by the room id; null: it is not held. */
  readonly create?: RoomEvent | null;
  readonly signedBy?: readonly string[];
}

/**
 * A room of one version as the auth rules see it: a state, and events with made-up ids that are held against it.
 * It starts with an invite-only room of Alice (power 100, or a creator's), the moderator (50) and Bob (0).
 */
export class AuthRoom {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly create: RoomEvent;
  readonly #state = new Map<StateKey, RoomEvent>();
  #events = 0;

  constructor(versionId: RoomVersionId, createContent: JsonObject = {}) {
    this.version = versionOf(versionId);
    this.roomId = this.version.roomIdIsHash ? `!${'c'.repeat(43)}` : '!room:one.test';
    this.create = this.put(
      this.event('m.room.create', alice, this.createContent(createContent), { stateKey: '', prev: [] }),
    );
    this.member(alice, 'join');
    this.powerLevels({ users: this.users({ [mod]: 50 }) });
    this.joinRule('invite');
    this.member(mod, 'join');
    this.member(bob, 'join');
  }

  createContent(content: JsonObject = {}): JsonObject {
    const creator: JsonObject = this.version.creatorInContent ? { creator: alice } : {};
    return { ...creator, room_version: this.version.id, ...content };
  }

  /** The `users` of power levels: with Alice at 100 in versions whose creators have no power of their own. */
  users(others: JsonObject = {}): JsonObject {
    return this.version.creatorsArePrivileged ? others : { [alice]: 100, ...others };
  }

  event(type: string, sender: string, content: JsonObject, options: EventOptions = {}): RoomEvent {
    const isCreate = type === 'm.room.create';
    this.#events += 1;
    const eventId = isCreate ? `$${'c'.repeat(43)}` : `$event-${this.#events}`;
    const pdu: Pdu = {
      ...(isCreate && this.version.roomIdIsHash ? {} : { room_id: this.roomId }),
      type,
      sender,
      content,
      prev_events: [...(options.prev ?? ['$earlier'])],
      auth_events: [],
      depth: this.#events,
      origin_server_ts: this.#events,
      hashes: { sha256: '' },
      signatures: {},
    };
    if (options.stateKey !== undefined) pdu.state_key = options.stateKey;
    for (const [key, value] of Object.entries(options.pdu ?? {})) {
      if (value === undefined) delete pdu[key];
      else pdu[key] = value;
    }
    return { eventId, roomId: this.roomId, pdu, rejected: options.rejected ?? false };
  }

  /** Takes an event into the state, allowed or not. */
  put(event: RoomEvent): RoomEvent {
    this.#state.set(stateKeyOf(event.pdu.type, event.pdu.state_key ?? ''), event);
    return event;
  }

  /** Takes an entry out of the state. */
  without(type: string, stateKey = ''): void {
    this.#state.delete(stateKeyOf(type, stateKey));
  }

  at(type: string, stateKey = ''): RoomEvent {
    const event = this.#state.get(stateKeyOf(type, stateKey));
    assert.ok(event, `no ${type} in the state`);
    return event;
  }

  member(userId: string, membership: string, sender = userId): RoomEvent {
    return this.put(this.memberEvent(userId, membership, {}, sender));
  }

  memberEvent(userId: string, membership: string, content: JsonObject = {}, sender = userId): RoomEvent {
    return this.event('m.room.member', sender, { membership, ...content }, { stateKey: userId });
  }

  powerLevels(content: JsonObject): RoomEvent {
    return this.put(this.powerLevelsEvent(alice, content));
  }

  powerLevelsEvent(sender: string, content: JsonObject): RoomEvent {
    return this.event('m.room.power_levels', sender, content, { stateKey: '' });
  }

  joinRule(rule: string): RoomEvent {
    return this.put(this.event('m.room.join_rules', alice, { join_rule: rule }, { stateKey: '' }));
  }

  get lookup(): StateLookup {
    return { get: (type, stateKey) => this.#state.get(stateKeyOf(type, stateKey)) };
  }

  /** The events of the state that an event names in its `auth_events`. */
  authEventsFor(event: RoomEvent): RoomEvent[] {
    return selectAuthEvents(event.pdu, this.version)
      .map(({ type, stateKey }) => this.lookup.get(type, stateKey))
      .filter((auth) => auth !== undefined);
  }

  /** All of the rules: those about the auth events, then the others against the state. */
  judge(event: RoomEvent, options: JudgeOptions = {}): Verdict {
    const create = options.create === null ? undefined : (options.create ?? this.create);
    return (
      checkAuthEvents(event, options.authEvents ?? this.authEventsFor(event), this.version, create) ??
      authorize(event, this.lookup, this.version, {
        isSignedBy: (server) => options.signedBy?.includes(server) ?? false,
      })
    );
  }
}
