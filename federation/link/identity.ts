import { decodeBase64, encodeBase64 } from '../../protocol/base64.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import { type SigningKey, verifyEd25519 } from '../../protocol/signing.ts';
import { readStatements } from './key-header.ts';
import type { KeyEvidence, KeyRotations, LinkPartner } from './types.ts';
import { usableKey } from './upgrade-filter.ts';

const signedPrefix = Buffer.from('island-link/1 link key\n');

/** What a partner announces; the session uses the smaller of both sides' numbers. */
export interface PeerLimits {
  readonly streams: number;
  readonly bulkStreams: number;
  readonly mediaStreams: number;
  readonly streamWindow: number;
  readonly connectionWindow: number;
}

/** Who is at the other end, proved; and what it can do. */
export interface PeerIdentity {
  readonly serverName: string;
  readonly keyId: string;
  readonly verifyKey: string;
  readonly features: readonly string[];
  readonly limits: PeerLimits;
  readonly software: string;
}

export interface OwnIdentity {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly linkPublicKey: Buffer;
  readonly features: readonly string[];
  readonly limits: PeerLimits;
  readonly software: string;
  /** What proves the signing key to a partner that knows an older one. */
  readonly statements?: () => readonly JsonObject[];
}

/** The payload of handshake messages 2 and 3; `offers` (the dialler's subprotocols) is in message 3 only. */
export function identityPayload(own: OwnIdentity, offers?: readonly string[]): Buffer {
  const payload: JsonObject = {
    server_name: own.serverName,
    key_id: own.signingKey.keyId,
    verify_key: own.signingKey.publicKey,
    link_key_sig: encodeBase64(own.signingKey.sign(signedLinkKey(own.linkPublicKey))),
    features: [...own.features],
    limits: {
      streams: own.limits.streams,
      bulk_streams: own.limits.bulkStreams,
      media_streams: own.limits.mediaStreams,
      stream_window: own.limits.streamWindow,
      connection_window: own.limits.connectionWindow,
    },
    software: own.software,
  };
  const statements = own.statements?.() ?? [];
  if (statements.length > 0) payload['statements'] = [...statements];
  if (offers !== undefined) payload['offers'] = [...offers];
  return Buffer.from(JSON.stringify(payload));
}

function signedLinkKey(linkPublicKey: Uint8Array): Buffer {
  return Buffer.concat([signedPrefix, linkPublicKey]);
}

export type IdentityRefusal =
  | 'malformed'
  | 'self'
  | 'wrong-name'
  | 'unpinned-key'
  | 'bad-link-key-signature'
  | 'downgrade';

/** All that the checks may look at. */
interface IdentityFacts {
  readonly claimedName: string;
  readonly expectedName: string;
  readonly ownName: string;
  readonly ownLinkPublicKey: Buffer;
  readonly remoteLinkPublicKey: Buffer;
  readonly verifyKey: string;
  /** What is pinned under the claimed key id and valid now, or proved by a key that is. */
  readonly pinnedKey: string | undefined;
  readonly linkKeySignature: Buffer;
  /** What the dialler says in message 3 that it offered, and what its request had. */
  readonly offers: readonly string[] | undefined;
  readonly seenOffers: readonly string[] | undefined;
}

/** The single checks, in order, as parameters: a test proves each by leaving it out. */
export type IdentityChecks = Readonly<
  Record<Exclude<IdentityRefusal, 'malformed'>, (facts: IdentityFacts) => boolean>
>;

export const strictIdentityChecks: IdentityChecks = {
  self: (facts) =>
    facts.claimedName !== facts.ownName && !facts.remoteLinkPublicKey.equals(facts.ownLinkPublicKey),
  'wrong-name': (facts) => facts.claimedName === facts.expectedName,
  'unpinned-key': (facts) => facts.pinnedKey !== undefined && facts.pinnedKey === facts.verifyKey,
  'bad-link-key-signature': (facts) =>
    verifyEd25519(facts.verifyKey, signedLinkKey(facts.remoteLinkPublicKey), facts.linkKeySignature),
  downgrade: (facts) =>
    facts.offers === undefined ||
    facts.seenOffers === undefined ||
    facts.offers.join() === facts.seenOffers.join(),
};

