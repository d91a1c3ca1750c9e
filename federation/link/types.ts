import type { JsonObject, JsonValue } from '../../protocol/json.ts';

/** A partner as far as the link asks: who it is, which keys are pinned, and how it is reached. */
export interface LinkPartner {
  readonly serverName: string;
  readonly state: string;
  /** Pinned Ed25519 keys by key id (unpadded base64); one whose time is over (ms) opens no link. */
  readonly verifyKeys: ReadonlyMap<string, { readonly key: string; readonly validUntil?: number }>;
  /** Keys of those that open no link, whatever their time; since when (ms). */
  readonly revokedKeys?: ReadonlyMap<string, number>;
  /** `wss://HOST` or `wss://HOST/_archipelago/link/v1`; tried in turn. */
  readonly urls: readonly string[];
  readonly dial: 'both' | 'outbound' | 'inbound';
  readonly allowCleartext: boolean;
  readonly allowPrivateIp: boolean;
  /** PEM file; TLS to this partner then trusts these authorities only. */
  readonly caPath?: string;
}

/** The partners at this moment; asked again for each decision. */
export interface LinkPartners {
  get(serverName: string): LinkPartner | undefined;
  active(): LinkPartner[];
}

/** A key that the other side holds, and what it shows for it. */
export interface KeyEvidence {
  readonly keyId: string;
  /** Unpadded base64. */
  readonly key: string;
  /** Key statements as they arrived; nothing about them is checked yet. */
  readonly statements: readonly JsonValue[];
}

/** What becomes of keys that are not pinned: the link asks, the layer above decides. */
export interface KeyRotations {
  /** What proves our own key to partners that know an older one. */
  own(): readonly JsonObject[];
  /** Do the statements prove this key by a pinned one? Takes as long for a server that is no partner. */
  proves(serverName: string, evidence: KeyEvidence): boolean;
  /** Pins the key that they prove, on disk when it resolves; false if they do not prove it any more. */
  accept(serverName: string, evidence: KeyEvidence): Promise<boolean>;
  /** The partner showed a key that nothing proves; it holds it, as its signature says. */
  unannounced(serverName: string, evidence: KeyEvidence): void;
}

/** Nothing is known but what is pinned. */
export const noRotations: KeyRotations = {
  own: () => [],
  proves: () => false,
  accept: async () => false,
  unannounced: () => undefined,
};

/** Order of sending, first to last (island-link §2). */
export type LinkPriority = 'control' | 'query' | 'pdu' | 'device' | 'edu' | 'bulk' | 'media';

export const linkPriorities: readonly LinkPriority[] = [
  'control',
  'query',
  'pdu',
  'device',
  'edu',
  'bulk',
  'media',
];

export interface LinkRequest {
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  readonly contentType?: string;
  readonly body?: Buffer;
  readonly priority: LinkPriority;
  /** Until the last byte of the answer, in milliseconds; counted from when the request was made. */
  readonly deadlineMs: number;
  /** Further keys of the request's header, e.g. a transaction's lane. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer whose body may still be on its way. Whoever takes one reads its body or calls `cancel`. */
export interface LinkResponse {
  readonly status: number;
  readonly contentType?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body. Rejects above `maxBytes` (default 16 MiB), and with {@link LinkUnavailable} when it breaks off. */
  body(maxBytes?: number): Promise<Buffer>;
  /** The body as it comes; credit is granted as it is consumed. Read it once, or call `body`. */
  readonly stream: AsyncIterable<Buffer>;
  cancel(): void;
}

/** A partner's request. The link is the origin: nothing inside the request can say another. */
interface IncomingLinkRequest {
  readonly origin: string;
  readonly method: string;
  readonly uri: string;
  readonly contentType?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body. Rejects with a `RoomError` (413 `M_TOO_LARGE`) above `maxBytes`. */
  body(maxBytes: number): Promise<Buffer>;
  /** Aborted when the partner gave up, its deadline passed, or the link went down. */
  readonly signal: AbortSignal;
}

export interface LinkAnswer {
  readonly status: number;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | AsyncIterable<Buffer>;
}

/** Called once for each request, in the order of their arrival, before anything is awaited. */
export type LinkHandler = (request: IncomingLinkRequest) => Promise<LinkAnswer>;

/** The first record each way: what the layer above says of its lanes, and hears of the partner's. */
export interface LinkHello {
  local(serverName: string): Promise<JsonObject>;
  /** The link serves requests only after this resolved; when it rejects, the link is closed. */
  remote(serverName: string, hello: JsonObject): Promise<void>;
}

export interface LinkStatus {
  readonly state: 'connected' | 'connecting' | 'down';
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly dialledBy: 'us' | 'them' | null;
}

/** There is no link to the partner, or it went down under the request. */
export class LinkUnavailable extends Error {
  /** False: the partner never got the request. True: it may have. */
  readonly maybeDelivered: boolean;

  constructor(message: string, options: { maybeDelivered?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LinkUnavailable';
    this.maybeDelivered = options.maybeDelivered ?? false;
  }
}

/** Why one stream was cancelled (RESET). */
export type ResetReason = 'cancelled' | 'too_large' | 'timeout' | 'policy' | 'internal';

/** One request was cancelled, by its deadline or by the partner; the link goes on. */
export class LinkStreamReset extends Error {
  readonly reason: ResetReason;
  readonly by: 'us' | 'them';

  constructor(reason: ResetReason, by: 'us' | 'them') {
    super(by === 'us' ? `The request was given up: ${reason}` : `The partner gave the request up: ${reason}`);
    this.name = 'LinkStreamReset';
    this.reason = reason;
    this.by = by;
  }
}

/** An answer's body is longer than the caller takes. */
export class LinkBodyTooLarge extends Error {
  constructor(maxBytes: number) {
    super(`The answer is longer than ${maxBytes} bytes`);
    this.name = 'LinkBodyTooLarge';
  }
}
