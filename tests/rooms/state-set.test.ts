import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type StateKey, stateKeyOf } from '../../protocol/event.ts';
import { StateSet, stateDifference } from '../../rooms/state/state-set.ts';

const key = (n: number): StateKey => stateKeyOf('t', String(n));
const entries = fc.array(fc.tuple(fc.nat(12).map(key), fc.nat(5).map(String)), { maxLength: 6 });

describe('a state set', () => {
  it('is the map that the same changes make of a map, however many layers it has', () => {
    fc.assert(
      fc.property(entries, fc.array(entries, { maxLength: 60 }), (first, changes) => {
        const expected = new Map(first);
        let set = StateSet.full(0, new Map(first));
        changes.forEach((change, index) => {
          const before = set;
          const copy = new Map(expected);
          set = set.with(index + 1, new Map(change));
          for (const [at, id] of change) expected.set(at, id);
          assert.deepEqual(set.toMap(), expected);
          assert.equal(set.size, expected.size);
          assert.equal(set.group, index + 1);
          for (let n = 0; n <= 12; n += 1) assert.equal(set.get(key(n)), expected.get(key(n)));
          // Sets that share their entries with it stay as they were.
          assert.deepEqual(before.toMap(), copy);
        });
      }),
      { numRuns: 30 },
    );
  });

  it('holds no more than what changed, and all of it again after some changes', () => {
    let set = StateSet.full(0, new Map(Array.from({ length: 1_000 }, (_, n) => [key(n), 'a'])));
    const sizes: number[] = [];
    for (let n = 0; n < 50; n += 1) {
      set = set.with(n + 1, new Map([[key(n), 'b']]));
      sizes.push(set.ownSize);
    }
    assert.ok(sizes.filter((size) => size > 1_000).length <= 3);
    assert.ok(sizes.filter((size) => size < 20).length >= 47);
  });

  it('differs from another in what is changed and what is removed', () => {
    const before = new Map([
      [key(1), 'a'],
      [key(2), 'b'],
      [key(3), 'c'],
    ]);
    const after = new Map([
      [key(1), 'a'],
      [key(2), 'B'],
      [key(4), 'd'],
    ]);
    assert.deepEqual(stateDifference(before, after), {
      changed: new Map([
        [key(2), 'B'],
        [key(4), 'd'],
      ]),
      removed: [key(3)],
    });
  });
});
