import assert from 'node:assert/strict';
import { judgeStanding, type OwnStanding } from '../../federation/outbox/standing.ts';

function own(overrides: Partial<OwnStanding> = {}): OwnStanding {
  return {
    epoch: 'epoch-now',
    acked: 10,
    given: 20,
    isBoundary: (sequence) => sequence === 10 || sequence === 15 || sequence === 20,
    isRetired: (epoch) => epoch === 'epoch-old',
    ...overrides,
  };
}

const at = (epoch: string, sequence: number) => ({ epoch, sequence });

describe('how a lane stands on both sides', () => {
  it('goes on from what has arrived', () => {
    for (const sequence of [10, 15, 20])
      assert.deepEqual(judgeStanding(own(), at('epoch-now', sequence)), { kind: 'go-on', sequence });
    assert.deepEqual(judgeStanding(own({ acked: 0 }), undefined), { kind: 'go-on', sequence: 0 });
  });

  it('sees that the partner has more than we remember to have sent', () => {
    assert.equal(judgeStanding(own(), at('epoch-now', 21)).kind, 'we-restored');
    assert.equal(judgeStanding(own(), at('epoch-from-our-future', 3)).kind, 'we-restored');
    assert.equal(judgeStanding(own(), at('epoch-now', 12)).kind, 'we-restored');
  });

  it('sees that the partner has less than it acknowledged', () => {
    assert.equal(judgeStanding(own(), at('epoch-now', 9)).kind, 'partner-restored');
    assert.equal(judgeStanding(own(), undefined).kind, 'partner-restored');
    assert.equal(judgeStanding(own(), at('epoch-old', 400)).kind, 'partner-restored');
  });

  it('lets a partner name the epoch before until it got something of the new one', () => {
    assert.deepEqual(judgeStanding(own({ acked: 0 }), at('epoch-old', 400)), { kind: 'go-on', sequence: 0 });
  });
});
