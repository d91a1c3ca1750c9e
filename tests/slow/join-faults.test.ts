import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { type Answer, type Client, textAt, v3 } from '../support/client.ts';
import { Seeded } from '../support/seeded.ts';
import { IslandPair } from './support/island-pair.ts';
import { unrest, violations } from './support/judge.ts';
import { answered, Person } from './support/person.ts';
import { ProductCopy } from './support/product-copy.ts';

const patienceMs = 30_000;

/** `JOIN_FAULT_SEED=2 npm run test:slow` plays one run again. */
const replayed = process.env['JOIN_FAULT_SEED'];
const seeds = replayed === undefined ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [Number(replayed)];

describe('An invitation and a join across the link that a crash interrupts', () => {
  let copy: ProductCopy;

  before(async () => {
    copy = await ProductCopy.make();
  });

  after(() => copy.remove());

  /** Asks until it is a 200; a partner that is down, or does not know of it yet, is a reason to ask again. */
  async function insist(pair: IslandPair, index: number, ask: () => Promise<Answer>): Promise<Answer> {
    const giveUp = Date.now() + patienceMs;
    for (;;) {
      const answer = await answered(pair.island(index), ask);
      if (answer.status === 200) return answer;
      if (Date.now() > giveUp) assert.fail(`answered ${answer.status} ${JSON.stringify(answer.body)}`);
      await pause(50);
    }
  }

  for (const seed of seeds)
    it(`ends with both islands in the room, and nothing of it lost (JOIN_FAULT_SEED=${seed})`, async () => {
      const random = new Seeded(seed);
      const pair = await IslandPair.start({
        entry: copy.entry,
        roomVersion: random.pick(['10', '11', '12']),
      });
      let found: string[] = ['it did not come to its end'];
      try {
        const alice = await Person.register(pair.island(0), 'alice');
        const bob = await Person.register(pair.island(1), 'bob');
        for (let round = 0; round < 3; round += 1) {
          const roomId = await alice.createRoom({
            preset: 'private_chat',
            power_level_content_override: { users_default: 50 },
          });
          const victims = random.pick([[0], [1], [0, 1]]);
          const killing = pause(random.below(round === 0 ? 400 : 120)).then(async () => {
            for (const index of victims) pair.island(index).kill();
            await Promise.all(victims.map((index) => pair.island(index).dead()));
            await Promise.all(victims.map((index) => pair.revive(index)));
          });
          await meet(pair, alice, bob, roomId);
          await killing;
          const people = [
            new Person(alice, pair.island(0), roomId, random.fork()),
            new Person(bob, pair.island(1), roomId, random.fork()),
          ];
          assert.equal(await unrest(pair), undefined);
          for (const person of people) await person.begin();
          for (let count = 0; count < 3; count += 1) for (const person of people) await person.act();
          assert.equal(await unrest(pair), undefined);
          for (const person of people) await person.sync(0);
          found = await violations(pair, people);
          assert.deepEqual(found.slice(0, 20), [], `in round ${round}, ${victims} were killed`);
        }
      } finally {
        await pair.stop({ keep: found.length > 0 && process.env['FAULT_KEEP'] === '1' });
      }
    });

  /** Alice invites bob until he is invited, bob joins until he is in, alice says something meanwhile. */
  async function meet(pair: IslandPair, alice: Client, bob: Client, roomId: string): Promise<void> {
    await insist(pair, 0, async () => {
      const answer = await alice.post(v3`/rooms/${roomId}/invite`, { user_id: bob.userId });
      if (answer.status === 200) return answer;
      // The answer of an earlier try may have been lost.
      return alice.get(v3`/rooms/${roomId}/state/m.room.member/${bob.userId}`);
    });
    const joined = await insist(pair, 1, () => bob.post(v3`/join/${roomId}`));
    assert.equal(textAt(joined.body, 'room_id'), roomId);
  }
});
