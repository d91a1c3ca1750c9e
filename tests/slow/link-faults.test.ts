import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { Seeded } from '../support/seeded.ts';
import { Conversation } from './support/conversation.ts';
import { IslandPair } from './support/island-pair.ts';
import { ProductCopy } from './support/product-copy.ts';

/** The islands' clocks run faster, so that what takes them a minute (a dead link, the next dial) takes seconds. */
const pace = 10;
const runMs = 40_000;

/** `LINK_FAULT_SEED=2 npm run test:slow` plays one run again. */
const replayed = process.env['LINK_FAULT_SEED'];
const seeds = replayed === undefined ? [1, 2, 3] : [Number(replayed)];

/** Does something to the wires for a while, then lets them be. */
async function breakSomething(pair: IslandPair, random: Seeded): Promise<void> {
  const wires = random.pick([[pair.wires[0]], [pair.wires[1]], pair.wires]);
  const fault = random.next();
  // Longer than the 50 s after which an island takes a silent partner for dead.
  const holdMs = random.chance(0.2) ? 70_000 / pace : random.below(1_500);
  for (const wire of wires) {
    if (fault < 0.3) wire.cut();
    else if (fault < 0.5) wire.stall('out');
    else if (fault < 0.7) wire.stall('back');
    else wire.kill();
  }
  await pause(holdMs);
  for (const wire of wires) {
    wire.heal();
    // One way comes back later than the other: who dials whom is another order each time.
    await pause(random.below(300));
  }
}

describe('Two islands whose wires are cut, stalled one way and half-open', () => {
  let copy: ProductCopy;

  before(async () => {
    copy = await ProductCopy.make();
  });

  after(() => copy.remove());

  for (const seed of seeds)
    it(`lose nothing, double nothing and keep each sender's order (LINK_FAULT_SEED=${seed})`, async () => {
      const random = new Seeded(seed);
      const pair = await IslandPair.start({
        entry: copy.entry,
        roomVersion: random.pick(['10', '11', '12']),
        pace,
      });
      let violations: string[] = ['it did not come to its end'];
      try {
        const conversation = await Conversation.begin(pair, random);
        const talk = conversation.talk(conversation.people);
        try {
          for (const end = Date.now() + runMs; Date.now() < end; ) {
            await breakSomething(pair, random);
            await pause(random.below(1_500));
          }
          await talk.goOn();
          await talk.end();
        } finally {
          talk.abandon();
        }
        violations = await conversation.judge(conversation.people);
        assert.deepEqual(violations.slice(0, 20), []);
        for (const island of pair.islands) {
          const ups = (await island.log()).filter((line) => line['msg'] === 'link is up');
          assert.ok(ups.length > 2, `${island.serverName} had ${ups.length} links`);
        }
      } finally {
        await pair.stop({ keep: violations.length > 0 && process.env['FAULT_KEEP'] === '1' });
      }
    });
});
