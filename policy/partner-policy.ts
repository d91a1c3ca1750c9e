/** What a partner may do here and what of ours it may see (one value per part; files say otherwise later). */
export interface PartnerPolicy {
  /** User ids of ours that the partnership is for, or everyone. */
  readonly allowLocal: 'everyone' | readonly string[];
  /** User ids of theirs that it is for, or everyone. */
  readonly allowRemote: 'everyone' | readonly string[];
  readonly invites: { readonly outbound: 'allow' | 'deny'; readonly inbound: 'allow' | 'deny' };
  readonly files: 'both' | 'outbound' | 'inbound' | 'none';
  readonly share: {
    readonly presence: boolean;
    readonly typing: boolean;
    readonly receipts: boolean;
    readonly directory: boolean;
  };
}

/** What holds for a partner about which nothing else was said. */
export const defaultPartnerPolicy: PartnerPolicy = {
  allowLocal: 'everyone',
  allowRemote: 'everyone',
  invites: { outbound: 'allow', inbound: 'allow' },
  files: 'both',
  share: { presence: false, typing: true, receipts: true, directory: false },
};
