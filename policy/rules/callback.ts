import type { PartnerFacts } from '../book.ts';
import { allowed, type Decision, denied } from '../decision.ts';
import { type CallbackAction, type CallbackPolicy, ruleOf } from '../partner-policy.ts';
import type { Question } from '../question.ts';

/** What a callback calls each thing that the border is asked; it is asked about nothing else. */
function callbackActionsOf(question: Question): readonly CallbackAction[] {
  switch (question.action) {
    case 'message':
      // A file of theirs is asked about when it is fetched: only then its bytes are here.
      return question.file === undefined || question.direction === 'inbound'
        ? ['message']
        : ['message', 'media'];
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
      // What it says is for our people: a partner is told no more than that it was refused.
      (question.direction === 'outbound' ? verdict.reason : undefined) ??
        `A check of this company refuses it for ${serverName}`,
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

/** Is this allowed, and to be noted in the audit log all the same? */
export function isWarning({ policy }: PartnerFacts, question: Question): boolean {
  const { verdict } = question;
  const asked = callbackFor(policy, question);
  if (asked === undefined || verdict === undefined) return false;
  return verdict.decision === 'warn' || (verdict.decision === 'none' && asked.callback.onTimeout === 'warn');
}
