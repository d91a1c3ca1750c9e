import type { Decision } from '../policy/decision.ts';
import type { Pdu } from '../protocol/event.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';

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

  constructor(
    kind: RemoteErrorKind,
    message: string,
    details: { status?: number | undefined; errcode?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RemoteError';
    this.kind = kind;
    this.status = details.status;
    this.errcode = details.errcode;
  }
}

/** An unsigned event that a partner proposes: `make_join`, `make_leave`. Never signed unchecked. */
export interface RemoteTemplate {
  readonly roomVersion: string;
  readonly event: JsonObject;
}

/** The operations of the Server-Server API that rooms ask of partners. All reject with {@link RemoteError}. */
export interface RemoteRooms {
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
  profile(userId: string): Promise<{ displayname?: string; avatar_url?: string }>;
}

/** Pinned keys of partners, and our own. In memory: asked for every signature. */
export interface KeyRing {
  /** `validUntil` in milliseconds since the epoch: events with a later `origin_server_ts` do not verify. */
  key(serverName: string, keyId: string): { publicKey: string; validUntil?: number | undefined } | undefined;
}

/** The enterprise's rules, as far as rooms ask them. */
export interface Border {
  mayInvite(from: string, to: string): Decision;
  /** True for ourselves and for active partners. */
  mayTalkTo(serverName: string): boolean;
}
