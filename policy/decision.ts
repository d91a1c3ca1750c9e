/** Stable codes of what a policy can object to; clients, the audit log and `policy explain` name them. */
export type ViolationCode =
  | 'not_a_partner'
  | 'partner_suspended'
  | 'partner_expired'
  | 'local_user_denied'
  | 'remote_user_denied'
  | 'invite_outbound_denied'
  | 'invite_inbound_denied'
  | 'invite_needs_approval'
  | 'invite_not_approved'
  | 'room_internal'
  | 'room_not_shared_with_partner'
  | 'room_of_partner_denied'
  | 'third_party_denied'
  | 'third_party_refused'
  | 'third_party_unanswered'
  | 'room_frozen'
  | 'join_rule_denied'
  | 'invite_level_denied'
  | 'power_level_denied'
  | 'creator_denied'
  | 'history_visibility_denied'
  | 'encryption_required'
  | 'encryption_forbidden'
  | 'event_type_denied'
  | 'files_denied'
  | 'file_too_large'
  | 'file_type_denied'
  | 'person_not_exposed'
  | 'presence_not_shared'
  | 'typing_not_shared'
  | 'receipts_not_shared'
  | 'device_names_not_shared'
  | 'callback_denied'
  | 'callback_unanswered'
  | 'rate_exceeded'
  | 'key_revoked';

export interface Violation {
  readonly code: ViolationCode;
  /** One sentence for a person. */
  readonly message: string;
  /** The line of the configuration or the record that decided, e.g. `conf.d/partners/bolt.yaml:3`. */
  readonly rule: string;
  /** Milliseconds after which it would be allowed, where time is all that is wrong. */
  readonly retryAfterMs?: number | undefined;
}

export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly violations: readonly Violation[] };

export const allowed: Decision = { allowed: true };

/** A refusal with one violation. */
export function denied(code: ViolationCode, message: string, rule: string): Decision {
  return { allowed: false, violations: [{ code, message, rule }] };
}

/** Deny beats allow: allowed only if every part allows, else all violations together, in order, each once. */
export function allOf(...parts: readonly Decision[]): Decision {
  const violations: Violation[] = [];
  for (const part of parts) {
    if (part.allowed) continue;
    for (const violation of part.violations)
      if (!violations.some((known) => isSame(known, violation))) violations.push(violation);
  }
  return violations.length === 0 ? allowed : { allowed: false, violations };
}

function isSame(one: Violation, other: Violation): boolean {
  return one.code === other.code && one.message === other.message && one.rule === other.rule;
}

/** The messages of a refusal in one line, or '' for an allowance. */
export function explain(decision: Decision): string {
  return decision.allowed ? '' : decision.violations.map((violation) => violation.message).join('; ');
}
