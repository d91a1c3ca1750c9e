import type { RoomVersionId } from '../../../protocol/room-versions.ts';

/**
 * What a numbered rule can do:
 * - `heading`: says for which events the rules under it are;
 * - `rejects`: refuses what meets its condition, and lets everything else go on to the next rule;
 * - `allows`: allows what meets its condition, and lets everything else go on to the next rule;
 * - `decides`: allows if its condition is met and refuses if not;
 * - `detail`: one of the cases of the rule above it, which is the one that a verdict names;
 * - `always-allows`, `always-rejects`: what is left, without a condition of its own ("otherwise"). The one can
 *   never refuse, the other never allow.
 */
export type RuleKind =
  | 'heading'
  | 'rejects'
  | 'allows'
  | 'decides'
  | 'detail'
  | 'always-allows'
  | 'always-rejects';

const version10 = `
  1 heading
  1.1 rejects
  1.2 rejects
  1.3 rejects
  1.4 rejects
  1.5 always-allows
  2 heading
  2.1 rejects
  2.2 rejects
  2.3 rejects
  2.4 rejects
  2.5 rejects
  3 rejects
  4 heading
  4.1 rejects
  4.2 heading
  4.2.1 rejects
  4.3 heading
  4.3.1 allows
  4.3.2 rejects
  4.3.3 rejects
  4.3.4 allows
  4.3.5 heading
  4.3.5.1 allows
  4.3.5.2 rejects
  4.3.5.3 always-allows
  4.3.6 allows
  4.3.7 always-rejects
  4.4 heading
  4.4.1 heading
  4.4.1.1 rejects
  4.4.1.2 rejects
  4.4.1.3 rejects
  4.4.1.4 rejects
  4.4.1.5 rejects
  4.4.1.6 rejects
  4.4.1.7 allows
  4.4.1.7.1 detail
  4.4.1.7.2 detail
  4.4.1.8 always-rejects
  4.4.2 rejects
  4.4.3 rejects
  4.4.4 allows
  4.4.5 always-rejects
  4.5 heading
  4.5.1 decides
  4.5.2 rejects
  4.5.3 rejects
  4.5.4 allows
  4.5.5 always-rejects
  4.6 heading
  4.6.1 rejects
  4.6.2 allows
  4.6.3 always-rejects
  4.7 heading
  4.7.1 rejects
  4.7.2 rejects
  4.7.3 allows
  4.7.4 always-rejects
  4.8 always-rejects
  5 rejects
  6 heading
  6.1 decides
  7 rejects
  8 rejects
  9 heading
  9.1 rejects
  9.2 rejects
  9.3 rejects
  9.4 allows
  9.5 heading
  9.5.1 rejects
  9.5.2 rejects
  9.6 heading
  9.6.1 rejects
  9.7 heading
  9.7.1 rejects
  9.8 heading
  9.8.1 rejects
  9.9 heading
  9.9.1 rejects
  9.10 always-allows
  10 always-allows
`;

