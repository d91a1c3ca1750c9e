import { setTimeout as pause } from 'node:timers/promises';
import { type Client, ok, textAt, v3 } from '../../support/client.ts';
import { Seeded } from '../../support/seeded.ts';
import { IslandPair } from './island-pair.ts';
import { backlogOf, violations } from './judge.ts';
import { Person } from './person.ts';
import type { Death, Plan, Relapse, Round } from './plan.ts';

/** So long the islands may take to come to rest, and a point to be passed. */
const patienceMs = 30_000;
/** So many things everybody still does after all are back. */
const deedsAfter = 3;
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
  readonly #people: readonly Person[];
  readonly #random: Seeded;
  readonly #kills: string[] = [];

  private constructor(plan: Plan, pair: IslandPair, people: readonly Person[], random: Seeded) {
    this.#plan = plan;
    this.#pair = pair;
    this.#people = people;
    this.#random = random;
  }

  /** Goes through a plan, up to the first round after which something is wrong. */
  static async run(entry: string, plan: Plan): Promise<Outcome> {
    const random = new Seeded(plan.seed);
    const pair = await IslandPair.start({ entry, roomVersion: plan.roomVersion });
    let isDone = false;
    try {
      const campaign = new Campaign(plan, pair, await gather(pair, random), random);
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
    const writing = new AbortController();
    const reading = new AbortController();
    await this.#setTrap(death);
    const acts = Promise.allSettled(crowd.map((person) => this.#write(person, writing.signal)));
    const syncs = Promise.allSettled(this.#people.map((person) => this.#read(person, reading.signal)));
    const victims = victimsOf(death);
    try {
      if (death.kind === 'at random') {
        await pause(death.afterMs);
        for (const index of victims) this.#pair.island(index).kill();
      }
      const died = Promise.all(victims.map((index) => this.#pair.island(index).dead()));
      if (!(await within(patienceMs, died))) return [`nobody died ${JSON.stringify(death)}`];
      for (const index of victims) this.#count(index, nameOf(death));
      if (isQuietAfter) writing.abort();
      await pause(round.absenceMs);
      throwFirst(await Promise.allSettled(victims.map((index) => this.#comeBack(index, round.relapses))));
      for (const [index, island] of this.#pair.islands.entries())
        if (!victims.includes(index)) await island.setTrap(undefined);
      if (!isQuietAfter) await goOn(crowd);
      writing.abort();
      throwFirst(await acts);
      reading.abort();
      throwFirst(await syncs);
    } finally {
      writing.abort();
      reading.abort();
    }
    return this.#judge(crowd);
  }

  async #judge(crowd: readonly Person[]): Promise<string[]> {
    const giveUp = Date.now() + patienceMs;
    for (let quiet = 0; quiet < 2; ) {
      const backlogs = this.#pair.islands.map(backlogOf);
      quiet = backlogs.every((counts) => Object.values(counts).every((n) => n === 0)) ? quiet + 1 : 0;
      if (Date.now() > giveUp) return [`it does not come to rest: ${JSON.stringify(backlogs)}`];
      await pause(10);
    }
    for (const person of crowd) {
      const deed = person.deeds.at(-1 - this.#random.below(10));
      if (deed !== undefined) await person.repeat(deed);
    }
    for (const person of this.#people) await person.sync(0);
    return violations(this.#pair, this.#people);
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

  async #write(person: Person, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await person.act();
      if (this.#random.chance(0.7)) await pause(this.#random.below(20));
    }
  }

  async #read(person: Person, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await person.sync(200);
  }

  #crowdOf({ crowd, death }: Round): readonly Person[] {
    if (crowd === 'everybody') return this.#people;
    const side = this.#pair.island(writersSide(death, this.#random));
    const here = this.#people.filter((person) => person.island === side);
    return crowd === 'one' ? here.slice(0, 1) : here;
  }
}

/** Resolves when each of them has done a few things more. */
async function goOn(crowd: readonly Person[]): Promise<void> {
  const ends = crowd.map((person) => person.acts + deedsAfter);
  const giveUp = Date.now() + patienceMs;
  while (crowd.some((person, index) => person.acts < (ends[index] ?? 0))) {
    if (Date.now() > giveUp) throw new Error('people cannot go on');
    await pause(5);
  }
}

/** Makes a room with two people of each island, and begins their `/sync`. */
async function gather(pair: IslandPair, random: Seeded): Promise<Person[]> {
  const clients: { client: Client; index: number }[] = [];
  for (const [index, names] of [
    ['alice', 'anna'],
    ['bob', 'bea'],
  ].entries())
    for (const name of names)
      clients.push({ client: await Person.register(pair.island(index), name), index });
  const [host, ...guests] = clients;
  if (host === undefined) throw new Error('somebody makes the room');
  const roomId = await host.client.createRoom({
    preset: 'private_chat',
    invite: guests.map(({ client }) => client.userId),
    power_level_content_override: { users_default: 50 },
  });
  for (const { client } of guests) textAt(await ok(client.post(v3`/join/${roomId}`)), 'room_id');
  const people = clients.map(
    ({ client, index }) => new Person(client, pair.island(index), roomId, random.fork()),
  );
  await settleJoins(pair);
  for (const person of people) await person.begin();
  return people;
}

async function settleJoins(pair: IslandPair): Promise<void> {
  const giveUp = Date.now() + patienceMs;
  while (pair.islands.some((island) => Object.values(backlogOf(island)).some((n) => n > 0))) {
    if (Date.now() > giveUp) throw new Error('the room was never ready');
    await pause(10);
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

function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function within(ms: number, event: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = pause(ms, 'late', { signal: timer.signal }).catch(() => 'late');
  const first = await Promise.race([event.then(() => 'happened'), late]);
  timer.abort();
  return first === 'happened';
}
