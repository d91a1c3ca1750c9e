import type { PartnerFacts } from '../book.ts';
import { allowed, type Decision, denied } from '../decision.ts';
import { type CallbackAction, type CallbackPolicy, ruleOf } from '../partner-policy.ts';
import type { Question } from '../question.ts';

/** What a callback calls each thing that the border is asked; it is asked about nothing else. */
function callbackActionsOf(question: Question): readonly CallbackAction[] {
  switch (question.action) {
    case 'message':
      return question.file === undefined ? ['message'] : ['message', 'media'];
    case 'invite':
    case 'join':
      return [question.action];
    case 'file':
      return ['media'];
    default:
      return [];
  }
}

/** The callback that is asked about this, and about what of it; undefined where there is none. */
export function callbackFor(
  policy: { readonly callback?: CallbackPolicy | undefined },
  question: Question,
): { readonly callback: CallbackPolicy; readonly actions: readonly CallbackAction[] } | undefined {
  const { callback } = policy;
  if (callback === undefined) return undefined;
  const actions = callbackActionsOf(question).filter((action) => callback.actions.includes(action));
  return actions.length === 0 ? undefined : { callback, actions };
}

/** `callback`: what the check of ours said. A question without a verdict is one about which it has yet to be asked. */
export function mayPassCallback({ serverName, policy }: PartnerFacts, question: Question): Decision {
  const { verdict } = question;
  const asked = callbackFor(policy, question);
  if (asked === undefined || verdict === undefined) return allowed;
  if (verdict.decision === 'deny')
    return denied(
      'callback_denied',
      verdict.reason ?? `A check of this company refuses it for ${serverName}`,
      ruleOf(policy, 'callback.url'),
    );
  if (verdict.decision === 'none' && asked.callback.onTimeout === 'deny')
    return denied(
      'callback_unanswered',
      `A check of this company that has to agree for ${serverName} does not answer`,
      ruleOf(policy, 'callback.on_timeout'),
    );
  return allowed;
}

/** Why this is allowed with a warning, for the audit log; undefined if it is not. */
export function warningOf({ policy }: PartnerFacts, question: Question): string | undefined {
  const { verdict } = question;
  const asked = callbackFor(policy, question);
  if (asked === undefined || verdict === undefined) return undefined;
  if (verdict.decision === 'warn') return verdict.reason ?? 'the callback warns';
  return verdict.decision === 'none' && asked.callback.onTimeout === 'warn'
    ? 'the callback does not answer'
    : undefined;
}
