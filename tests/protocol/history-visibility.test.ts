import assert from 'node:assert/strict';
import {
  type HistoryVisibility,
  historyVisibilityOf,
  maySeeEvent,
} from '../../protocol/history-visibility.ts';

type Answer = 'always' | 'if they joined later' | 'never';

const memberships = ['join', 'invite', 'leave', 'ban', 'knock'] as const;

/** By the visibility and the user's membership at the event, as the five rules of the specification say. */
const table: Readonly<Record<HistoryVisibility, Readonly<Record<(typeof memberships)[number], Answer>>>> = {
  world_readable: { join: 'always', invite: 'always', leave: 'always', ban: 'always', knock: 'always' },
  shared: {
    join: 'always',
    invite: 'if they joined later',
    leave: 'if they joined later',
    ban: 'if they joined later',
    knock: 'if they joined later',
  },
  invited: { join: 'always', invite: 'always', leave: 'never', ban: 'never', knock: 'never' },
  joined: { join: 'always', invite: 'never', leave: 'never', ban: 'never', knock: 'never' },
};
const visibilities = ['world_readable', 'shared', 'invited', 'joined'] as const;

function expected(
  visibility: HistoryVisibility,
  membership: (typeof memberships)[number],
  joinedLater: boolean,
): boolean {
  const answer = table[visibility][membership];
  return answer === 'always' || (answer === 'if they joined later' && joinedLater);
}

describe('History visibility', () => {
  for (const visibility of visibilities) {
    for (const membership of memberships) {
      it(`${visibility} shows an event to a user whose membership was ${membership}: ${table[visibility][membership]}`, () => {
        for (const joinedLater of [true, false])
          assert.equal(
            maySeeEvent({ visibility: [visibility], membership: [membership], joinedLater }),
            expected(visibility, membership, joinedLater),
          );
      });
    }
  }

  it('counts as shared where it is not set, or set to what nobody knows', () => {
    for (const value of [
      undefined,
      null,
      '',
      'shared',
      'SHARED',
      'world-readable',
      'nobody',
      7,
      {},
      ['joined'],
    ])
      assert.equal(historyVisibilityOf(value), 'shared');
    for (const value of visibilities) assert.equal(historyVisibilityOf(value), value);
  });

  it('of an event that changes it: what was before or what is after may show it', () => {
    for (const before of visibilities)
      for (const after of visibilities)
        for (const membership of memberships)
          for (const joinedLater of [true, false])
            assert.equal(
              maySeeEvent({ visibility: [before, after], membership: [membership], joinedLater }),
              expected(before, membership, joinedLater) || expected(after, membership, joinedLater),
              `${before} to ${after}, ${membership}`,
            );
  });

  it("of the user's own membership: what was before or what is after may show it", () => {
    for (const visibility of visibilities)
      for (const before of memberships)
        for (const after of memberships)
          for (const joinedLater of [true, false])
            assert.equal(
              maySeeEvent({ visibility: [visibility], membership: [before, after], joinedLater }),
              expected(visibility, before, joinedLater) || expected(visibility, after, joinedLater),
              `${visibility}, ${before} to ${after}`,
            );
  });

  it('shows to nobody what there is no state for', () => {
    assert.equal(maySeeEvent({ visibility: [], membership: ['join'], joinedLater: true }), false);
    assert.equal(maySeeEvent({ visibility: ['world_readable'], membership: [], joinedLater: true }), false);
  });
});
