import type { PartnerFacts } from '../book.ts';
import { allowed, type Decision, denied } from '../decision.ts';
import { ruleOf, type Shared } from '../partner-policy.ts';
import { includes, type Person } from '../who.ts';

/** `share`: is that sign of life told to the partner, and taken from it? */
export function mayShare({ serverName, policy }: PartnerFacts, what: Shared): Decision {
  return policy.share[what]
    ? allowed
    : denied(
        `${what}_not_shared`,
        `${what.replace('_', ' ')}: not shared with ${serverName}`,
        ruleOf(policy, `share.${what}`),
      );
}

/** `directory.expose` and `directory.contacts`: may the partner find this person of ours? */
export function mayFind({ serverName, policy }: PartnerFacts, local: Person): Decision {
  const { expose, contacts } = policy.directory;
  return includes(expose, local) || contacts.some(({ userId }) => userId === local.userId)
    ? allowed
    : denied(
        'person_not_exposed',
        `${local.userId} is not in the directory that ${serverName} sees`,
        ruleOf(policy, 'directory.expose'),
      );
}
