import { fingerprint } from '../../federation/card.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import type { PlannedPartner } from './add-partner.ts';

/** What an admin has to see before a card is trusted: who it is, how it is reached, and what each side may then do. */
export function describePartner({ card, before }: PlannedPartner, ourName: string): string {
  const pinned = before?.verifyKeys ?? {};
  const lines = [
    `${card.serverName}${card.organization === undefined ? '' : ` (${card.organization})`}`,
    ...[...card.verifyKeys].map(
      ([keyId, key]) =>
        `  Fingerprint:  ${fingerprint(key)}  (${keyId}${before !== undefined && pinned[keyId]?.key !== key ? ', NEW' : ''})`,
    ),
    ...card.urls.map((url) => `  Link:         ${url}`),
    `  Dials:        ${dials[card.dial]}`,
    `  Software:     ${card.software.name} ${card.software.version}`,
    `  Card:         issued ${moment(card.issued)}, can be used until ${moment(card.expires)}`,
    '',
    ...describePolicy(defaultPartnerPolicy, ourName, card.serverName),
  ];
  return lines.join('\n');
}

const dials = {
  both: 'either side',
  outbound: 'they dial us, we cannot dial them',
  inbound: 'we dial them, they cannot dial us',
} as const;

function moment(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** A policy as sentences, for us and for them. */
export function describePolicy(policy: PartnerPolicy, ours: string, theirs: string): string[] {
  const { invites, files, share } = policy;
  const we = whose(policy.allowLocal, ours);
  const they = whose(policy.allowRemote, theirs);
  const together = [
    'messages',
    ...(share.typing ? ['who is typing'] : []),
    ...(share.receipts ? ['what was read'] : []),
    ...(share.presence ? ['who is online'] : []),
  ];
  const hidden = [
    ...(share.presence ? [] : ['who is online']),
    ...(share.directory ? [] : ["the other's list of people"]),
  ];
  return [
    `What ${we} may do then:`,
    ...may(invites.outbound === 'allow', `invite ${they} into rooms`),
    ...may(files === 'both' || files === 'inbound', 'open files of theirs in shared rooms'),
    `What ${they} may do then:`,
    ...may(invites.inbound === 'allow', `invite ${we} into rooms`),
    ...may(files === 'both' || files === 'outbound', 'open files of ours in shared rooms'),
    `In shared rooms both sides see ${together.join(', ')}.`,
    ...(hidden.length === 0 ? [] : [`Neither side sees ${hidden.join(' or ')}.`]),
  ];
}

function whose(users: 'everyone' | readonly string[], serverName: string): string {
  return users === 'everyone' ? `people of ${serverName}` : users.join(', ');
}

function may(allowed: boolean, what: string): string[] {
  return [`  ${allowed ? '' : 'not '}${what}`];
}
