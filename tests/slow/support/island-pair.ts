import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { partnerEntry } from '../../support/test-config.ts';
import { Wire } from '../../support/wire.ts';
import { KillableIsland } from './killable-island.ts';

export const serverNames = ['acme.test', 'bolt.test'] as const;

/** Two islands in processes of their own, partners of each other, and a wire for each to dial the other by. */
export class IslandPair {
  readonly islands: readonly [KillableIsland, KillableIsland];
  readonly #directory: string;
  /** By the index of the island at the far end. */
  readonly wires: readonly [Wire, Wire];

  private constructor(
    directory: string,
    islands: readonly [KillableIsland, KillableIsland],
    wires: readonly [Wire, Wire],
  ) {
    this.#directory = directory;
    this.islands = islands;
    this.wires = wires;
  }

  /** Starts both; `pace`: how many times faster than the world their clocks run. */
  static async start(options: {
    readonly entry: string;
    readonly roomVersion: string;
    readonly pace?: number;
  }): Promise<IslandPair> {
    const directory = await mkdtemp(join(tmpdir(), 'archipelago-pair-'));
    const { entry, roomVersion, pace = 1 } = options;
    const epoch = Date.now();
    const prepare = (serverName: string): Promise<KillableIsland> =>
      KillableIsland.prepare({
        entry,
        serverName,
        directory: join(directory, serverName),
        roomVersion,
        pace,
        epoch,
      });
    const islands = [await prepare(serverNames[0]), await prepare(serverNames[1])] as const;
    // Where they listen is known once they do.
    const wires = [await Wire.to(0), await Wire.to(0)] as const;
    const pair = new IslandPair(directory, islands, wires);
    for (const [index, island] of islands.entries()) {
      const other = pair.island(1 - index);
      island.setPartners([
        partnerEntry(other.serverName, other.keys.signingKey, pair.wireTo(1 - index).port),
      ]);
    }
    await Promise.all([pair.revive(0), pair.revive(1)]);
    return pair;
  }

  island(index: number): KillableIsland {
    return index === 0 ? this.islands[0] : this.islands[1];
  }

  wireTo(index: number): Wire {
    return index === 0 ? this.wires[0] : this.wires[1];
  }

  /** Starts an island; false if a trap killed it on the way. */
  async revive(index: number, trap?: Parameters<KillableIsland['start']>[0]): Promise<boolean> {
    const island = this.island(index);
    // Its old port may be somebody else's by now.
    this.wireTo(index).retarget(0);
    const isUp = await island.start(trap);
    if (isUp && island.isListening) this.wireTo(index).retarget(island.port);
    return isUp;
  }

  async stop(options: { readonly keep?: boolean } = {}): Promise<void> {
    await Promise.all(this.islands.map((island) => island.stop()));
    await Promise.all(this.wires.map((wire) => wire.close()));
    if (options.keep === true) console.log(`      kept: ${this.#directory}`);
    else await rm(this.#directory, { recursive: true, force: true });
  }
}
