import { isObject, type JsonObject, type JsonValue } from '../protocol/json.ts';
import {
  defaultPartnerPolicy,
  type FileDirection,
  type InviteRule,
  type PartnerPolicy,
  type Shared,
} from './partner-policy.ts';
import type { Who } from './who.ts';

/** How many people: a card names none of them. */
export type Extent = 'everyone' | 'some' | 'nobody';

/**
 * The policy that one side's card proposes, as its issuer sees it: what they would let us do, and do themselves. It
 * binds nobody; their own configuration decides over there.
 */
export interface Proposal {
  readonly allowLocal: Extent;
  readonly allowRemote: Extent;
  readonly invites: { readonly outbound: InviteRule; readonly inbound: InviteRule };
  readonly remoteMayCreate: boolean;
  readonly encryption: 'required' | 'optional' | 'forbidden';
  readonly thirdParties: 'deny' | 'listed' | 'allow';
  readonly files: { readonly direction: FileDirection; readonly maxSize?: number | undefined };
  readonly expose: Extent;
  readonly share: Readonly<Record<Shared, boolean>>;
}

const inviteRules: readonly InviteRule[] = ['allow', 'approve', 'deny'];
const directions: readonly FileDirection[] = ['both', 'outbound', 'inbound', 'none'];
const encryptions = ['required', 'optional', 'forbidden'] as const;
const thirdParties = ['deny', 'listed', 'allow'] as const;
const extents: readonly Extent[] = ['everyone', 'some', 'nobody'];
export const signs: readonly Shared[] = ['typing', 'receipts', 'presence', 'device_names'];

/** What a card says of a policy. People, departments and rules are not in it: they are nobody else's business. */
export function proposalJson(policy: PartnerPolicy): JsonObject {
  const { invites, rooms, files, directory, share } = policy;
  return {
    allow_local: extentOf(policy.allowLocal),
    allow_remote: extentOf(policy.allowRemote),
    invites: { ...invites },
    rooms: {
      remote_may_create: rooms.remoteMayCreate,
      encryption: rooms.encryption,
      third_parties: rooms.thirdParties,
    },
    files: {
      direction: files.direction,
      ...(files.maxSize === undefined ? {} : { max_size: files.maxSize }),
    },
    directory: { expose: extentOf(directory.expose) },
    share: { ...share },
  };
}

/**
 * Reads the policy of a card; undefined if it proposes none. What is missing or not understood counts as the default,
 * as it does where it comes from.
 */
export function readProposal(json: JsonObject): Proposal | undefined {
  if (Object.keys(json).length === 0) return undefined;
  const [invites, rooms, files, directory, share] = ['invites', 'rooms', 'files', 'directory', 'share'].map(
    (part) => partOf(json[part]),
  ) as [JsonObject, JsonObject, JsonObject, JsonObject, JsonObject]; // As many as there are names.
  const base = defaultPartnerPolicy;
  const maxSize = files['max_size'];
  return {
    allowLocal: oneOf(extents, json['allow_local'], 'everyone'),
    allowRemote: oneOf(extents, json['allow_remote'], 'everyone'),
    invites: {
      outbound: oneOf(inviteRules, invites['outbound'], base.invites.outbound),
      inbound: oneOf(inviteRules, invites['inbound'], base.invites.inbound),
    },
    remoteMayCreate: flag(rooms['remote_may_create'], base.rooms.remoteMayCreate),
    encryption: oneOf(encryptions, rooms['encryption'], base.rooms.encryption),
    thirdParties: oneOf(thirdParties, rooms['third_parties'], base.rooms.thirdParties),
    files: {
      direction: oneOf(directions, files['direction'], base.files.direction),
      maxSize: typeof maxSize === 'number' ? maxSize : undefined,
    },
    expose: oneOf(extents, directory['expose'], 'nobody'),
    share: {
      presence: flag(share['presence'], base.share.presence),
      typing: flag(share['typing'], base.share.typing),
      receipts: flag(share['receipts'], base.share.receipts),
      device_names: flag(share['device_names'], base.share.device_names),
    },
  };
}

export function extentOf(who: Who): Extent {
  if (who === 'everyone') return who;
  return who.length === 0 ? 'nobody' : 'some';
}

/** What holds when both sides have a say, and whose word made it less than it could be. */
export interface Agreed<T> {
  readonly value: T;
  readonly limitedBy: 'us' | 'them' | 'both' | undefined;
}

