import { fingerprint } from '../../federation/card.ts';
import type { PartnerPolicy } from '../../policy/partner-policy.ts';
import type { Who } from '../../policy/who.ts';
import type { PlannedPartner } from './add-partner.ts';

/** What an admin has to see before a card is trusted: who it is, how it is reached, and what each side may then do. */
export function describePartner({ card, before, policy }: PlannedPartner, ourName: string): string {
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
    ...describePolicy(policy, ourName, card.serverName),
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
function describePolicy(policy: PartnerPolicy, ours: string, theirs: string): string[] {
  const { invites, files, rooms, directory, share } = policy;
  const we = named(policy.allowLocal, ours);
  const they = named(policy.allowRemote, theirs);
  const seen = ['messages', ...signs.filter(([key]) => share[key]).map(([, words]) => words)];
  const hidden = signs.filter(([key]) => !share[key]).map(([, words]) => words);
  const oursOpen = files.direction === 'both' || files.direction === 'inbound';
  const theirsOpen = files.direction === 'both' || files.direction === 'outbound';
  return [
    `What ${we} may do then:`,
    `  ${inviting[invites.outbound]} ${they} into rooms`,
    `  ${rooms.remoteMayCreate ? '' : 'not '}be in rooms that theirs made`,
    `  ${oursOpen ? '' : 'not '}open files of theirs in shared rooms`,
    `What ${they} may do then:`,
    `  ${inviting[invites.inbound]} ${we} into rooms`,
    `  ${theirsOpen ? '' : 'not '}open files of ours in shared rooms`,
    `  find ${finding(directory.expose, ours)} in our directory`,
    `In shared rooms both sides see ${seen.join(', ')}${hidden.length === 0 ? '' : `, and not ${hidden.join(' or ')}`}.`,
    `Further servers in shared rooms: ${thirdParties[rooms.thirdParties]}.`,
  ];
}

const signs = [
  ['typing', 'who is typing'],
  ['receipts', 'what was read'],
  ['presence', 'who is online'],
  ['device_names', 'the names of devices'],
] as const;

const inviting = { allow: 'invite', approve: 'invite, once an admin agrees,', deny: 'not invite' } as const;

const thirdParties = { deny: 'none', listed: 'our partners only', allow: 'any' } as const;

function named(who: Who, serverName: string): string {
  return who === 'everyone' ? `people of ${serverName}` : `certain people of ${serverName}`;
}

function finding(who: Who, serverName: string): string {
  return who !== 'everyone' && who.length === 0 ? 'nobody' : named(who, serverName);
}