// The creator stands in no content any more: no rule asks for it.
const version11 = `
  1 heading
  1.1 rejects
  1.2 rejects
  1.3 rejects
  1.4 always-allows
  2 heading
  2.1 rejects
  2.2 rejects
  2.3 rejects
  2.4 rejects
  2.5 rejects
  3 rejects
  4 heading
  4.1 rejects
  4.2 heading
  4.2.1 rejects
  4.3 heading
  4.3.1 allows
  4.3.2 rejects
  4.3.3 rejects
  4.3.4 allows
  4.3.5 heading
  4.3.5.1 allows
  4.3.5.2 rejects
  4.3.5.3 always-allows
  4.3.6 allows
  4.3.7 always-rejects
  4.4 heading
  4.4.1 heading
  4.4.1.1 rejects
  4.4.1.2 rejects
  4.4.1.3 rejects
  4.4.1.4 rejects
  4.4.1.5 rejects
  4.4.1.6 rejects
  4.4.1.7 allows
  4.4.1.7.1 detail
  4.4.1.7.2 detail
  4.4.1.8 always-rejects
  4.4.2 rejects
  4.4.3 rejects
  4.4.4 allows
  4.4.5 always-rejects
  4.5 heading
  4.5.1 decides
  4.5.2 rejects
  4.5.3 rejects
  4.5.4 allows
  4.5.5 always-rejects
  4.6 heading
  4.6.1 rejects
  4.6.2 allows
  4.6.3 always-rejects
  4.7 heading
  4.7.1 rejects
  4.7.2 rejects
  4.7.3 allows
  4.7.4 always-rejects
  4.8 always-rejects
  5 rejects
  6 heading
  6.1 decides
  7 rejects
  8 rejects
  9 heading
  9.1 rejects
  9.2 rejects
  9.3 rejects
  9.4 allows
  9.5 heading
  9.5.1 rejects
  9.5.2 rejects
  9.6 heading
  9.6.1 rejects
  9.7 heading
  9.7.1 rejects
  9.8 heading
  9.8.1 rejects
  9.9 heading
  9.9.1 rejects
  9.10 always-allows
  10 always-allows
`;

// The room id takes the place of a create event among the auth events (2; 3.4 is gone, and 3.5 has kept its number),
// creators have rules of their own (1.4, 10.4).
const version12 = `
  1 heading
  1.1 rejects
  1.2 rejects
  1.3 rejects
  1.4 rejects
  1.5 always-allows
  2 rejects
  3 heading
  3.1 rejects
  3.2 rejects
  3.3 rejects
  3.5 rejects
  4 rejects
  5 heading
  5.1 rejects
  5.2 heading
  5.2.1 rejects
  5.3 heading
  5.3.1 allows
  5.3.2 rejects
  5.3.3 rejects
  5.3.4 allows
  5.3.5 heading
  5.3.5.1 allows
  5.3.5.2 rejects
  5.3.5.3 always-allows
  5.3.6 allows
  5.3.7 always-rejects
  5.4 heading
  5.4.1 heading
  5.4.1.1 rejects
  5.4.1.2 rejects
  5.4.1.3 rejects
  5.4.1.4 rejects
  5.4.1.5 rejects
  5.4.1.6 rejects
  5.4.1.7 allows
  5.4.1.7.1 detail
  5.4.1.7.2 detail
  5.4.1.8 always-rejects
  5.4.2 rejects
  5.4.3 rejects
  5.4.4 allows
  5.4.5 always-rejects
  5.5 heading
  5.5.1 decides
  5.5.2 rejects
  5.5.3 rejects
  5.5.4 allows
  5.5.5 always-rejects
  5.6 heading
  5.6.1 rejects
  5.6.2 allows
  5.6.3 always-rejects
  5.7 heading
  5.7.1 rejects
  5.7.2 rejects
  5.7.3 allows
  5.7.4 always-rejects
  5.8 always-rejects
  6 rejects
  7 heading
  7.1 decides
  8 rejects
  9 rejects
  10 heading
  10.1 rejects
  10.2 rejects
  10.3 rejects
  10.4 rejects
  10.5 allows
  10.6 heading
  10.6.1 rejects
  10.6.2 rejects
  10.7 heading
  10.7.1 rejects
  10.8 heading
  10.8.1 rejects
  10.9 heading
  10.9.1 rejects
  10.10 heading
  10.10.1 rejects
  10.11 always-allows
  11 always-allows
`;

function parse(text: string): ReadonlyMap<string, RuleKind> {
  const lines = text.trim().split('\n');
  // The texts above are written by hand: a word that is no kind fails the completeness test.
  return new Map(lines.map((line) => line.trim().split(' ') as [string, RuleKind]));
}

/** The numbered authorization rules of each room version, as the specification counts them ("Room Versions"). */
export const ruleList: Readonly<Record<RoomVersionId, ReadonlyMap<string, RuleKind>>> = {
  '10': parse(version10),
  '11': parse(version11),
  '12': parse(version12),
};
