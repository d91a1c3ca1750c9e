import type { FailPointName } from '../../../protocol/runtime.ts';
import { Seeded } from '../../support/seeded.ts';

export const failPoints = [
  'event-stored',
  'boundaries-stored',
  'staged',
  'acknowledged',
  'row-deleted',
] as const satisfies readonly FailPointName[];

type Victims = 'itself' | 'its partner' | 'both';

/** How one island, or both, come to their end. */
export type Death =
  /** When `island` passes the point for the n-th time. */
  | {
      readonly kind: 'at a point';
      readonly island: number;
      readonly point: FailPointName;
      readonly hit: number;
      readonly victims: Victims;
    }
  | { readonly kind: 'at random'; readonly islands: readonly number[]; readonly afterMs: number };

/** One round: people write, somebody dies, comes back, and all is compared. */
export interface Round {
  readonly death: Death;
  /** Who writes: one person, the people of one island, or everybody. */
  readonly crowd: 'one' | 'one island' | 'everybody';
  /** Nobody begins anything new after the death: what was lost is not found by way of what comes after it. */
  readonly isQuietAfter: boolean;
  /** How long the dead stay dead while others write. */
  readonly absenceMs: number;
  /** Deaths on the way back, one after the other. */
  readonly relapses: readonly Relapse[];
}

export type Relapse =
  | { readonly kind: 'at a point'; readonly point: FailPointName }
  | { readonly kind: 'at random'; readonly afterMs: number };

export interface Plan {
  readonly seed: number;
  readonly roomVersion: '10' | '11' | '12';
  readonly rounds: readonly Round[];
}

const hits = [1, 2, 4, 9] as const;
const roundsPerPlan = 4;

/** Every point, with the side that dies and the side that passes it. */
const table: readonly {
  readonly point: FailPointName;
  readonly island: number;
  readonly victims: Victims;
}[] = failPoints.flatMap((point) =>
  ([0, 1] as const).flatMap((island) =>
    (['itself', 'its partner'] as const).map((victims) => ({ point, island, victims })),
  ),
);

/** Plans with these seeds go through the whole table, each entry with every count of hits. */
export const systematicSeeds = Array.from(
  { length: (table.length * hits.length) / roundsPerPlan },
  (_, index) => index,
);

/** What happens under a seed. */
export function planOf(seed: number): Plan {
  const random = new Seeded(seed);
  const isSystematic = seed < systematicSeeds.length;
  const rounds = Array.from({ length: roundsPerPlan }, (_, index) => {
    const number = seed * roundsPerPlan + index;
    return roundOf(random, isSystematic ? systematicDeath(number) : randomDeath(random));
  });
  return { seed, roomVersion: random.pick(['10', '11', '12']), rounds };
}

function systematicDeath(number: number): Death {
  const entry = table[number % table.length];
  const hit = hits[Math.floor(number / table.length) % hits.length];
  if (entry === undefined || hit === undefined) throw new Error('the table has this entry');
  return { kind: 'at a point', ...entry, hit };
}

function randomDeath(random: Seeded): Death {
  if (random.chance(0.25))
    return {
      kind: 'at a point',
      island: random.below(2),
      point: random.pick(failPoints),
      hit: 1 + random.below(12),
      victims: 'both',
    };
  const islands = random.pick([[0], [1], [0, 1]]);
  return { kind: 'at random', islands, afterMs: random.below(700) };
}

function roundOf(random: Seeded, death: Death): Round {
  return {
    death,
    crowd: random.pick(['one', 'one island', 'everybody', 'everybody']),
    isQuietAfter: random.chance(0.5),
    absenceMs: random.chance(0.5) ? 0 : random.below(400),
    relapses: random.chance(0.3) ? Array.from({ length: 1 + random.below(2) }, () => relapse(random)) : [],
  };
}

function relapse(random: Seeded): Relapse {
  if (random.chance(0.6)) return { kind: 'at a point', point: random.pick(failPoints) };
  return { kind: 'at random', afterMs: random.below(200) };
}
