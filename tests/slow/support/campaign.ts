import { setTimeout as pause } from 'node:timers/promises';
import { Seeded } from '../../support/seeded.ts';
import { Conversation, throwFirst } from './conversation.ts';
import { IslandPair } from './island-pair.ts';
import type { Person } from './person.ts';
import type { Death, Plan, Relapse, Round } from './plan.ts';

/** So long it may take until a point is passed. */
const patienceMs = 60_000;
/** So long a process that comes back has to pass the point at which it is to die again. */
const relapseMs = 700;

export interface Outcome {
  /** Nothing: all was as it has to be. */
  readonly violations: readonly string[];
  /** Who was killed where, one entry for each process. */
  readonly kills: readonly string[];
}

/** Two islands, people who write on both, and what a plan does to them. */
export class Campaign {
  readonly #plan: Plan;
  readonly #pair: IslandPair;
  readonly #conversation: Conversation;
  readonly #random: Seeded;
  readonly #kills: string[] = [];

  private constructor(plan: Plan, pair: IslandPair, conversation: Conversation, random: Seeded) {
    this.#plan = plan;
    this.#pair = pair;
    this.#conversation = conversation;
    this.#random = random;
  }

  /** Goes through a plan, up to the first round after which something is wrong. */
  static async run(entry: string, plan: Plan): Promise<Outcome> {
    const random = new Seeded(plan.seed);
    const pair = await IslandPair.start({ entry, roomVersion: plan.roomVersion });
    let isDone = false;
    try {
      const campaign = new Campaign(plan, pair, await Conversation.begin(pair, random), random);
      const outcome = await campaign.#run();
      isDone = outcome.violations.length === 0;
      return outcome;
    } finally {
      await pair.stop({ keep: !isDone && process.env['FAULT_KEEP'] === '1' });
    }
  }

  async #run(): Promise<Outcome> {
    for (const [index, round] of this.#plan.rounds.entries()) {
      const found = await this.#round(round);
      if (found.length > 0)
        return { violations: [`in round ${index}: ${JSON.stringify(round)}`, ...found], kills: this.#kills };
    }
    return { violations: [], kills: this.#kills };
  }

  async #round(round: Round): Promise<string[]> {
    const { death, isQuietAfter } = round;
    const crowd = this.#crowdOf(round);
    await this.#setTrap(death);
    const talk = this.#conversation.talk(crowd);
    const victims = victimsOf(death);
    try {
      if (death.kind === 'at random') {
        await pause(death.afterMs);
        for (const index of victims) this.#pair.island(index).kill();
      }
      const died = Promise.all(victims.map((index) => this.#pair.island(index).dead()));
      if (!(await within(patienceMs, died))) return [`nobody died ${JSON.stringify(death)}`];
      for (const index of victims) this.#count(index, nameOf(death));
      if (isQuietAfter) talk.quiet();
      await pause(round.absenceMs);
      throwFirst(await Promise.allSettled(victims.map((index) => this.#comeBack(index, round.relapses))));
      for (const [index, island] of this.#pair.islands.entries())
        if (!victims.includes(index)) await island.setTrap(undefined);
      if (!isQuietAfter) await talk.goOn();
      await talk.end();
    } finally {
      talk.abandon();
    }
    return this.#conversation.judge(crowd);
  }

  #setTrap(death: Death): Promise<void> | undefined {
    if (death.kind !== 'at a point') return undefined;
    const { point, hit, island } = death;
    const victims = victimsOf(death).map((index) =>
      index === island ? ('self' as const) : this.#pair.island(index).pid,
    );
    return this.#pair.island(island).setTrap({ point, hit, victims });
  }

  /** Starts an island again, with the deaths that it is to die on the way. */
  async #comeBack(index: number, relapses: readonly Relapse[]): Promise<void> {
    const island = this.#pair.island(index);
    for (const relapse of relapses) {
      if (relapse.kind === 'at a point') {
        const { point } = relapse;
        await this.#pair.revive(index, { point, hit: 1, victims: ['self'] });
        if (!(await within(relapseMs, island.dead()))) await island.setTrap(undefined);
        if (island.isListening) return;
        this.#count(index, `itself at ${point}, coming back`);
      } else {
        const revival = this.#pair.revive(index);
        await pause(relapse.afterMs);
        island.kill();
        await revival;
        await island.dead();
        this.#count(index, 'at random, coming back');
      }
    }
    await this.#pair.revive(index);
  }

  #count(index: number, how: string): void {
    this.#kills.push(`${this.#pair.island(index).serverName}: ${how}`);
  }

  #crowdOf({ crowd, death }: Round): readonly Person[] {
    if (crowd === 'everybody') return this.#conversation.people;
    const side = this.#pair.island(writersSide(death, this.#random));
    const here = this.#conversation.people.filter((person) => person.island === side);
    return crowd === 'one' ? here.slice(0, 1) : here;
  }
}

function victimsOf(death: Death): readonly number[] {
  if (death.kind === 'at random') return death.islands;
  if (death.victims === 'both') return [0, 1];
  return [death.victims === 'itself' ? death.island : 1 - death.island];
}

/** Whose people have to write so that the point is passed. */
function writersSide(death: Death, random: Seeded): number {
  if (death.kind === 'at random' || death.point === 'event-stored') return random.below(2);
  return death.point === 'staged' ? 1 - death.island : death.island;
}

function nameOf(death: Death): string {
  return death.kind === 'at random' ? 'at random' : `${death.victims} at ${death.point}`;
}

async function within(ms: number, event: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = pause(ms, 'late', { signal: timer.signal }).catch(() => 'late');
  const first = await Promise.race([event.then(() => 'happened'), late]);
  timer.abort();
  return first === 'happened';
}
