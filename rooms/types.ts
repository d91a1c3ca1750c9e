import type { StateKey } from '../protocol/event.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import type { RoomVersion } from '../protocol/room-versions.ts';
import type { EventRecord } from '../storage/stores/event-record.ts';

/** Public records of the room engine: requests, outcomes, and what readers see of a room. */

export type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock';

export type RoomPreset = 'private_chat' | 'trusted_private_chat' | 'public_chat';

/** The body of `POST /createRoom`, shapes already validated. Names are ours, contents as in the request. */
export interface CreateRoomRequest {
  readonly visibility?: 'public' | 'private' | undefined;
  /** Local part of an alias; the caller has checked its grammar. Claimed in the same commit as the room. */
  readonly roomAliasName?: string | undefined;
  readonly name?: string | undefined;
  readonly topic?: string | undefined;
  readonly invite?: readonly string[] | undefined;
  readonly roomVersion?: string | undefined;
  readonly creationContent?: JsonObject | undefined;
  readonly initialState?:
    | readonly { type: string; stateKey?: string | undefined; content: JsonObject }[]
    | undefined;
  readonly preset?: RoomPreset | undefined;
  readonly isDirect?: boolean | undefined;
  readonly powerLevelContentOverride?: JsonObject | undefined;
}

/**
 * (device, transaction id) of a client's request. `txnKey` names the request: whatever the caller likes (endpoint,
 * path), then, after the last newline if there is one, the id that the client chose.
 */
export interface ClientTxn {
  readonly deviceId: string;
  readonly txnKey: string;
}

export interface SendRequest {
  readonly userId: string;
  readonly roomId: string;
  readonly type: string;
  readonly content: JsonObject;
  /** Present: a state event. */
  readonly stateKey?: string | undefined;
  readonly txn?: ClientTxn | undefined;
  /** `origin_server_ts` in milliseconds; default: now. */
  readonly timestamp?: number | undefined;
}

export interface RedactRequest {
  readonly userId: string;
  readonly roomId: string;
  readonly eventId: string;
  readonly reason?: string | undefined;
  /** What else the redaction says. */
  readonly content?: JsonObject | undefined;
  readonly txn?: ClientTxn | undefined;
}

export interface JoinOptions {
  /** Servers to ask, best first; the inviter's server and servers known for the room are added. */
  readonly via?: readonly string[] | undefined;
  readonly reason?: string | undefined;
}

/**
 * What became of a received event. `dropped`: not stored (not an event, or not signed by its sender's
 * server, or its server is denied by the room). `ignored`: in order, and of no interest here any more: of a
 * room that our people have left. `rejected` and `soft-failed` are stored.
 */
export interface ReceiveOutcome {
  readonly kind: 'accepted' | 'soft-failed' | 'rejected' | 'duplicate' | 'dropped' | 'ignored';
  readonly reason?: string;
  readonly eventId?: string;
}

/** An event with its place in our database; while it is being written it has no position yet. */
export type StoredEvent = EventRecord;

/** What readers see of a room: its current state, in memory. A snapshot only until the next await. */
export interface RoomView {
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Event ids of the forward extremities. */
  readonly extremities: readonly string[];
  /** Current resolved state. */
  readonly state: ReadonlyMap<StateKey, StoredEvent>;
  get(type: string, stateKey: string): StoredEvent | undefined;
  /** `content` of a state event; an empty object where there is none. */
  content(type: string, stateKey?: string): JsonObject;
  membership(userId: string): Membership;
  /** All member events of the current state by user id. */
  readonly members: ReadonlyMap<string, StoredEvent>;
  readonly joinedCount: number;
  readonly invitedCount: number;
  /** Users joined now. */
  joinedUsers(): IterableIterator<string>;
  /** Servers with a joined member. */
  joinedServers(): ReadonlySet<string>;
  /** Who is joined or invited, by server. */
  residents(): ReadonlyMap<string, readonly string[]>;
  /** Infinity for creators in room version 12. */
  powerLevelOf(userId: string): number;
  powerLevelFor(type: string, isState: boolean): number;
  /** The level that `notifications.{key}` takes. */
  notificationLevel(key: string): number;
  readonly historyVisibility: string;
  /** False if one of ours is not joined: we do not receive this room's events any more. */
  hasLocalMember(): boolean;
  /** `m.room.server_acl`. */
  allowsServer(serverName: string): boolean;
}

/** An event in the shape of the client API, ready to be serialised. */
export interface ClientEvent extends JsonObject {
  event_id: string;
  room_id: string;
  type: string;
  sender: string;
  origin_server_ts: number;
  content: JsonObject;
  unsigned: JsonObject;
}

/** A stripped state event: `sender`, `type`, `state_key`, `content`. */
export interface StrippedState extends JsonObject {
  sender: string;
  type: string;
  state_key: string;
  content: JsonObject;
}

/** Answers of the federation operations; the routes only rename keys. */
export interface SendJoinAnswer {
  readonly event: JsonValue;
  readonly state: JsonValue[];
  readonly authChain: JsonValue[];
  readonly origin: string;
}
