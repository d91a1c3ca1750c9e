/** Stable codes of what a policy can object to; the audit log and the explain command name them. */
export type ViolationCode =
  | 'not_a_partner'
  | 'partner_suspended'
  | 'partner_expired'
  | 'invite_outbound_denied'
  | 'invite_inbound_denied'
  | 'local_user_denied'
  | 'remote_user_denied'
  | 'files_denied'
  | 'presence_not_shared'
  | 'typing_not_shared'
  | 'receipts_not_shared'
  | 'directory_not_shared';

interface Violation {
  readonly code: ViolationCode;
  /** One sentence for a person. */
  readonly message: string;
  /** The line of the configuration or the record that decided, e.g. `conf.d/partners/bolt.yaml:3`. */
  readonly rule: string;
}

export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly violations: readonly Violation[] };

export const allowed: Decision = { allowed: true };

/** A refusal with one violation. */
export function denied(code: ViolationCode, message: string, rule: string): Decision {
  return { allowed: false, violations: [{ code, message, rule }] };
}

/** Deny beats allow: allowed only if every part allows, else all violations together, in order. */
export function allOf(...parts: readonly Decision[]): Decision {
  const violations = parts.flatMap((part) => (part.allowed ? [] : part.violations));
  return violations.length === 0 ? allowed : { allowed: false, violations };
}

/** The messages of a refusal in one line, or '' for an allowance. */
export function explain(decision: Decision): string {
  return decision.allowed ? '' : decision.violations.map((violation) => violation.message).join('; ');
}
