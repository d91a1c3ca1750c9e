import { isDeepStrictEqual } from 'node:util';
import type { IslandPolicy, PolicyBook } from '../../policy/book.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import { mayTalk } from '../../policy/rules/talk.ts';
import type { Clock } from '../../protocol/runtime.ts';
import { externalLabel } from '../../rooms/external-label.ts';
import type { ExternalLabel } from '../../rooms/ports.ts';
import { noOverlay, type PartnerOverlay } from './overlay.ts';

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
  /** Offline keys with which the partner can prove a new signing key, by key id; unpadded base64. */
  readonly recoveryKeys?: Readonly<Record<string, { readonly key: string }>> | undefined;
  /** `manual`: a new key needs our admin's word, whatever proves it. */
  readonly rotation?: 'signed' | 'manual' | undefined;
  /** The card in force: when it was issued (milliseconds). */
  readonly card?: { readonly issued: number } | undefined;
  readonly transport: {
    readonly type: 'link';
    readonly urls: readonly string[];
    readonly dial: 'both' | 'outbound' | 'inbound';
    readonly allowPrivateIp: boolean;
    readonly allowCleartext: boolean;
    readonly tls: { readonly caPath?: string | undefined };
  };
  /** What the partner is called here. */
  readonly displayName?: string | undefined;
  /** What it is to us. */
  readonly relation?: string | undefined;
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
  /** How our clients are shown its people; undefined: like anybody. */
  readonly label: ExternalLabel | undefined;
  /** Rooms that have other partners too stay open while this one is suspended. */
  readonly keepRooms: boolean;
  /** Keys of which nothing is believed that was first received after that time (milliseconds). */
  readonly revokedKeys: ReadonlyMap<string, number>;
  readonly recoveryKeys: ReadonlyMap<string, string>;
  readonly rotation: 'signed' | 'manual';
  /** Statements about keys that are older than this (milliseconds) are overtaken. */
  readonly keysSince: number;
  /** Where the entry stands, `file:line`, or the record that suspended it. */
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
  readonly #island: () => IslandPolicy | undefined;
  readonly #listeners = new Set<(changes: PartnerChanges) => void>();
  #entries: readonly PartnerEntry[];
  #byName: ReadonlyMap<string, PartnerEntry> | undefined;
  #overlays: ReadonlyMap<string, PartnerOverlay>;
  #partners: ReadonlyMap<string, Partner>;

  constructor(deps: {
    serverName: string;
    clock: Clock;
    partners: readonly PartnerEntry[];
    overlays?: ReadonlyMap<string, PartnerOverlay>;
    /** What holds for the whole island at the moment. */
    island?: () => IslandPolicy | undefined;
  }) {
    this.#island = deps.island ?? (() => undefined);
    this.serverName = deps.serverName;
    this.#clock = deps.clock;
    this.#entries = deps.partners;
    this.#overlays = deps.overlays ?? new Map();
    this.#partners = this.#index();
  }

  get island(): IslandPolicy | undefined {
    return this.#island();
  }

  #index(): ReadonlyMap<string, Partner> {
    const partners = new Map<string, Partner>();
    for (const entry of this.#entries)
      if (entry.serverName !== this.serverName)
        partners.set(entry.serverName, partnerOf(entry, this.overlay(entry.serverName)));
    return partners;
  }

  /** What the files say of a partner, without what was done at run time. */
  entry(serverName: string): PartnerEntry | undefined {
    this.#byName ??= new Map(this.#entries.map((entry) => [entry.serverName, entry]));
    return this.#byName.get(serverName);
  }

  /** What was done to a partner at run time. */
  overlay(serverName: string): PartnerOverlay {
    return this.#overlays.get(serverName) ?? noOverlay;
  }

  /** Takes a new set over and tells the listeners what differs; nothing happens if nothing does. */
  replace(entries: readonly PartnerEntry[]): PartnerChanges {
    this.#entries = entries;
    this.#byName = undefined;
    return this.#update();
  }

  /** Takes over what was done to a partner, in effect when this returns. To be called after it is on disk. */
  setOverlay(serverName: string, overlay: PartnerOverlay): PartnerChanges {
    this.#overlays = new Map(this.#overlays).set(serverName, overlay);
    return this.#update();
  }

  #update(): PartnerChanges {
    const before = this.#partners;
    const after = this.#index();
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

/**
 * The keys of a partner at `now` (milliseconds) that a new card of it has to name, by key id; unpadded base64. One
 * that ends within a minute was rotated away just now.
 */
export function keysOnCard({ verifyKeys, revokedKeys }: Partner, now: number): Map<string, string> {
  const inUse = new Map<string, string>();
  for (const [keyId, { key, validUntil }] of verifyKeys)
    if ((validUntil === undefined || validUntil > now + 60_000) && !revokedKeys.has(keyId))
      inUse.set(keyId, key);
  return inUse;
}

/** The stricter of what the files say and what was done at run time. */
function partnerOf(entry: PartnerEntry, overlay: PartnerOverlay): Partner {
  const { transport, policy = defaultPartnerPolicy } = entry;
  const { caPath } = transport.tls;
  const { suspended } = overlay;
  return {
    serverName: entry.serverName,
    state: suspended === undefined ? entry.state : 'suspended',
    validUntil: entry.validUntil,
    verifyKeys: keysOf(entry, overlay),
    urls: [...transport.urls],
    dial: transport.dial,
    allowCleartext: transport.allowCleartext,
    allowPrivateIp: transport.allowPrivateIp,
    ...(caPath === undefined ? {} : { caPath }),
    policy,
    label: policy.label.show ? externalLabel({ ...entry, suffix: policy.label.suffix }) : undefined,
    keepRooms: suspended?.keepRooms ?? false,
    revokedKeys: new Map(Object.entries(overlay.revokedKeys).map(([keyId, { since }]) => [keyId, since])),
    recoveryKeys: new Map(Object.entries(entry.recoveryKeys ?? {}).map(([keyId, { key }]) => [keyId, key])),
    rotation: entry.rotation ?? 'signed',
    keysSince: Math.max(overlay.rotatedTs ?? 0, entry.card?.issued ?? 0),
    rule:
      suspended === undefined
        ? (entry.source.rule ?? `${entry.source.file}:${entry.source.line}`)
        : `suspended by ${suspended.by} at ${new Date(suspended.since).toISOString()}`,
  };
}

/**
 * The keys of the file and those that were accepted at run time. A key that was ended opens no link any more; events
 * that it signed before still verify. A revoked one keeps its time, since its events are quarantined and not lost.
 * The last word between file and record has what came later: a card tells of all keys as of its day.
 */
function keysOf(entry: PartnerEntry, overlay: PartnerOverlay): Partner['verifyKeys'] {
  const issued = entry.card?.issued ?? 0;
  const keys = new Map<string, { readonly key: string; readonly validUntil?: number }>();
  const put = (keyId: string, key: string, ends: readonly (number | undefined)[]): void => {
    const known = ends.filter((end) => end !== undefined);
    keys.set(keyId, known.length === 0 ? { key } : { key, validUntil: Math.min(...known) });
  };
  for (const [keyId, { key, since }] of Object.entries(overlay.acceptedKeys))
    put(keyId, key, [overlay.endedKeys[keyId], since < issued ? issued : undefined]);
  for (const [keyId, { key, validUntil }] of Object.entries(entry.verifyKeys)) {
    const ended = overlay.endedKeys[keyId];
    const isRenewed = validUntil === undefined && ended !== undefined && ended < issued;
    put(keyId, key, [validUntil, isRenewed ? undefined : ended]);
  }
  return keys;
}
