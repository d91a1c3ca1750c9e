import type { RoomEvent, StateKey } from '../protocol/event.ts';
import { stateKeyOf } from '../protocol/event.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import { PowerLevels } from '../protocol/power-levels.ts';
import type { RoomVersion } from '../protocol/room-versions.ts';
import { isAllowedByAcl } from '../protocol/server-acl.ts';
import { Lru } from './lru.ts';
import type { NewStateSet, StateSet } from './state/state-set.ts';
import type { Membership, RoomView, StoredEvent } from './types.ts';

/** A member event's user, or undefined for other state. */
export function memberOf(event: RoomEvent): string | undefined {
  return event.pdu.type === 'm.room.member' ? event.pdu.state_key : undefined;
}

export function membershipOf(event: RoomEvent | undefined): Membership {
  const value = event?.pdu.content['membership'];
  return value === 'join' || value === 'invite' || value === 'ban' || value === 'knock' ? value : 'leave';
}

/** What a room is loaded from. */
export interface RoomSnapshot {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  readonly revision: number;
  readonly current: StateSet;
  readonly tips: readonly StoredEvent[];
  readonly missing: Iterable<string>;
  readonly state: Iterable<readonly [StateKey, StoredEvent]>;
  /** Events rejected for want of an auth event, by the id they wait for. */
  readonly waiting: Iterable<readonly [string, string]>;
  /** (target, redaction) of redactions that came before their target. */
  readonly heldRedactions: Iterable<readonly [string, string]>;
  readonly serverName: string;
}

/**
 * One room in memory: its current state, its forward extremities, and what is on its way to disk. It runs
 * ahead of the database by the write sets in flight; when one of them fails it is thrown away and loaded
 * again.
 */
export class Room implements RoomView {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  revision: number;
  current: StateSet;
  /** Forward extremities by event id. */
  readonly tips = new Map<string, StoredEvent>();
  /** Backward extremities: referenced as a previous event, not held. */
  readonly missing: Set<string>;
  /** Events and state sets that are being written. */
  readonly pendingEvents = new Map<string, StoredEvent>();
  readonly pendingSets = new Map<number, StateSet>();
  /** Sets that no write set has taken along yet; the next one does. */
  unwrittenSets: NewStateSet[] = [];
  readonly writes = new Set<Promise<unknown>>();
  /** Resolutions already made, by the sorted numbers of the groups that went in. */
  readonly resolutions = new Lru<string, StateSet>(64);
  /** Rejected for want of an auth event: the id that is wanted -> the ids of those that wait. */
  readonly waiting = new Map<string, Set<string>>();
  /** Redactions that came before what they redact: target id -> ids of the redactions. */
  readonly heldRedactions = new Map<string, string[]>();
  /** A change was begun that is not handed to the writer yet. */
  changing = false;
  /** So many tasks work with this object; while there are any it is not forgotten. */
  pins = 0;
  /** Thrown away: whoever still holds it must load the room again. */
  stale = false;

  readonly #serverName: string;
  readonly #state = new Map<StateKey, StoredEvent>();
  readonly #members = new Map<string, StoredEvent>();
  readonly #joinedByServer = new Map<string, number>();
  #servers: ReadonlySet<string> | undefined;
  #residents: ReadonlyMap<string, readonly string[]> | undefined;
  #joined = 0;
  #invited = 0;
  #powerLevels: PowerLevels | undefined;

  constructor(snapshot: RoomSnapshot) {
    this.roomNid = snapshot.roomNid;
    this.roomId = snapshot.roomId;
    this.version = snapshot.version;
    this.revision = snapshot.revision;
    this.current = snapshot.current;
    this.missing = new Set(snapshot.missing);
    this.#serverName = snapshot.serverName;
    for (const tip of snapshot.tips) this.tips.set(tip.eventId, tip);
    for (const [key, event] of snapshot.state) this.putState(key, event);
    for (const [wanted, eventId] of snapshot.waiting) this.addWaiting(wanted, eventId);
    for (const [target, eventId] of snapshot.heldRedactions) this.holdRedaction(target, eventId);
  }

  get extremities(): readonly string[] {
    return [...this.tips.keys()];
  }

  get state(): ReadonlyMap<StateKey, StoredEvent> {
    return this.#state;
  }

