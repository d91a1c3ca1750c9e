import { type Card, fingerprint } from '../../federation/partners/card.ts';
import type { InviteRule, PartnerPolicy, Shared } from '../../policy/partner-policy.ts';
import {
  type Agreed,
  agreement,
  type Extent,
  extentOf,
  type Proposal,
  readProposal,
  signs,
} from '../../policy/proposal.ts';
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
    ...recoveryLine(card, before),
    ...card.urls.map((url) => `  Link:         ${url}`),
    `  Dials:        ${dials[card.dial]}`,
    `  Software:     ${card.software.name} ${card.software.version}`,
    `  Card:         issued ${moment(card.issued)}, can be used until ${moment(card.expires)}`,
    '',
    ...describeAgreement(policy, readProposal(card.policy), ourName, card.serverName),
  ];
  return lines.join('\n');
}

function recoveryLine({ recoveryKey }: Card, before: PlannedPartner['before']): string[] {
  if (recoveryKey === undefined) return [];
  const { keyId, key } = recoveryKey;
  const isNew = before !== undefined && before.recoveryKeys?.[keyId]?.key !== key;
  return [
    `  Recovery:     ${fingerprint(key)}  (${keyId}${isNew ? ', NEW' : ''}), an offline key that can replace theirs`,
  ];
}

const dials = {
  both: 'either side',
  outbound: 'they dial us, we cannot dial them',
  inbound: 'we dial them, they cannot dial us',
} as const;

function moment(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** What each side may do, as sentences: what both allow. */
function describeAgreement(
  policy: PartnerPolicy,
  proposal: Proposal | undefined,
  ours: string,
  theirs: string,
): string[] {
  const agreed = agreement(policy, proposal);
  const we = named(extentOf(policy.allowLocal), ours);
  const they = named(extentOf(policy.allowRemote), theirs);
  const isSeen = (sign: Shared): boolean => agreed.shared[sign].value;
  const seen = ['messages', ...signs.filter(isSeen).map((sign) => words[sign])];
  const hidden = signs
    .filter((sign) => !isSeen(sign))
    .map((sign) => `${words[sign]}${because(agreed.shared[sign])}`);
  const size = agreed.maxFileSize === undefined ? '' : ` of up to ${sizeText(agreed.maxFileSize)}`;
  return [
    `What ${we} may do then:`,
    `  ${inviting(agreed.weInvite, they)}`,
    `  ${may(agreed.weUseTheirRooms)}be in rooms that theirs made${because(agreed.weUseTheirRooms)}`,
    `  ${may(agreed.weOpenFiles)}open files of theirs${size} in shared rooms${because(agreed.weOpenFiles)}`,
    ...(proposal === undefined ? [] : [`  find ${named(agreed.weFind, theirs)} in their directory`]),
    `What ${they} may do then:`,
    `  ${inviting(agreed.theyInvite, we)}`,
    ...(proposal === undefined
      ? []
      : [`  ${may(agreed.theyUseOurRooms)}be in rooms that ours made${because(agreed.theyUseOurRooms)}`]),
    `  ${may(agreed.theyOpenFiles)}open files of ours${size} in shared rooms${because(agreed.theyOpenFiles)}`,
    `  find ${named(agreed.theyFind, ours)} in our directory`,
    `In shared rooms both sides see ${seen.join(', ')}${hidden.length === 0 ? '' : `, and not ${hidden.join(' or ')}`}.`,
    `Further servers in shared rooms: ${thirdParties[agreed.thirdParties.value]}${because(agreed.thirdParties)}.`,
    ...(agreed.encryption === 'optional' ? [] : [`End-to-end encryption: ${encryption[agreed.encryption]}.`]),
    proposal === undefined
      ? 'Their card proposes no policy: what they allow may be less than this.'
      : 'This is what our configuration and their card both allow; their configuration has the last word over there.',
  ];
}

const words = {
  typing: 'who is typing',
  receipts: 'what was read',
  presence: 'who is online',
  device_names: 'the names of devices',
} as const;

const thirdParties = { deny: 'none', listed: 'partners only', allow: 'any' } as const;

const encryption = {
  required: 'required',
  forbidden: 'forbidden',
  conflict: 'ONE SIDE REQUIRES IT AND THE OTHER FORBIDS IT, so nothing can be written in shared rooms',
} as const;

function inviting(agreed: Agreed<InviteRule>, whom: string): string {
  const how = { allow: 'invite', approve: 'invite, once an admin agrees,', deny: 'not invite' } as const;
  return `${how[agreed.value]} ${whom} into rooms${because(agreed)}`;
}

function may({ value }: Agreed<boolean>): string {
  return value ? '' : 'not ';
}

/** Whose word it is that something is not open. */
function because({ limitedBy }: Agreed<unknown>): string {
  if (limitedBy === undefined) return '';
  return { us: ' (our policy)', them: ' (theirs)', both: ' (both policies)' }[limitedBy];
}

function named(extent: Extent, serverName: string): string {
  if (extent === 'nobody') return 'nobody';
  return extent === 'everyone' ? `people of ${serverName}` : `certain people of ${serverName}`;
}

function sizeText(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.floor(bytes / 1024 / 1024)} MB` : `${Math.floor(bytes / 1024)} KB`;
}
