import type { SigningKey } from '../protocol/signing.ts';
import type { KeyRing } from '../rooms/ports.ts';
import type { PartnerRegistry } from './partners.ts';

/**
 * The keys that are believed: our own (old ones too) and those pinned for partners. Nothing is ever fetched
 * or learnt: a key that is not in the configuration does not exist. The keys of a suspended partner stay,
 * since its old events still have to verify.
 */
export class PinnedKeyRing implements KeyRing {
  readonly #serverName: string;
  readonly #own: ReadonlyMap<string, { publicKey: string; validUntil?: number }>;
  readonly #partners: PartnerRegistry;

  constructor(deps: {
    serverName: string;
    signingKey: SigningKey;
    oldKeys?: ReadonlyMap<string, { readonly key: string; readonly validUntil: number }>;
    partners: PartnerRegistry;
  }) {
    this.#serverName = deps.serverName;
    this.#partners = deps.partners;
    const own = new Map<string, { publicKey: string; validUntil?: number }>();
    for (const [keyId, old] of deps.oldKeys ?? [])
      own.set(keyId, { publicKey: old.key, validUntil: old.validUntil });
    own.set(deps.signingKey.keyId, { publicKey: deps.signingKey.publicKey });
    this.#own = own;
  }

  /** The key (unpadded base64) with the time until which it signed, in milliseconds; undefined if not pinned. */
  key(serverName: string, keyId: string): { publicKey: string; validUntil?: number } | undefined {
    if (serverName === this.#serverName) return this.#own.get(keyId);
    const pinned = this.#partners.get(serverName)?.verifyKeys.get(keyId);
    if (pinned === undefined) return undefined;
    return pinned.validUntil === undefined
      ? { publicKey: pinned.key }
      : { publicKey: pinned.key, validUntil: pinned.validUntil };
  }
}
