import assert from 'node:assert/strict';
import { authorize } from '../../../protocol/auth/authorize.ts';
import type { RoomVersionId } from '../../../protocol/room-versions.ts';
import { AuthRoom, alice } from '../../support/auth-room.ts';
import { authEventsCases } from './cases/auth-events.ts';
import type { AuthCase } from './cases/case.ts';
import { createCases } from './cases/create.ts';
import { inviteCases } from './cases/invite.ts';
import { joinCases } from './cases/join.ts';
import { leaveBanKnockCases } from './cases/leave-ban-knock.ts';
import { otherCases } from './cases/other-events.ts';
import { powerLevelsCases } from './cases/power-levels.ts';
import { type RuleKind, ruleList } from './rule-list.ts';

const cases: readonly AuthCase[] = [
  ...createCases,
  ...authEventsCases,
  ...joinCases,
  ...inviteCases,
  ...leaveBanKnockCases,
  ...otherCases,
  ...powerLevelsCases,
];

const versions: readonly RoomVersionId[] = ['10', '11', '12'];

/** By the parts of the numbers: 4.10 comes after 4.9. */
function compare(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

for (const version of versions) {
  const rules = ruleList[version];
  const ofVersion = cases
    .filter((one) => one.rule[version] !== undefined)
    .map((one) => ({ ...one, number: one.rule[version] ?? '', by: one.decidedBy[version] ?? '' }));

  describe(`the authorization rules of room version ${version}`, () => {
    for (const number of [...new Set(ofVersion.map((one) => one.number))].sort(compare)) {
      describe(`rule ${number}`, () => {
        for (const one of ofVersion.filter((other) => other.number === number)) {
          const outcome = one.verdict === 'allow' ? 'lets pass' : 'refuses';
          const by = one.by === number ? '' : `, by rule ${one.by}`;
          it(`${outcome}${by}: ${one.name}`, () => {
            const verdict = one.judge(new AuthRoom(version));
            assert.deepEqual(
              { allowed: verdict.allowed, rule: verdict.rule },
              { allowed: one.verdict === 'allow', rule: one.by },
            );
          });
        }
      });
    }

    it('refuse everything where the state has no create event', () => {
      const room = new AuthRoom(version);
      const event = room.event('m.room.message', alice, {});
      const verdict = authorize(event, { get: () => undefined }, room.version, { isSignedBy: () => true });
      assert.deepEqual([verdict.allowed, verdict.rule], [false, version === '12' ? '2' : '2.4']);
    });

    it('are each tried by an event that passes and one that is refused', () => {
      const has = (number: string, verdict: AuthCase['verdict'], own: boolean): boolean =>
        ofVersion.some(
          (one) => one.number === number && one.verdict === verdict && (one.by === number || !own),
        );
      /** What the cases of a rule must hold, by what the rule can do at all. */
      const complete: Record<RuleKind, (number: string) => boolean> = {
        rejects: (number) => has(number, 'reject', true) && has(number, 'allow', false),
        allows: (number) => has(number, 'allow', true) && has(number, 'reject', false),
        decides: (number) => has(number, 'allow', true) && has(number, 'reject', true),
        detail: (number) => has(number, 'allow', false) && has(number, 'reject', false),
        // Left over when every condition failed: there is no event that they could judge otherwise.
        'always-allows': (number) => has(number, 'allow', true) && !has(number, 'reject', false),
        'always-rejects': (number) => has(number, 'reject', true) && !has(number, 'allow', false),
        // Judges nothing itself: the rules under it do, in both ways.
        heading: (number) =>
          (['allow', 'reject'] as const).every((verdict) =>
            ofVersion.some((one) => one.number.startsWith(`${number}.`) && one.verdict === verdict),
          ),
      };
      const incomplete = [...rules]
        .filter(([number, kind]) => !complete[kind](number))
        .map(([number]) => number);
      assert.deepEqual(incomplete, []);
    });

    it('are all in the list that the specification gives', () => {
      const named = new Set(ofVersion.flatMap((one) => [one.number, one.by]));
      assert.deepEqual(
        [...named].filter((number) => !rules.has(number)),
        [],
      );
    });
  });
}