/** What each side may do: the intersection of our policy and the other side's proposal. */
export interface Agreement {
  readonly weInvite: Agreed<InviteRule>;
  readonly theyInvite: Agreed<InviteRule>;
  readonly weUseTheirRooms: Agreed<boolean>;
  readonly theyUseOurRooms: Agreed<boolean>;
  readonly weOpenFiles: Agreed<boolean>;
  readonly theyOpenFiles: Agreed<boolean>;
  /** Bytes; absent: any size. */
  readonly maxFileSize: number | undefined;
  readonly weFind: Extent;
  readonly theyFind: Extent;
  readonly shared: Readonly<Record<Shared, Agreed<boolean>>>;
  readonly thirdParties: Agreed<'deny' | 'listed' | 'allow'>;
  /** `conflict`: one side requires what the other forbids, so nothing can be written. */
  readonly encryption: 'required' | 'optional' | 'forbidden' | 'conflict';
}

/** Intersects our policy for a partner with what its card proposes; without a proposal ours stands alone. */
export function agreement(ours: PartnerPolicy, theirs: Proposal | undefined): Agreement {
  const open: Proposal = {
    allowLocal: 'everyone',
    allowRemote: 'everyone',
    invites: { outbound: 'allow', inbound: 'allow' },
    remoteMayCreate: true,
    encryption: 'optional',
    thirdParties: 'allow',
    files: { direction: 'both' },
    expose: 'nobody',
    share: { presence: true, typing: true, receipts: true, device_names: true },
  };
  const them = theirs ?? open;
  const sizes = [ours.files.maxSize, them.files.maxSize].filter((size) => size !== undefined);
  const both = (us: boolean, other: boolean): Agreed<boolean> => stricter([false, true], us, other);
  return {
    weInvite: stricter(['deny', 'approve', 'allow'], ours.invites.outbound, them.invites.inbound),
    theyInvite: stricter(['deny', 'approve', 'allow'], ours.invites.inbound, them.invites.outbound),
    weUseTheirRooms: {
      value: ours.rooms.remoteMayCreate,
      limitedBy: ours.rooms.remoteMayCreate ? undefined : 'us',
    },
    theyUseOurRooms: { value: them.remoteMayCreate, limitedBy: them.remoteMayCreate ? undefined : 'them' },
    weOpenFiles: both(lets(ours.files.direction, 'inbound'), lets(them.files.direction, 'outbound')),
    theyOpenFiles: both(lets(ours.files.direction, 'outbound'), lets(them.files.direction, 'inbound')),
    maxFileSize: sizes.length === 0 ? undefined : Math.min(...sizes),
    weFind: them.expose,
    theyFind: extentOf(ours.directory.expose),
    shared: {
      typing: both(ours.share.typing, them.share.typing),
      receipts: both(ours.share.receipts, them.share.receipts),
      presence: both(ours.share.presence, them.share.presence),
      device_names: both(ours.share.device_names, them.share.device_names),
    },
    thirdParties: stricter(['deny', 'listed', 'allow'], ours.rooms.thirdParties, them.thirdParties),
    encryption: encryptionOf(ours.rooms.encryption, them.encryption),
  };
}

function encryptionOf(us: Proposal['encryption'], them: Proposal['encryption']): Agreement['encryption'] {
  if (us === them || them === 'optional') return us;
  return us === 'optional' ? them : 'conflict';
}

/** The stricter of two values of a list that begins with the strictest. */
function stricter<const T>(order: readonly T[], us: T, them: T): Agreed<T> {
  const [ours, theirs] = [order.indexOf(us), order.indexOf(them)];
  const value = ours <= theirs ? us : them;
  const isOpen = value === order.at(-1);
  return { value, limitedBy: isOpen ? undefined : ours === theirs ? 'both' : ours < theirs ? 'us' : 'them' };
}

function lets(direction: FileDirection, way: 'outbound' | 'inbound'): boolean {
  return direction === 'both' || direction === way;
}

function partOf(json: JsonValue | undefined): JsonObject {
  return isObject(json) ? json : {};
}

function oneOf<T extends string>(values: readonly T[], json: JsonValue | undefined, fallback: T): T {
  return values.find((value) => value === json) ?? fallback;
}

function flag(json: JsonValue | undefined, fallback: boolean): boolean {
  return typeof json === 'boolean' ? json : fallback;
}
