import type { PartnerFacts } from '../book.ts';
import { allowed, type Decision } from '../decision.ts';
import { ruleOf } from '../partner-policy.ts';
import type { Question } from '../question.ts';

/** `rate.invites_per_hour`, `rate.media_per_day`: has the quota room for one more? */
export function fitsQuota({ serverName, policy }: PartnerFacts, question: Question): Decision {
  const { action, quotaMs } = question;
  if (quotaMs === undefined || quotaMs <= 0) return allowed;
  const isInvite = action === 'invite';
  return {
    allowed: false,
    violations: [
      {
        code: 'rate_exceeded',
        message: `Too many ${isInvite ? 'invitations' : 'files'} are exchanged with ${serverName} at the moment`,
        rule: ruleOf(policy, isInvite ? 'rate.invites_per_hour' : 'rate.media_per_day'),
        retryAfterMs: quotaMs,
      },
    ],
  };
}
