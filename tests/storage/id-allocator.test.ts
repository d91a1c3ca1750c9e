import assert from 'node:assert/strict';
import { BlockAllocator } from '../../storage/id-allocator.ts';

describe('Numbers for new rows', () => {
  it('come from the next block before the first one has run out, each once', async () => {
    let reserved = 0;
    const ids = new BlockAllocator(
      new Map([['event', 100]]),
      async () => {
        reserved += 1;
        if (reserved === 1) throw new Error('The database is away for a moment');
        return reserved * 1_000;
      },
      8,
    );
    const given: number[] = [];
    for (let n = 0; n < 20; n += 1) {
      given.push(ids.next('event'));
      await Promise.resolve();
      await Promise.resolve();
    }
    assert.deepEqual(given.slice(0, 10), [100, 101, 102, 103, 104, 105, 106, 107, 2_000, 2_001]);
    assert.equal(new Set(given).size, 20);
    assert.throws(() => ids.next('room'), /no numbers of kind room/);
  });

  it('end with an error rather than with a number that somebody else has', () => {
    const ids = new BlockAllocator(new Map([['event', 1]]), () => new Promise(() => undefined), 2);
    assert.deepEqual([ids.next('event'), ids.next('event')], [1, 2]);
    assert.throws(() => ids.next('event'), /run out/);
  });
});
