import assert from 'node:assert/strict';
import { Campaign } from './support/campaign.ts';
import { failPoints, planOf, systematicSeeds } from './support/plan.ts';
import { ProductCopy } from './support/product-copy.ts';

/** Beside the systematic ones: everything by chance. */
const randomSeeds = Array.from({ length: 10 }, (_, index) => 1_000 + index);

/** `FAULT_SEED=7 npm run test:slow` plays one plan again. */
const replayed = process.env['FAULT_SEED'];
const seeds = replayed === undefined ? [...systematicSeeds, ...randomSeeds] : [Number(replayed)];

describe('Two islands that are killed', () => {
  const kills: string[] = [];
  let copy: ProductCopy;

  before(async () => {
    copy = await ProductCopy.make();
  });

  after(async () => {
    await copy.remove();
    const counts = new Map<string, number>();
    for (const kill of kills) counts.set(kill, (counts.get(kill) ?? 0) + 1);
    console.log(`    ${kills.length} processes were killed:`);
    for (const [kill, count] of [...counts].sort()) console.log(`      ${count} ${kill}`);
  });

  for (const seed of seeds)
    it(`lose nothing and double nothing (FAULT_SEED=${seed})`, async () => {
      const outcome = await Campaign.run(copy.entry, planOf(seed));
      kills.push(...outcome.kills);
      assert.deepEqual(outcome.violations.slice(0, 20), []);
    });

  if (replayed === undefined)
    it('were killed a hundred times and more, at every point', () => {
      assert.ok(kills.length >= 100, `${kills.length} kills`);
      for (const point of failPoints)
        for (const victim of ['itself', 'its partner'])
          assert.ok(kills.filter((kill) => kill.endsWith(`${victim} at ${point}`)).length >= 4, point);
    });
});
