import type { Verdict } from '../../../../protocol/auth/authorize.ts';
import type { RoomVersionId } from '../../../../protocol/room-versions.ts';
import type { AuthRoom } from '../../../support/auth-room.ts';

/** The number of one rule in each of the versions that have it. */
export type Numbers = Readonly<Partial<Record<RoomVersionId, string>>>;

export interface AuthCase {
  /** The rule that is tried. */
  readonly rule: Numbers;
  readonly name: string;
  readonly verdict: 'allow' | 'reject';
  /** The rule that the verdict names. */
  readonly decidedBy: Numbers;
  readonly judge: (room: AuthRoom) => Verdict;
}

/** A rule of versions 10 and 11, and its number in version 12. */
export function rule(before12: string, in12: string): Numbers {
  return { '10': before12, '11': before12, '12': in12 };
}

type Judge = AuthCase['judge'];

/** The rule refuses, and the verdict says so. */
export function rejects(number: Numbers, name: string, judge: Judge): AuthCase {
  return { rule: number, name, verdict: 'reject', decidedBy: number, judge };
}

/** The rule allows, and the verdict says so. */
export function allows(number: Numbers, name: string, judge: Judge): AuthCase {
  return { rule: number, name, verdict: 'allow', decidedBy: number, judge };
}

/** An event that the rule could refuse and does not; another rule allows it. */
export function passes(number: Numbers, decidedBy: Numbers, name: string, judge: Judge): AuthCase {
  return { rule: number, name, verdict: 'allow', decidedBy, judge };
}

/** An event that the rule could allow and does not; another rule refuses it. */
export function misses(number: Numbers, decidedBy: Numbers, name: string, judge: Judge): AuthCase {
  return { rule: number, name, verdict: 'reject', decidedBy, judge };
}

/** The last rule: otherwise, allow. */
export const otherwise = rule('10', '11');
