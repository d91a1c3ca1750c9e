import type { JsonObject } from '../protocol/json.ts';
import { defaultPushRules, type PushRuleset } from '../protocol/push-rules/default-rules.ts';

/** The push rules of one of our users: the server-default ones, until users can set their own. */
export function pushRulesOf(userId: string): PushRuleset {
  return defaultPushRules(userId);
}

/** The same as account data: the content of `m.push_rules`. */
export function pushRulesContent(userId: string): JsonObject {
  // Rules are plain JSON, declared read-only.
  return { global: pushRulesOf(userId) as unknown as JsonObject };
}
