import { defaultPartnerPolicy, type PartnerPolicy } from '../../../policy/partner-policy.ts';
import type { Who } from '../../../policy/who.ts';
import type { Seeded } from '../seeded.ts';

/** Everything that can be allowed is, so that each policy takes some of it away. */
const open: PartnerPolicy = {
  ...defaultPartnerPolicy,
  directory: { ...defaultPartnerPolicy.directory, expose: 'everyone' },
  share: { presence: true, typing: true, receipts: true, device_names: true },
  rate: { ...defaultPartnerPolicy.rate, invitesPerHour: 1_000_000 },
};

export const openPolicy = open;

/** A policy in which a few parts were drawn; most rows of the table are reached within some tens of them. */
export function drawPolicy(random: Seeded): PartnerPolicy {
  const parts: readonly [() => Partial<PartnerPolicy>, ...(() => Partial<PartnerPolicy>)[]] = [
    () => ({
      allowLocal: random.pick<Who>([[{ user: '@li:acme.test' }], [{ department: 'purchasing' }], []]),
    }),
    () => ({ allowRemote: random.pick<Who>([[{ user: '@bo:bolt.test' }], [{ user: '@no:bolt.test' }], []]) }),
    () => ({
      invites: {
        outbound: random.pick(['allow', 'approve', 'deny']),
        inbound: random.pick(['allow', 'approve', 'deny']),
      },
    }),
    () => ({ rooms: { ...open.rooms, encryption: random.pick(['required', 'optional', 'forbidden']) } }),
    () => ({ rooms: { ...open.rooms, remoteMayCreate: false } }),
    () => ({ rooms: { ...open.rooms, historyVisibility: random.pick([['joined'], ['shared', 'invited']]) } }),
    () => ({ files: { direction: random.pick(['inbound', 'outbound', 'none']) } }),
    () => ({ files: { direction: 'both', maxSize: random.pick([50, 500, 5_000]) } }),
    () => ({
      files: { direction: 'both', mime: random.pick([['image/*'], ['application/pdf'], ['text/plain']]) },
    }),
    () => ({
      events: { deny: random.pick([['m.room.message'], ['org.example.order'], ['m.room.encrypted']]) },
    }),
    () => ({
      share: { ...open.share, typing: random.chance(0.5), receipts: random.chance(0.5) },
    }),
    () => ({ directory: { ...open.directory, expose: random.pick<Who>([[], [{ user: '@li:acme.test' }]]) } }),
  ];
  const drawn = Array.from({ length: 1 + random.below(3) }, () => random.pick(parts)());
  return Object.assign({}, open, ...drawn);
}
