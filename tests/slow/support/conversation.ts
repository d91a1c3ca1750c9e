import { setTimeout as pause } from 'node:timers/promises';
import { type Client, ok, textAt, v3 } from '../../support/client.ts';
import type { Seeded } from '../../support/seeded.ts';
import type { IslandPair } from './island-pair.ts';
import { unrest, violations } from './judge.ts';
import { Person } from './person.ts';

/** So long people may take to go on. */
const patienceMs = 60_000;
/** So many things everybody does when they are to go on. */
const deedsMore = 3;

/** Four people of two islands in one room. */
export class Conversation {
  readonly people: readonly Person[];
  readonly #pair: IslandPair;
  readonly #random: Seeded;

  private constructor(pair: IslandPair, people: readonly Person[], random: Seeded) {
    this.people = people;
    this.#pair = pair;
    this.#random = random;
  }

  /** Makes a room with two people of each island, and begins their `/sync`. */
  static async begin(pair: IslandPair, random: Seeded): Promise<Conversation> {
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
    const conversation = new Conversation(pair, people, random);
    const due = await unrest(pair);
    if (due !== undefined) throw new Error(due);
    for (const person of people) await person.begin();
    return conversation;
  }

  /** Lets `crowd` write and everybody read, until they are told to end. */
  talk(crowd: readonly Person[]): Talk {
    return new Talk(this.people, crowd, this.#random);
  }

  /** What is not as it has to be, once both islands have nothing left to do; `crowd` are those who wrote last. */
  async judge(crowd: readonly Person[]): Promise<string[]> {
    const due = await unrest(this.#pair);
    if (due !== undefined) return [due];
    for (const person of crowd) {
      const deed = person.deeds.at(-1 - this.#random.below(10));
      if (deed !== undefined) await person.repeat(deed);
    }
    for (const person of this.people) await person.sync(0);
    return violations(this.#pair, this.people);
  }
}

/** A stretch of a conversation, whatever happens to the islands meanwhile. */
export class Talk {
  readonly #writers: readonly Person[];
  readonly #writing = new AbortController();
  readonly #reading = new AbortController();
  readonly #acts: Promise<readonly PromiseSettledResult<void>[]>;
  readonly #syncs: Promise<readonly PromiseSettledResult<void>[]>;

  constructor(readers: readonly Person[], writers: readonly Person[], random: Seeded) {
    this.#writers = writers;
    this.#acts = Promise.allSettled(writers.map((person) => this.#write(person, random)));
    this.#syncs = Promise.allSettled(readers.map((person) => this.#read(person)));
  }

  /** Nobody begins anything new; what was begun is still brought to its end. */
  quiet(): void {
    this.#writing.abort();
  }

  /** Resolves when each of the writers has done a few things more. */
  async goOn(): Promise<void> {
    const ends = this.#writers.map((person) => person.acts + deedsMore);
    const giveUp = Date.now() + patienceMs;
    while (this.#writers.some((person, index) => person.acts < (ends[index] ?? 0))) {
      if (Date.now() > giveUp) throw new Error('people cannot go on');
      await pause(5);
    }
  }

  /** Resolves when all that was begun has ended; both islands have to be up. */
  async end(): Promise<void> {
    this.#writing.abort();
    throwFirst(await this.#acts);
    this.#reading.abort();
    throwFirst(await this.#syncs);
  }

  /** Waits for nobody: what they wait for may never come. */
  abandon(): void {
    this.#writing.abort();
    this.#reading.abort();
  }

  async #write(person: Person, random: Seeded): Promise<void> {
    while (!this.#writing.signal.aborted) {
      await person.act();
      if (random.chance(0.7)) await pause(random.below(20));
    }
  }

  async #read(person: Person): Promise<void> {
    while (!this.#reading.signal.aborted) await person.sync(200);
  }
}

/** For things that run beside each other: the others have ended when the first failure is thrown. */
export function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
