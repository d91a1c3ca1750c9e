import type { Decision } from '../policy/decision.ts';
import type { CallbackVerdict, Direction } from '../policy/question.ts';
import type { Pdu, RoomEvent } from '../protocol/event.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import type { WriteOp } from '../storage/write-set.ts';
import type { RoomView } from './types.ts';

/**
 * What the room engine needs from the layers above it. They implement these interfaces; `rooms/` never
 * imports them.
 */

export type RemoteErrorKind = 'refused' | 'unreachable' | 'bad-response';

/**
 * A partner did not do what it was asked. `refused`: it answered with an error (`status`, `errcode`);
 * `unreachable`: no answer (link down, time-out); `bad-response`: an answer that cannot be what it should be.
 */
export class RemoteError extends Error {
  readonly kind: RemoteErrorKind;
  readonly status: number | undefined;
  readonly errcode: string | undefined;
  /** Codes of the violations that an island named. */
  readonly violations: readonly string[];

  constructor(
    kind: RemoteErrorKind,
    message: string,
    details: {
      status?: number | undefined;
      errcode?: string | undefined;
      violations?: readonly string[];
      cause?: unknown;
    } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RemoteError';
    this.kind = kind;
    this.status = details.status;
    this.errcode = details.errcode;
    this.violations = details.violations ?? [];
  }
}

/** An unsigned event that a partner proposes: `make_join`, `make_leave`. Never signed unchecked. */
export interface RemoteTemplate {
  readonly roomVersion: string;
  readonly event: JsonObject;
  /** Servers in the room, where an island says it: not of Matrix. */
  readonly servers?: readonly string[] | undefined;
}

/** The operations of the Server-Server API that rooms ask of partners. All reject with {@link RemoteError}. */
export interface RemoteRooms {
  /** Would a question reach that server at this moment, without waiting? */
  isReachable(server: string): boolean;
  makeJoin(
    server: string,
    roomId: string,
    userId: string,
    versions: readonly string[],
  ): Promise<RemoteTemplate>;
  sendJoin(
    server: string,
    roomId: string,
    eventId: string,
    pdu: Pdu,
  ): Promise<{ event?: JsonValue; state: JsonValue[]; authChain: JsonValue[]; origin?: string }>;
  makeLeave(server: string, roomId: string, userId: string): Promise<RemoteTemplate>;
  sendLeave(server: string, roomId: string, eventId: string, pdu: Pdu): Promise<void>;
  /** Resolves to the invite event with the invited server's signature added. */
  invite(
    server: string,
    roomId: string,
    eventId: string,
    body: { roomVersion: string; event: Pdu; inviteRoomState: JsonValue[] },
  ): Promise<JsonValue>;
  /** The one PDU of `/event/{eventId}`. */
  event(server: string, eventId: string): Promise<JsonValue>;
  state(
    server: string,
    roomId: string,
    eventId: string,
  ): Promise<{ pdus: JsonValue[]; authChain: JsonValue[] }>;
  stateIds(
    server: string,
    roomId: string,
    eventId: string,
  ): Promise<{ pduIds: string[]; authChainIds: string[] }>;
  eventAuth(server: string, roomId: string, eventId: string): Promise<JsonValue[]>;
  backfill(
    server: string,
    roomId: string,
    fromEventIds: readonly string[],
    limit: number,
  ): Promise<JsonValue[]>;
  missingEvents(
    server: string,
    roomId: string,
    request: { earliest: readonly string[]; latest: readonly string[]; limit: number; minDepth: number },
  ): Promise<JsonValue[]>;
  resolveAlias(alias: string): Promise<{ roomId: string; servers: string[] }>;
  /** Asked on behalf of one of ours. Throws a `RoomError` where the border forbids it. */
  profile(userId: string, asker: string): Promise<{ displayname?: string; avatar_url?: string }>;
}

/** Pinned keys of partners, and our own. In memory: asked for every signature. */
export interface KeyRing {
  /** `validUntil` in milliseconds since the epoch: events with a later `origin_server_ts` do not verify. */
  key(serverName: string, keyId: string): { publicKey: string; validUntil?: number | undefined } | undefined;
}

/** An event that one of ours wants to send, before it is built. */
export interface LocalEvent {
  readonly type: string;
  readonly sender: string;
  readonly stateKey?: string | undefined;
  readonly content: JsonObject;
}

/** A room that one of ours wants to make. */
export interface RoomPlan {
  readonly creator: string;
  readonly invitees: readonly string[];
  /** Users beside the creator whose power has no end (room version 12). */
  readonly additionalCreators: readonly string[];
  /** The state that it begins with. */
  readonly state: readonly {
    readonly type: string;
    readonly stateKey: string;
    readonly content: JsonObject;
  }[];
}

/** An invitation between one of ours and one of a partner. */
export interface Invitation {
  readonly direction: Direction;
  readonly roomId: string;
  readonly inviter: string;
  readonly invitee: string;
  readonly reason?: string | undefined;
  readonly isDirect?: boolean | undefined;
  /** As the room is called, for whoever decides. */
  readonly roomName?: string | undefined;
}

