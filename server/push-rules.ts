import { parseUserId } from '../protocol/identifiers.ts';
import { defaultPushRules, type PushRuleset } from '../protocol/push-rules/default-rules.ts';

/** The push rules of one of our users: the server-default ones, until users can set their own. */
export function pushRulesOf(userId: string): PushRuleset {
  return defaultPushRules(userId, parseUserId(userId)?.localpart ?? '');
}
