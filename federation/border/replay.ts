import { decide } from '../../policy/decide.ts';
import type { Question } from '../../policy/question.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import type { DecisionRecord } from '../../storage/stores/decision-store.ts';
import type { PartnerRegistry } from '../partners/registry.ts';

/** A violation as it was recorded, or as a draft gives it. */
export interface ReplayedViolation {
  readonly code: string;
  readonly message: string;
  readonly rule: string;
}

/** A recorded decision that a draft would change. Times in milliseconds. */
export interface ChangedDecision {
  readonly question: JsonObject;
  readonly from: readonly ReplayedViolation[];
  readonly to: readonly ReplayedViolation[];
  readonly times: number;
  readonly firstTs: number;
  readonly lastTs: number;
}

/**
 * What a draft decides of a recorded question, with the facts of then: undefined if the same as was decided, that is
 * with the same codes.
 */
export function replayDecision(
  draft: PartnerRegistry,
  record: Pick<DecisionRecord, 'question' | 'violations' | 'times' | 'firstTs' | 'lastTs'>,
  now: number,
): ChangedDecision | undefined {
  // Only the recorder writes them, as questions that were asked.
  const question = record.question as unknown as Question;
  const decision = decide(draft, question, now);
  const to = decision.allowed
    ? []
    : decision.violations.map(({ code, message, rule }) => ({ code, message, rule }));
  const from = record.violations.map(violationOf);
  if (codesOf(from) === codesOf(to)) return undefined;
  const { times, firstTs, lastTs } = record;
  return { question: record.question, from, to, times, firstTs, lastTs };
}

function violationOf(value: JsonValue): ReplayedViolation {
  const { code, message, rule } = isObject(value) ? value : ({} as JsonObject);
  return { code: String(code), message: String(message), rule: String(rule) };
}

function codesOf(violations: readonly ReplayedViolation[]): string {
  return [...new Set(violations.map(({ code }) => code))].sort().join(' ');
}