/** What was decided about an invitation before it was tried. */
export type Standing = 'none' | 'approved' | 'refused';

/** Where invitations wait for somebody's word. */
export interface HeldInvitations {
  /**
   * Puts an invitation into the queue, once however often it is tried; on disk when it resolves. `waitsFor`: whose
   * word is missing; what is given back says whose word is waited for. Undefined: too many wait.
   */
  hold(
    invitation: Invitation,
    waitsFor: 'us' | 'them',
  ): Promise<{ readonly id: string; readonly waitsFor: 'us' | 'them' } | undefined>;
  /** Uses up the approval of an invitation of a partner: for its write set; `done` when that is on disk. */
  use(invitation: Invitation): { readonly ops: readonly WriteOp[]; done(): void };
  /** An invitation of ours is in its room. */
  ended(invitation: Invitation): Promise<void>;
}
/** A room that we do not hold, as an invitation to it tells of it. */
export interface ToldRoom {
  readonly roomId: string;
  readonly creatorServer: string;
  readonly isEncrypted: boolean;
}

/** Something about which a check of ours may have to be asked over HTTP, before the room's queue is entered. */
export type Matter =
  | { readonly kind: 'send'; readonly room: RoomView; readonly event: LocalEvent }
  | {
      readonly kind: 'invite';
      readonly from: string;
      readonly to: string;
      readonly where: RoomView | ToldRoom;
    }
  | { readonly kind: 'join'; readonly userId: string; readonly where: RoomView | string }
  | { readonly kind: 'receive'; readonly room: RoomView; readonly event: RoomEvent };

/** What those checks said, by the partner for whose policy they were asked. */
export type Verdicts = ReadonlyMap<string, CallbackVerdict>;

/** How our clients are shown the people of another server. */
export interface ExternalLabel {
  /** Stands after the display name. */
  readonly suffix: string;
  /** `{server_name, label, relation}` */
  readonly about: JsonObject;
}

/** What the enterprise's rules make of a new room. */
export interface RoomDefaults {
  /** State that it gets where the request does not set it. */
  readonly state: RoomPlan['state'];
  /** The lowest power level that inviting may need. */
  readonly inviteLevel: number;
}

/** An event as a server brought it, of a sender whose server is no partner of ours: nothing of it is proved. */
export interface StrangersEvent {
  readonly server: string;
  readonly type: string;
  readonly stateKey: string | undefined;
  readonly content: JsonObject;
}

/** The enterprise's rules, as far as rooms ask them. */
export interface Border {
  /**
   * Asks the checks that policies name; undefined where there is none to ask, which is the usual case. What they said
   * is given to the question itself, which also answers anew all that may have changed meanwhile. Rejects with
   * `TryAgain` when the island stops.
   */
  consult(matter: Matter): (() => Promise<Verdicts>) | undefined;
  /** What the invitation itself says of a room that we do not hold: it is from outside. */
  mayInvite(from: string, to: string, where: RoomView | ToldRoom, verdicts: Verdicts): Decision;
  /** Will that invitation be allowed, callbacks and quotas aside? Neither counted nor recorded: it is not the answer. */
  foresees(from: string, to: string, room: RoomView): boolean;
  /** True for ourselves and for active partners. */
  mayTalkTo(serverName: string): boolean;
  /** Whether events wait for that server: for a partner that is suspended too, until it is resumed. */
  keepsFor(serverName: string): boolean;
  /** Asked before an event of ours is signed. */
  maySend(room: RoomView, event: LocalEvent, verdicts: Verdicts): Decision | Promise<Decision>;
  mayCreate(plan: RoomPlan): Decision;
  /** What a room of that plan begins with beyond what was asked for. */
  defaultsOf(plan: RoomPlan): RoomDefaults;
  /**
   * Before servers come into a room, or into a new one together: what our policies say, and what the islands say that
   * would be in it with them, who are asked.
   */
  mayAdmit(room: RoomView | RoomPlan, newcomers: readonly string[]): Promise<Decision>;
  /** The servers that an ACL has to allow for; undefined for a room that is not for certain partners only. */
  admitted(room: RoomView): string[] | undefined;
  /** A partner in the room brought an event of a server that we do not know. Never throws. */
  metStranger(room: RoomView, origin: string, event: StrangersEvent): void;
  /** The highest power level that a user may be given; infinity for our own people. */
  powerLimit(userId: string): number;
  /**
   * May one of ours join that room, or (where we do not hold it) a room that a server lets them into? May one of a
   * partner join a room of ours?
   */
  mayJoin(userId: string, where: RoomView | string, verdicts?: Verdicts): Decision;
  /** May we be together with all these servers in a room that is not held here? */
  mayBeWith(servers: readonly string[]): Decision;
  /** How our clients are shown the people of another server; undefined: as they are. Asked for every member event. */
  labelOf(serverName: string): ExternalLabel | undefined;
  /** What is wrong with an event of others that takes its place in the room all the same: a quarantine. */
  judgeReceived(room: RoomView, event: RoomEvent, verdicts?: Verdicts): Decision;
}
