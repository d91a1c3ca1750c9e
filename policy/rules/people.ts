import type { PartnerFacts } from '../book.ts';
import { allOf, allowed, type Decision, denied } from '../decision.ts';
import { ruleOf } from '../partner-policy.ts';
import { includes, type Person } from '../who.ts';

/** `allow_local`, `allow_remote`: is the partnership for these people? */
export function mayTakePart(
  { serverName, policy }: PartnerFacts,
  local: Person | undefined,
  remote: readonly string[],
): Decision {
  const ours =
    local === undefined || includes(policy.allowLocal, local)
      ? allowed
      : denied(
          'local_user_denied',
          `${local.userId} may not talk to ${serverName}`,
          ruleOf(policy, 'allow_local'),
        );
  if (policy.allowRemote === 'everyone') return ours;
  const theirs = remote
    .filter((userId) => !includes(policy.allowRemote, { userId, departments: [] }))
    .map((userId) =>
      denied('remote_user_denied', `${userId} may not talk to people here`, ruleOf(policy, 'allow_remote')),
    );
  return allOf(ours, ...theirs);
}
