import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { parseAuthorization, verifyRequest, type XMatrix } from '../x-matrix.ts';
import { keyHeader, readKeyHeader } from './key-header.ts';
import type { LinkLimits } from './limits.ts';
import { NonceCache } from './nonce-cache.ts';
import { TokenBuckets } from './token-buckets.ts';
import {
  type KeyEvidence,
  type KeyRotations,
  type LinkPartner,
  type LinkPartners,
  noRotations,
} from './types.ts';
import { linkPath, linkSubprotocol } from './upgrade-request.ts';

export interface UpgradeAttempt {
  readonly uri: string;
  readonly headers: IncomingHttpHeaders;
  readonly address: string;
}

/** `reason` is for the audit log; whoever knocked sees the status alone. */
export type UpgradeVerdict =
  | {
      readonly ok: true;
      readonly partner: LinkPartner;
      readonly offers: readonly string[];
      /** The key is not pinned yet: this proves it, and is to be taken over first. */
      readonly evidence?: KeyEvidence;
    }
  | {
      readonly ok: false;
      readonly status: 403 | 429;
      readonly retryAfterMs?: number;
      readonly reason: UpgradeRefusal;
      readonly origin?: string;
      /** A key of an active partner that nothing proves; whoever asks holds it. */
      readonly unannounced?: KeyEvidence;
    };

type UpgradeRefusal =
  | 'malformed'
  | 'wrong-destination'
  | 'not-a-partner'
  | 'unpinned-key'
  | 'clock'
  | 'bad-signature'
  | 'replay'
  | 'address-limit'
  | 'origin-limit';

/** The single checks, as parameters: a test proves each by leaving it out. */
export interface UpgradeChecks {
  isForUs(destination: string, serverName: string): boolean;
  isSigned(authorization: XMatrix, uri: string, publicKey: string): boolean;
  isFresh(cache: NonceCache, origin: string, nonce: string): boolean;
  isRecent(timestamp: number, now: number, skewMs: number): boolean;
}

export const strictUpgradeChecks: UpgradeChecks = {
  isForUs: (destination, serverName) => destination === serverName,
  isSigned: ({ origin, destination, sig }, uri, publicKey) =>
    verifyRequest({ method: 'GET', uri, origin, destination }, sig, publicKey),
  isFresh: (cache, origin, nonce) => cache.isFresh(origin, nonce),
  isRecent: (timestamp, now, skewMs) => Math.abs(now - timestamp) <= skewMs,
};

const query = /^nonce=([A-Za-z0-9_-]{16,64})&ts=([0-9]{1,16})$/;

/**
 * Decides on an upgrade request before anything is allocated for it (island-link §1, step 1). Whatever is
 * wrong with who asks, the answer is the same 403, and takes one verification of a signature.
 */
export class UpgradeFilter {
  readonly #deps: UpgradeFilterDeps;
  readonly #checks: UpgradeChecks;
  readonly #nonces: NonceCache;
  readonly #addresses: TokenBuckets;
  readonly #origins: TokenBuckets;

  constructor(deps: UpgradeFilterDeps, checks: UpgradeChecks = strictUpgradeChecks) {
    const { clock, limits } = deps;
    this.#deps = deps;
    this.#checks = checks;
    // A request counts as recent from the skew before to the skew after our clock.
    this.#nonces = new NonceCache(clock, 2 * limits.clockSkewMs);
    this.#addresses = new TokenBuckets(clock, limits.addressBurst, limits.addressPerSecond);
    this.#origins = new TokenBuckets(clock, limits.originBurst, limits.originPerSecond);
  }

  judge(attempt: UpgradeAttempt): UpgradeVerdict {
    const retryAfterMs = this.#addresses.take(attempt.address);
    if (retryAfterMs > 0) return { ok: false, status: 429, retryAfterMs, reason: 'address-limit' };
    const refuse = (
      reason: UpgradeRefusal,
      origin?: string,
      unannounced?: KeyEvidence | undefined,
    ): UpgradeVerdict => ({
      ok: false,
      status: 403,
      reason,
      ...(origin === undefined ? {} : { origin }),
      ...(unannounced === undefined ? {} : { unannounced }),
    });

    const [path, search = ''] = attempt.uri.split('?', 2);
    const [, nonce, timestamp] = query.exec(search) ?? [];
    const authorization = parseAuthorization(attempt.headers.authorization ?? '');
    const offers = (attempt.headers['sec-websocket-protocol'] ?? '').split(',').map((offer) => offer.trim());
    if (
      path !== linkPath ||
      nonce === undefined ||
      authorization === undefined ||
      !offers.includes(linkSubprotocol)
    )
      return refuse('malformed');

    const { serverName, partners, signingKey, clock, limits } = this.#deps;
    const { origin } = authorization;
    const now = clock.now();
    const partner = partners.active().find((candidate) => candidate.serverName === origin);
    const pinned = partner === undefined ? undefined : usableKey(partner, authorization.key, now);
    // Verified against our own key where there is none: all refusals cost the same time.
    const isSigned = this.#checks.isSigned(authorization, attempt.uri, pinned ?? signingKey.publicKey);
    const shown = this.#shownKey(authorization, attempt);
    const evidence = pinned === undefined && shown?.isProved === true ? shown.evidence : undefined;
    if (!this.#checks.isForUs(authorization.destination, serverName))
      return refuse('wrong-destination', origin);
    if (partner === undefined) return refuse('not-a-partner', origin);
    if (pinned === undefined && evidence === undefined)
      return refuse('unpinned-key', origin, shown?.isHeld === true ? shown.evidence : undefined);
    if (!isSigned && evidence === undefined) return refuse('bad-signature', origin);
    // Only the partner itself can use its bucket up, since its signature stands before it.
    const waitMs = this.#origins.take(origin);
    if (waitMs > 0) return { ok: false, status: 429, retryAfterMs: waitMs, reason: 'origin-limit', origin };
    if (!this.#checks.isRecent(Number(timestamp), now, limits.clockSkewMs)) return refuse('clock', origin);
    if (!this.#checks.isFresh(this.#nonces, origin, nonce)) return refuse('replay', origin);
    return evidence === undefined ? { ok: true, partner, offers } : { ok: true, partner, offers, evidence };
  }

  /** The key that the request shows, judged for everybody who shows one. */
  #shownKey(
    authorization: XMatrix,
    attempt: UpgradeAttempt,
  ): { evidence: KeyEvidence; isHeld: boolean; isProved: boolean } | undefined {
    const evidence = readKeyHeader(attempt.headers[keyHeader]);
    if (evidence === undefined || evidence.keyId !== authorization.key) return undefined;
    const isHeld = this.#checks.isSigned(authorization, attempt.uri, evidence.key);
    const isProved = (this.#deps.rotations ?? noRotations).proves(authorization.origin, evidence);
    return { evidence, isHeld, isProved: isHeld && isProved };
  }
}

export interface UpgradeFilterDeps {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly partners: LinkPartners;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly rotations?: KeyRotations | undefined;
}

/** A pinned key that may open a link now: an old one, kept for old events, may not, nor one that was revoked. */
export function usableKey(partner: LinkPartner, keyId: string, now: number): string | undefined {
  const pinned = partner.verifyKeys.get(keyId);
  if (pinned === undefined || partner.revokedKeys?.has(keyId) === true) return undefined;
  return pinned.validUntil !== undefined && pinned.validUntil < now ? undefined : pinned.key;
}
