import type { PartnerPolicy } from './partner-policy.ts';

/** What is known of a partner: the stricter of what the files say and what was done at run time. */
export interface PartnerFacts {
  readonly serverName: string;
  readonly state: 'active' | 'suspended';
  /** Milliseconds since the epoch; from then on the partnership is suspended. */
  readonly validUntil?: number | undefined;
  readonly policy: PartnerPolicy;
  /** Signing keys that vouch for nothing any more, by key id. */
  readonly revokedKeys?: ReadonlyMap<string, unknown> | undefined;
  /** Where the entry stands, or the record that suspended it. */
  readonly rule: string;
}

/** What holds for the whole island, partners or none. */
export interface IslandPolicy {
  readonly encryption: 'required' | 'optional' | 'forbidden';
  /** Where that stands. */
  readonly rule: string;
}

/** All rules of an island at one moment. A draft is another book. */
export interface PolicyBook {
  readonly serverName: string;
  /** Absent: nothing beyond what the partners' policies say. */
  readonly island?: IslandPolicy | undefined;
  get(serverName: string): PartnerFacts | undefined;
}
