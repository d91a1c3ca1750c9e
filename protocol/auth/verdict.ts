/** What the authorization rules say: `rule` is the number of the rule that refused, in that room version. */
export type Verdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly rule: string; readonly reason: string };

export const allowed: Verdict = { allowed: true };

export function rejected(rule: string, reason: string): Verdict {
  return { allowed: false, rule, reason };
}
