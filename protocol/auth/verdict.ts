/**
 * What the authorization rules say, and `rule`: the number of the rule that decided, in that room version
 * ("4.3.6"; what follows a number is a step of that rule).
 */
export type Verdict = { readonly allowed: true; readonly rule: string } | Rejection;

export interface Rejection {
  readonly allowed: false;
  readonly rule: string;
  readonly reason: string;
}

export function allowed(rule: string): Verdict {
  return { allowed: true, rule };
}

export function rejected(rule: string, reason: string): Rejection {
  return { allowed: false, rule, reason };
}
