import { isDeepStrictEqual } from 'node:util';
import type { PolicyBook } from '../policy/book.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../policy/partner-policy.ts';
import { mayTalk } from '../policy/rules/talk.ts';
import type { Clock } from '../protocol/runtime.ts';

/** What the configuration says of a partner, as far as federation asks. */
export interface PartnerEntry {
  readonly serverName: string;
  readonly state: 'active' | 'suspended';
  /** Milliseconds since the epoch. */
  readonly validUntil?: number | undefined;
  /** Pinned signing keys by key id; unpadded base64, old ones with the time until which they were valid. */
  readonly verifyKeys: Readonly<
    Record<string, { readonly key: string; readonly validUntil?: number | undefined }>
  >;
  readonly transport: {
    readonly type: 'link';
    readonly urls: readonly string[];
    readonly dial: 'both' | 'outbound' | 'inbound';
    readonly allowPrivateIp: boolean;
    readonly allowCleartext: boolean;
    readonly tls: { readonly caPath?: string | undefined };
  };
  /** The defaults, if the entry says nothing. */
  readonly policy?: PartnerPolicy | undefined;
  readonly source: { readonly file: string; readonly line: number; readonly rule?: string | undefined };
}

/** A partner as the link, the keys and the rules see it. */
export interface Partner {
  readonly serverName: string;
  readonly state: 'active' | 'suspended';
  readonly validUntil: number | undefined;
  readonly verifyKeys: ReadonlyMap<string, { readonly key: string; readonly validUntil?: number }>;
  readonly urls: string[];
  readonly dial: 'both' | 'outbound' | 'inbound';
  readonly allowCleartext: boolean;
  readonly allowPrivateIp: boolean;
  readonly caPath?: string;
  readonly policy: PartnerPolicy;
  /** Where the entry stands: `file:line`. */
  readonly rule: string;
}

export interface PartnerChanges {
  readonly added: readonly Partner[];
  readonly changed: readonly Partner[];
  readonly removed: readonly Partner[];
}

/**
 * The partners of this island, in memory. Nobody is a partner who is not in here, and a whole set replaces
 * the old one at once: readers see the one or the other.
 */
export class PartnerRegistry implements PolicyBook {
  readonly serverName: string;
  readonly #clock: Clock;
  readonly #listeners = new Set<(changes: PartnerChanges) => void>();
  #partners: ReadonlyMap<string, Partner>;

  constructor(deps: { serverName: string; clock: Clock; partners: readonly PartnerEntry[] }) {
    this.serverName = deps.serverName;
    this.#clock = deps.clock;
    this.#partners = this.#index(deps.partners);
  }

  #index(entries: readonly PartnerEntry[]): ReadonlyMap<string, Partner> {
    const partners = new Map<string, Partner>();
    for (const entry of entries)
      if (entry.serverName !== this.serverName) partners.set(entry.serverName, partnerOf(entry));
    return partners;
  }

  /** Takes a new set over and tells the listeners what differs; nothing happens if nothing does. */
  replace(entries: readonly PartnerEntry[]): PartnerChanges {
    const before = this.#partners;
    const after = this.#index(entries);
    const changes: PartnerChanges = {
      added: [...after.values()].filter((partner) => !before.has(partner.serverName)),
      changed: [...after.values()].filter((partner) => {
        const old = before.get(partner.serverName);
        return old !== undefined && !isDeepStrictEqual(old, partner);
      }),
      removed: [...before.values()].filter((partner) => !after.has(partner.serverName)),
    };
    this.#partners = after;
    if (changes.added.length + changes.changed.length + changes.removed.length > 0)
      for (const listener of this.#listeners) listener(changes);
    return changes;
  }

  /** Calls `listener` after each change; gives the function that ends it. */
  onChange(listener: (changes: PartnerChanges) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The entry of a server, whether active or not. */
  get(serverName: string): Partner | undefined {
    return this.#partners.get(serverName);
  }

  all(): Partner[] {
    return [...this.#partners.values()];
  }

  /** Partners that are active at this moment. */
  active(): Partner[] {
    return this.all().filter((partner) => this.isActive(partner.serverName));
  }

  isActive(serverName: string): boolean {
    return this.#partners.has(serverName) && mayTalk(this, serverName, this.#clock.now()).allowed;
  }
}

function partnerOf(entry: PartnerEntry): Partner {
  const { transport } = entry;
  const { caPath } = transport.tls;
  return {
    serverName: entry.serverName,
    state: entry.state,
    validUntil: entry.validUntil,
    verifyKeys: new Map(
      Object.entries(entry.verifyKeys).map(([keyId, { key, validUntil }]) => [
        keyId,
        validUntil === undefined ? { key } : { key, validUntil },
      ]),
    ),
    urls: [...transport.urls],
    dial: transport.dial,
    allowCleartext: transport.allowCleartext,
    allowPrivateIp: transport.allowPrivateIp,
    ...(caPath === undefined ? {} : { caPath }),
    policy: entry.policy ?? defaultPartnerPolicy,
    rule: entry.source.rule ?? `${entry.source.file}:${entry.source.line}`,
  };
}