  get members(): ReadonlyMap<string, StoredEvent> {
    return this.#members;
  }

  get joinedCount(): number {
    return this.#joined;
  }

  get invitedCount(): number {
    return this.#invited;
  }

  get(type: string, stateKey: string): StoredEvent | undefined {
    return this.#state.get(stateKeyOf(type, stateKey));
  }

  content(type: string, stateKey = ''): JsonObject {
    return this.get(type, stateKey)?.pdu.content ?? {};
  }

  membership(userId: string): Membership {
    return membershipOf(this.#members.get(userId));
  }

  *joinedUsers(): IterableIterator<string> {
    for (const [userId, event] of this.#members) if (membershipOf(event) === 'join') yield userId;
  }

  joinedServers(): ReadonlySet<string> {
    this.#servers ??= new Set(this.#joinedByServer.keys());
    return this.#servers;
  }

  /** Kept until a membership changes: the border asks for it with each message. */
  residents(): ReadonlyMap<string, readonly string[]> {
    if (this.#residents !== undefined) return this.#residents;
    const residents = new Map<string, string[]>();
    for (const [userId, event] of this.#members) {
      const membership = membershipOf(event);
      if (membership !== 'join' && membership !== 'invite') continue;
      const server = serverNameOf(userId);
      const people = residents.get(server);
      if (people === undefined) residents.set(server, [userId]);
      else people.push(userId);
    }
    this.#residents = residents;
    return residents;
  }

  get powerLevels(): PowerLevels {
    this.#powerLevels ??= new PowerLevels(
      this.get('m.room.create', ''),
      this.get('m.room.power_levels', ''),
      this.version,
    );
    return this.#powerLevels;
  }

  powerLevelOf(userId: string): number {
    return this.powerLevels.userLevel(userId);
  }

  notificationLevel(key: string): number {
    return this.powerLevels.notificationLevel(key);
  }

  powerLevelFor(type: string, isState: boolean): number {
    return this.powerLevels.eventLevel(type, isState);
  }

  get historyVisibility(): string {
    const value = this.content('m.room.history_visibility')['history_visibility'];
    return typeof value === 'string' ? value : 'shared';
  }

  hasLocalMember(): boolean {
    return this.#joinedByServer.has(this.#serverName);
  }

  allowsServer(serverName: string): boolean {
    return isAllowedByAcl(this.get('m.room.server_acl', '')?.pdu.content, serverName);
  }

  /** Sets one entry of the current state, or takes it away, and keeps what is counted from it. */
  putState(key: StateKey, event: StoredEvent | undefined): void {
    const old = this.#state.get(key);
    if (old !== undefined) this.#count(old, -1);
    if (event === undefined) {
      this.#state.delete(key);
      const userId = old === undefined ? undefined : memberOf(old);
      if (userId !== undefined) this.#members.delete(userId);
    } else {
      this.#state.set(key, event);
      const userId = memberOf(event);
      if (userId !== undefined) this.#members.set(userId, event);
      this.#count(event, 1);
    }
    const type = (event ?? old)?.pdu.type;
    if (type === 'm.room.power_levels' || type === 'm.room.create') this.#powerLevels = undefined;
  }

  addWaiting(wanted: string, eventId: string): void {
    const waiting = this.waiting.get(wanted) ?? new Set();
    waiting.add(eventId);
    this.waiting.set(wanted, waiting);
  }

  holdRedaction(target: string, redactionId: string): void {
    const held = this.heldRedactions.get(target);
    if (held === undefined) this.heldRedactions.set(target, [redactionId]);
    else if (!held.includes(redactionId)) held.push(redactionId);
  }

  #count(event: StoredEvent, by: 1 | -1): void {
    const userId = memberOf(event);
    if (userId === undefined) return;
    this.#residents = undefined;
    const membership = membershipOf(event);
    if (membership === 'invite') this.#invited += by;
    if (membership !== 'join') return;
    this.#joined += by;
    const server = serverNameOf(userId);
    const count = (this.#joinedByServer.get(server) ?? 0) + by;
    if (count > 0) this.#joinedByServer.set(server, count);
    else this.#joinedByServer.delete(server);
    this.#servers = undefined;
  }
}
