import type { PartnerFacts, PolicyBook } from '../book.ts';
import { allowed, type Decision, denied } from '../decision.ts';

const noEntry = 'partners: (no entry)';

/** Default deny: may anything at all cross between us and that server at `now` (milliseconds)? */
export function mayTalk(book: PolicyBook, remoteServer: string, now: number): Decision {
  if (remoteServer === book.serverName) return allowed;
  const partner = book.get(remoteServer);
  return partner === undefined
    ? denied('not_a_partner', `${remoteServer} is not a partner of this server`, noEntry)
    : isInForce(partner, now);
}

function isInForce(partner: PartnerFacts, now: number): Decision {
  const { serverName, rule } = partner;
  if (partner.state !== 'active')
    return denied('partner_suspended', `The partnership with ${serverName} is suspended`, rule);
  if (partner.validUntil !== undefined && now >= partner.validUntil)
    return denied('partner_expired', `The partnership with ${serverName} has ended`, rule);
  return allowed;
}