export type IdentityVerdict =
  | {
      readonly ok: true;
      readonly peer: PeerIdentity;
      /** The key is not pinned yet: this proves it, and is to be taken over first. */
      readonly evidence?: KeyEvidence;
    }
  | {
      readonly ok: false;
      readonly reason: IdentityRefusal;
      /** The key that the other side holds and that nothing proves. */
      readonly unannounced?: KeyEvidence;
    };

/**
 * Reads and judges the other side's payload (island-link §1, step 2): the name that is expected, a key that
 * is pinned for it, and that key's signature of the very static key with which this handshake was made.
 * Unknown keys are ignored, missing offers too: they come from islands of another age.
 */
export function judgeIdentity(
  payload: Uint8Array,
  context: {
    readonly own: OwnIdentity;
    readonly partner: LinkPartner;
    readonly remoteLinkPublicKey: Buffer;
    readonly seenOffers?: readonly string[] | undefined;
    readonly now: number;
    readonly rotations?: KeyRotations | undefined;
    readonly checks?: IdentityChecks;
  },
): IdentityVerdict {
  const claim = readClaim(payload);
  if (claim === undefined) return { ok: false, reason: 'malformed' };
  const { own, partner, remoteLinkPublicKey, seenOffers, now } = context;
  const { keyId, verifyKey: key } = claim.peer;
  const pinned = usableKey(partner, keyId, now);
  const evidence = { keyId, key, statements: claim.statements };
  const isProved = pinned === undefined && context.rotations?.proves(partner.serverName, evidence) === true;
  const facts: IdentityFacts = {
    claimedName: claim.peer.serverName,
    expectedName: partner.serverName,
    ownName: own.serverName,
    ownLinkPublicKey: own.linkPublicKey,
    remoteLinkPublicKey,
    verifyKey: claim.peer.verifyKey,
    pinnedKey: isProved ? key : pinned,
    linkKeySignature: claim.signature,
    offers: claim.offers,
    seenOffers,
  };
  const checks = context.checks ?? strictIdentityChecks;
  for (const [reason, holds] of Object.entries(checks))
    if (!holds(facts)) {
      // The keys of that record.
      const refusal = { ok: false, reason: reason as keyof IdentityChecks } as const;
      const isHeld = reason === 'unpinned-key' && strictIdentityChecks['bad-link-key-signature'](facts);
      return isHeld ? { ...refusal, unannounced: evidence } : refusal;
    }
  return isProved ? { ok: true, peer: claim.peer, evidence } : { ok: true, peer: claim.peer };
}

interface Claim {
  readonly peer: PeerIdentity;
  readonly signature: Buffer;
  readonly offers: readonly string[] | undefined;
  readonly statements: readonly JsonValue[];
}

function readClaim(payload: Uint8Array): Claim | undefined {
  let value: JsonValue;
  try {
    value = parseJson(payload, { numbers: 'any' });
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { server_name, key_id, verify_key, link_key_sig, software } = value;
  const signature = typeof link_key_sig === 'string' ? decodeBase64(link_key_sig) : undefined;
  if (typeof server_name !== 'string' || typeof key_id !== 'string' || typeof verify_key !== 'string')
    return undefined;
  if (signature === undefined) return undefined;
  return {
    peer: {
      serverName: server_name,
      keyId: key_id,
      verifyKey: verify_key,
      features: texts(value['features']) ?? [],
      limits: readLimits(value['limits']),
      software: typeof software === 'string' ? software.slice(0, 200) : '',
    },
    signature,
    offers: texts(value['offers']),
    statements: readStatements(value['statements']),
  };
}

function texts(value: JsonValue | undefined): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.filter((item) => typeof item === 'string').slice(0, 100);
}

function readLimits(value: JsonValue | undefined): PeerLimits {
  const given = isObject(value) ? value : {};
  // An island that does not announce a limit has that of version 1.
  const limit = (name: string, fallback: number): number => {
    const number = given[name];
    return typeof number === 'number' && Number.isSafeInteger(number) && number >= 1 ? number : fallback;
  };
  return {
    streams: limit('streams', 64),
    bulkStreams: limit('bulk_streams', 8),
    mediaStreams: limit('media_streams', 4),
    streamWindow: limit('stream_window', 256 * 1024),
    connectionWindow: limit('connection_window', 4 * 1024 * 1024),
  };
}
