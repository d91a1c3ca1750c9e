import type { Who } from './who.ts';

/** `approve`: held until an admin or the invitee's manager says yes. */
export type InviteRule = 'allow' | 'approve' | 'deny';

export type FileDirection = 'both' | 'outbound' | 'inbound' | 'none';

/** What is told of one side's people to the other. */
export type Shared = 'presence' | 'typing' | 'receipts' | 'device_names';

/** What a partner may do here, and what of ours it may see: the `policy:` of its entry, complete. */
export interface PartnerPolicy {
  readonly allowLocal: Who;
  readonly allowRemote: Who;
  readonly invites: { readonly outbound: InviteRule; readonly inbound: InviteRule };
  readonly rooms: RoomPolicy;
  readonly files: FilePolicy;
  readonly directory: DirectoryPolicy;
  readonly share: Readonly<Record<Shared, boolean>>;
  /** Event types that do not cross. */
  readonly events: { readonly deny: readonly string[] };
  readonly label: LabelPolicy;
  /** A check of ours that is asked beside these rules. */
  readonly callback?: CallbackPolicy | undefined;
  readonly retention: RetentionPolicy;
  readonly rate: RatePolicy;
  /** Where each part stands, as `FILE:LINE`, by its key as `files.max_size`; parts that are absent are defaults. */
  readonly rules: Readonly<Record<string, string>>;
}

/** `freeze`: ours can read it and no longer write. `leave`: ours leave it. `alarm`: the admins are told, no more. */
export type DriftAction = 'freeze' | 'leave' | 'alarm';

interface RoomPolicy {
  /** Whether ours may be in rooms that theirs made. */
  readonly remoteMayCreate: boolean;
  readonly encryption: 'required' | 'optional' | 'forbidden';
  /** Further servers in a shared room: none, active partners of ours only, or any. */
  readonly thirdParties: 'deny' | 'listed' | 'allow';
  /** Must the islands in a room be asked before a further server comes in, or does one that cannot be asked not count? */
  readonly thirdPartyConsent: 'required' | 'if_possible';
  /** What is done with a room into which somebody else let a server that may not be there. */
  readonly onDrift: DriftAction;
  /** The highest power level that one of theirs may be given. */
  readonly maxRemotePowerLevel: number;
  /** What `m.room.history_visibility` may be. */
  readonly historyVisibility: 'any' | readonly string[];
}

interface FilePolicy {
  readonly direction: FileDirection;
  /** Bytes. */
  readonly maxSize?: number | undefined;
  /** `type/subtype` or `type/*`; absent: any. */
  readonly mime?: readonly string[] | undefined;
}

interface DirectoryPolicy {
  /** Whom of ours they find. */
  readonly expose: Who;
  /** Which fields of those people they see. */
  readonly fields: readonly string[];
  /** Whom they find under the name of what they do, whatever `expose` says: "Purchasing". */
  readonly contacts: readonly Contact[];
}

/** Somebody of ours, as a partner is to know them. */
export interface Contact {
  readonly name: string;
  readonly userId: string;
}

/** How our people recognise theirs. */
export interface LabelPolicy {
  readonly show: boolean;
  /** Stands after their display names; absent: made of what the partner is called here. */
  readonly suffix?: string | undefined;
}

/** What a callback may be asked about. */
export type CallbackAction = 'message' | 'invite' | 'join' | 'media';

export interface CallbackPolicy {
  readonly url: string;
  readonly actions: readonly CallbackAction[];
  /** Milliseconds. */
  readonly timeout: number;
  /** What holds when no answer comes that can be used. */
  readonly onTimeout: 'allow' | 'deny' | 'warn';
  /** The file with the secret that signs what is posted. */
  readonly secretPath?: string | undefined;
}

/** How long we keep what is theirs. */
export interface RetentionPolicy {
  /** Milliseconds; absent: without end. */
  readonly maxAge?: number | undefined;
}

/** Quotas. Events: those that we take; invitations and files: each direction has its own. */
export interface RatePolicy {
  /** Absent: any number. */
  readonly eventsPerSecond?: number | undefined;
  /** Absent: ten times as many. */
  readonly eventBurst?: number | undefined;
  readonly invitesPerHour: number;
  /** Bytes; absent: any amount. */
  readonly mediaPerDay?: number | undefined;
}

/** What holds for a part about which nothing was said. */
export const defaultPartnerPolicy: PartnerPolicy = {
  allowLocal: 'everyone',
  allowRemote: 'everyone',
  invites: { outbound: 'allow', inbound: 'allow' },
  rooms: {
    remoteMayCreate: true,
    encryption: 'optional',
    thirdParties: 'deny',
    thirdPartyConsent: 'required',
    onDrift: 'freeze',
    maxRemotePowerLevel: 100,
    historyVisibility: 'any',
  },
  files: { direction: 'both' },
  directory: { expose: [], fields: ['display_name', 'avatar'], contacts: [] },
  share: { presence: false, typing: true, receipts: true, device_names: false },
  events: { deny: [] },
  retention: {},
  rate: { invitesPerHour: 600 },
  label: { show: true },
  rules: {},
};

/** Where the part stands that decided: a line of the configuration, or that it is the default. */
export function ruleOf(policy: PartnerPolicy, key: string): string {
  return policy.rules[key] ?? `default of ${key}`;
}
