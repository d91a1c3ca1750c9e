import { allOf, allowed, type Decision, denied } from './decision.ts';
import type { PartnerPolicy } from './partner-policy.ts';

/** What the rules need to know of a partner. */
export interface PartnerFacts {
  readonly serverName: string;
  readonly state: 'active' | 'suspended';
  /** Milliseconds since the epoch; from then on the partnership is suspended. */
  readonly validUntil?: number | undefined;
  readonly policy: PartnerPolicy;
  /** Where the entry stands, for the explanation. */
  readonly rule: string;
}

/** The facts of one question: the time, us, and the partner entry, if there is one. */
export interface BorderFacts {
  readonly now: number;
  readonly serverName: string;
  /** The server on the other side of the question. */
  readonly remoteServer: string;
  readonly partner: PartnerFacts | undefined;
}

/** Direction in which something crosses the border, seen from here. */
export type Direction = 'outbound' | 'inbound';

const noEntry = 'partners: (no entry)';

/** Default deny: may anything at all cross between us and that server? */
export function mayTalk(facts: BorderFacts): Decision {
  if (facts.remoteServer === facts.serverName) return allowed;
  const { partner } = facts;
  if (partner === undefined || partner.serverName !== facts.remoteServer)
    return denied('not_a_partner', `${facts.remoteServer} is not a partner of this server`, noEntry);
  if (partner.state !== 'active')
    return denied(
      'partner_suspended',
      `The partnership with ${partner.serverName} is suspended`,
      partner.rule,
    );
  if (partner.validUntil !== undefined && facts.now >= partner.validUntil)
    return denied('partner_expired', `The partnership with ${partner.serverName} has ended`, partner.rule);
  return allowed;
}

/** May `localUser` of ours invite `remoteUser` (outbound) or be invited by them (inbound)? */
export function mayInvite(
  facts: BorderFacts & { direction: Direction; localUser: string; remoteUser: string },
): Decision {
  const talk = mayTalk(facts);
  if (!talk.allowed || facts.partner === undefined) return talk;
  const { policy, rule, serverName } = facts.partner;
  const direction =
    policy.invites[facts.direction] === 'allow'
      ? allowed
      : facts.direction === 'outbound'
        ? denied('invite_outbound_denied', `Invitations to ${serverName} are not allowed`, rule)
        : denied('invite_inbound_denied', `Invitations from ${serverName} are not allowed`, rule);
  return allOf(direction, mayTakePart(facts.partner, facts.localUser, facts.remoteUser));
}

function mayTakePart(partner: PartnerFacts, localUser: string, remoteUser: string): Decision {
  const { policy, rule, serverName } = partner;
  return allOf(
    includes(policy.allowLocal, localUser)
      ? allowed
      : denied('local_user_denied', `${localUser} may not talk to ${serverName}`, rule),
    includes(policy.allowRemote, remoteUser)
      ? allowed
      : denied('remote_user_denied', `${remoteUser} may not talk to people here`, rule),
  );
}

function includes(list: 'everyone' | readonly string[], userId: string): boolean {
  return list === 'everyone' || list.includes(userId);
}

/** May files cross in that direction? `outbound`: theirs fetch ours. */
export function mayTransferFiles(facts: BorderFacts & { direction: Direction }): Decision {
  const talk = mayTalk(facts);
  if (!talk.allowed || facts.partner === undefined) return talk;
  const { files } = facts.partner.policy;
  if (files === 'both' || files === facts.direction) return allowed;
  return denied('files_denied', `Files are not exchanged with ${facts.remoteServer}`, facts.partner.rule);
}

/** What of our people is shared with a partner, and what of theirs is taken. */
export type Shared = 'presence' | 'typing' | 'receipts' | 'directory';

/** Is that kind of sign of life shared with the partner (both ways)? */
export function mayShare(facts: BorderFacts & { what: Shared }): Decision {
  const talk = mayTalk(facts);
  if (!talk.allowed || facts.partner === undefined) return talk;
  if (facts.partner.policy.share[facts.what]) return allowed;
  return denied(
    `${facts.what}_not_shared`,
    `${facts.what} is not shared with ${facts.remoteServer}`,
    facts.partner.rule,
  );
}
