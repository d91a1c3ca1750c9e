import type { KeyRing } from '../../rooms/ports.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import type { OwnKeys } from './own-keys.ts';

/**
 * The keys that are believed: our own (old ones too) and those pinned for partners. Nothing is ever fetched
 * or learnt: a key that is not in the configuration does not exist. The keys of a suspended partner stay,
 * since its old events still have to verify.
 */
export class PinnedKeyRing implements KeyRing {
  readonly #serverName: string;
  readonly #own: OwnKeys;
  readonly #partners: PartnerRegistry;

  constructor(deps: { serverName: string; own: OwnKeys; partners: PartnerRegistry }) {
    this.#serverName = deps.serverName;
    this.#partners = deps.partners;
    this.#own = deps.own;
  }

  /** The key (unpadded base64) with the time until which it signed, in milliseconds; undefined if not pinned. */
  key(serverName: string, keyId: string): { publicKey: string; validUntil?: number } | undefined {
    if (serverName === this.#serverName) {
      const { current, oldKeys } = this.#own;
      if (keyId === current.keyId) return { publicKey: current.publicKey };
      const old = oldKeys.get(keyId);
      return old === undefined ? undefined : { publicKey: old.key, validUntil: old.validUntil };
    }
    const pinned = this.#partners.get(serverName)?.verifyKeys.get(keyId);
    if (pinned === undefined) return undefined;
    return pinned.validUntil === undefined
      ? { publicKey: pinned.key }
      : { publicKey: pinned.key, validUntil: pinned.validUntil };
  }
}
