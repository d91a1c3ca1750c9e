import { canonicalJson } from '../protocol/canonical-json.ts';
import type { Pdu, StateKey } from '../protocol/event.ts';
import { parseUserId } from '../protocol/identifiers.ts';
import type { JsonObject } from '../protocol/json.ts';
import type { Database } from '../storage/database.ts';
import type { RoomRecord } from '../storage/stores/room-store.ts';
import { maxChainLength } from '../storage/stores/state-store.ts';
import type { Position, WriteOp } from '../storage/write-set.ts';
import { Lru } from './lru.ts';
import type { Room } from './room.ts';
import type { NewStateSet } from './state/state-set.ts';
import type { ClientTxn, StrippedState } from './types.ts';

/** An invitation of one of ours to a room that we are not in. */
export interface PendingInvite {
  readonly event: Pdu;
  readonly strippedState: readonly StrippedState[];
  /** The server that brought it. */
  readonly origin: string;
}

/** What the engine reads and writes beside events, in its own words. */
export class RoomStore {
  readonly #db: Database;
  /** How long the chains below the latest state groups are. */
  readonly #chains = new Lru<number, number>(10_000);

  constructor(db: Database) {
    this.#db = db;
  }

  nextEvent(): number {
    return this.#db.ids.next('event');
  }

  nextRoom(): number {
    return this.#db.ids.next('room');
  }

  nextStateGroup(): number {
    return this.#db.ids.next('state_group');
  }

  room(roomId: string): Promise<RoomRecord | undefined> {
    return this.#db.rooms.get(roomId);
  }

  stateGroup(group: number): Promise<Map<StateKey, string>> {
    return this.#db.states.load(group);
  }

  missing(roomNid: number): Promise<string[]> {
    return this.#db.events.graph.missing(roomNid);
  }

  /** (target, redaction) of redactions that came before their target. */
  async heldRedactions(roomNid: number): Promise<[string, string][]> {
    const held = await this.#db.events.graph.heldRedactions(roomNid);
    return held.map(({ target, redaction }) => [target, redaction]);
  }

  /** (wanted, event) of events that were rejected for want of an auth event. */
  async waitingForAuth(roomNid: number): Promise<[string, string][]> {
    const waiting: [string, string][] = [];
    for (const event of await this.#db.events.rejected(roomNid)) {
      const wanted = event.internal?.['waiting_for'];
      if (!Array.isArray(wanted)) continue;
      for (const id of wanted) if (typeof id === 'string') waiting.push([id, event.eventId]);
    }
    return waiting;
  }

  newRoomOps(room: Room, createdTs: number, joinedVia: readonly string[] | undefined): WriteOp[] {
    return this.#db.rooms.insert({
      roomNid: room.roomNid,
      roomId: room.roomId,
      version: room.version.id,
      revision: room.revision,
      stateGroup: room.current.group,
      extremities: room.extremities,
      joinedVia: joinedVia ?? null,
      createdTs,
    });
  }

  roomOps(room: Room, joinedVia: readonly string[] | undefined): WriteOp[] {
    return this.#db.rooms.update(room.roomNid, {
      stateGroup: room.current.group,
      extremities: room.extremities,
      ...(joinedVia === undefined ? {} : { joinedVia }),
    });
  }

  /** Must be called in the order in which the sets were made. */
  stateGroupOps(roomNid: number, sets: readonly NewStateSet[]): WriteOp[] {
    return sets.flatMap(({ set, base, entries }) => {
      const below = base === null ? undefined : this.#chains.get(base);
      // Of a base from before the last start the length is not known: a full copy is always right.
      const whole = base === null || below === undefined || below + 1 >= maxChainLength;
      const chainLength = whole ? 0 : below + 1;
      this.#chains.set(set.group, chainLength);
      return this.#db.states.insert(
        { groupNid: set.group, roomNid, prevGroup: whole ? null : base, chainLength },
        whole ? set.toMap() : entries,
      );
    });
  }

  async joinedVia(roomId: string): Promise<readonly string[]> {
    return (await this.#db.rooms.get(roomId))?.joinedVia ?? [];
  }

  /** The event that a request with this transaction id made. */
  txn(userId: string, txn: ClientTxn): Promise<string | undefined> {
    return this.#db.devices.txnEvent(userId, txn.deviceId, txn.txnKey);
  }

  txnOps(userId: string, txn: ClientTxn, eventId: string, now: number): WriteOp[] {
    return this.#db.devices.addTxn({ userId, ...txn, eventId, createdTs: now });
  }

  async alias(alias: string): Promise<string | undefined> {
    return (await this.#db.aliases.get(alias))?.roomId;
  }

  aliasOps(alias: string, roomId: string, creator: string, server: string): WriteOp[] {
    return this.#db.aliases.insert({ alias, roomId, servers: [server], creator });
  }

  /** The profile of one of ours as it goes into member events. */
  async profile(userId: string): Promise<JsonObject> {
    const localpart = parseUserId(userId)?.localpart;
    const user = localpart === undefined ? undefined : await this.#db.users.get(localpart);
    const profile: JsonObject = {};
    if (user?.displayName) profile['displayname'] = user.displayName;
    if (user?.avatarUrl) profile['avatar_url'] = user.avatarUrl;
    return profile;
  }

  async isActiveUser(localpart: string): Promise<boolean> {
    const user = await this.#db.users.get(localpart);
    return user !== undefined && !user.deactivated;
  }

  /** The pending invitation of one of ours to a room that we are not in. */
  async invite(roomId: string, userId: string): Promise<PendingInvite | undefined> {
    const invite = await this.#db.memberships.invite(roomId, userId);
    if (invite === undefined) return undefined;
    // Both texts were made above, of checked values.
    const event = JSON.parse(invite.eventJson) as Pdu;
    const strippedState = JSON.parse(invite.strippedStateJson) as StrippedState[];
    return { event, strippedState, origin: invite.origin };
  }

  inviteOps(invite: {
    roomId: string;
    userId: string;
    event: Pdu;
    strippedState: readonly StrippedState[];
    origin: string;
    position: Position;
  }): WriteOp[] {
    return this.#db.memberships.putInvite({
      roomId: invite.roomId,
      userId: invite.userId,
      eventJson: canonicalJson(invite.event),
      strippedStateJson: canonicalJson([...invite.strippedState]),
      origin: invite.origin,
      streamPos: invite.position,
    });
  }

  endInviteOps(roomId: string, userId: string, position: Position): WriteOp[] {
    return this.#db.memberships.endInvite(roomId, userId, position);
  }

  dropInviteOps(roomId: string, userId: string): WriteOp[] {
    return this.#db.memberships.removeInvite(roomId, userId);
  }
}
