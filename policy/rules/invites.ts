import type { PartnerFacts } from '../book.ts';
import { allowed, type Decision, denied } from '../decision.ts';
import { ruleOf } from '../partner-policy.ts';
import type { Direction } from '../question.ts';

/** `invites.outbound`, `invites.inbound`. */
export function mayInvite(
  { serverName, policy }: PartnerFacts,
  direction: Direction,
  { isApproved, isRefused }: { readonly isApproved: boolean; readonly isRefused: boolean },
): Decision {
  const rule = policy.invites[direction];
  if (rule === 'allow' || (rule === 'approve' && isApproved)) return allowed;
  const where = ruleOf(policy, `invites.${direction}`);
  const way = direction === 'outbound' ? 'to' : 'from';
  if (rule === 'approve' && isRefused)
    return denied('invite_not_approved', `This invitation ${way} ${serverName} was not approved`, where);
  return rule === 'approve'
    ? denied('invite_needs_approval', `Invitations ${way} ${serverName} wait for approval`, where)
    : denied(`invite_${direction}_denied`, `Invitations ${way} ${serverName} are not allowed`, where);
}
