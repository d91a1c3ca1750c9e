import assert from 'node:assert/strict';
import { setState } from '../conversation.ts';
import { Seeded } from '../seeded.ts';
import { deeds, signs } from './deeds.ts';
import { drawPolicy, openPolicy } from './policies.ts';
import { type Comparison, ExplainedStage } from './stage.ts';

/**
 * Draws policies, and under each of them deeds: what explain says of each, and what two islands make of it. Gives how
 * many there were, and of each action how many were denied.
 */
export async function compareExplained(options: {
  readonly seed: number;
  readonly policies: number;
  readonly deedsEach: number;
}): Promise<{ readonly cases: number; readonly denied: ReadonlyMap<string, number> }> {
  const random = new Seeded(options.seed);
  const stage = await ExplainedStage.open();
  const denied = new Map<string, number>();
  let cases = 0;
  try {
    for (let index = 0; index < options.policies; index += 1) {
      // What receipts name has to be there whatever the policy is.
      stage.setPolicy(openPolicy);
      for (const { roomId } of stage.rooms)
        await setState(
          roomId === stage.rooms[1]?.roomId ? stage.theirs[0] : stage.ours[0],
          roomId,
          'm.room.topic',
          {
            topic: `policy ${index}`,
          },
        );
      await stage.network.settled();
      const policy = index === 0 ? openPolicy : drawPolicy(random);
      stage.setPolicy(policy);
      const outcomes: (() => Promise<Comparison>)[] = [];
      for (let deed = 0; deed < options.deedsEach; deed += 1)
        outcomes.push(await random.pick(deeds)(stage, random));
      for (const sign of signs) outcomes.push(await sign(stage, random));
      await stage.network.settled();
      for (const outcome of outcomes) {
        const comparison = await outcome();
        assertAgree(comparison, `seed ${options.seed}, policy ${index} ${JSON.stringify(policy)}`);
        cases += 1;
        const [action = ''] = comparison.deed.split(' ');
        if (!comparison.observed.isAllowed) denied.set(action, (denied.get(action) ?? 0) + 1);
      }
    }
  } finally {
    await stage.stop();
  }
  return { cases, denied };
}

function assertAgree({ deed, explained, observed }: Comparison, where: string): void {
  const complaint = `${deed}: explained as ${JSON.stringify(explained)}, went ${JSON.stringify(observed)}; ${where}`;
  assert.equal(observed.isAllowed, explained.isAllowed, complaint);
  if (observed.codes !== undefined) assert.deepEqual(observed.codes, explained.codes, complaint);
}
