import { invalidParam, notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { type PushRule, pushRuleKinds } from '../../protocol/push-rules/default-rules.ts';
import { pushRulesOf } from '../push-rules.ts';
import type { ClientApiDeps } from './deps.ts';

const base = '/_matrix/client/v3/pushrules';

/** Push rules to read: the server-default ones. */
export function pushRuleRoutes(_deps: ClientApiDeps): Route[] {
  const one = (path: string, show: (rule: PushRule) => JsonObject): Route =>
    route({
      method: 'GET',
      path,
      auth: 'user',
      handler: ({ user, params }) => {
        const kind = pushRuleKinds.find((name) => name === params['kind']);
        if (kind === undefined) throw invalidParam('Unknown kind of push rule');
        const rule = pushRulesOf(user.userId)[kind].find(({ rule_id }) => rule_id === params['ruleId']);
        if (rule === undefined) throw notFound('There is no such push rule');
        return show(rule);
      },
    });
  return [
    route({
      method: 'GET',
      path: `${base}/`,
      auth: 'user',
      handler: ({ user }) => ({ global: asJson(pushRulesOf(user.userId)) }),
    }),
    route({
      method: 'GET',
      path: `${base}/global/`,
      auth: 'user',
      handler: ({ user }) => asJson(pushRulesOf(user.userId)),
    }),
    one(`${base}/global/:kind/:ruleId`, (rule) => asJson(rule) as JsonObject),
    one(`${base}/global/:kind/:ruleId/enabled`, ({ enabled }) => ({ enabled })),
    one(`${base}/global/:kind/:ruleId/actions`, ({ actions }) => ({ actions: asJson(actions) })),
  ];
}

/** Rules are plain JSON, declared read-only. */
function asJson(value: object): JsonValue {
  return value as unknown as JsonValue;
}
