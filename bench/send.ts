import { buildFloor, type Checkout } from './checkout.ts';
import { type Contender, floorContender, islandContender } from './contender.ts';
import { type Load, type Measurement, send } from './load.ts';
import type { Cell, Report } from './report.ts';
import { median, rounded } from './statistics.ts';

/** In the order in which they run; the last one is the one with the requirement. */
const loads: readonly Load[] = [
  { connections: 1, rooms: 1, messages: 600 },
  { connections: 1, rooms: 50, messages: 600 },
  { connections: 16, rooms: 1, messages: 3_000 },
  { connections: 16, rooms: 50, messages: 3_000 },
  { connections: 64, rooms: 1, messages: 6_000 },
  { connections: 64, rooms: 50, messages: 6_000 },
];
const warmUp: Load = { connections: 64, rooms: 50, messages: 6_000 };
const requiredShare = 0.5;

/** Durable messages per second over HTTP, beside the floor program. The contenders take turns: A B A B. */
export async function benchSend(checkouts: readonly Checkout[], runs: number): Promise<Report> {
  const contenders: Contender[] = [];
  try {
    contenders.push(await floorContender(buildFloor(), 50));
    for (const checkout of checkouts) contenders.push(await islandContender(checkout, 50));
    for (const contender of contenders) await send(contender, warmUp);
    const found: { load: Load; contender: string; runs: Measurement[] }[] = [];
    for (const load of loads) {
      const results = contenders.map((contender) => ({
        load,
        contender: contender.name,
        runs: [] as Measurement[],
      }));
      for (let run = 0; run < runs; run += 1)
        for (const [index, contender] of contenders.entries())
          results[index]?.runs.push(await send(contender, load));
      found.push(...results);
    }
    return report(found);
  } finally {
    for (const contender of contenders) await contender.remove();
  }
}

function report(found: readonly { load: Load; contender: string; runs: readonly Measurement[] }[]): Report {
  const of = (runs: readonly Measurement[], what: keyof Measurement): number =>
    median(runs.map((run) => run[what]));
  const shares: number[] = [];
  const rows = found.map(({ load, contender, runs }): Cell[] => {
    const floor = found.find((other) => other.load === load && other.contender === 'floor')?.runs ?? [];
    const share = of(runs, 'rate') / of(floor, 'rate');
    const isRequired = load.connections === 64 && load.rooms === 50 && contender !== 'floor';
    if (isRequired) shares.push(share);
    return [
      `${load.connections}`,
      `${load.rooms}`,
      contender,
      of(runs, 'rate'),
      `${Math.round(100 * share)} %`,
      of(runs, 'p50'),
      of(runs, 'p99'),
      of(runs, 'cpuMs'),
      `${Math.round((100 * of(floor, 'cpuMs')) / of(runs, 'cpuMs'))} %`,
    ];
  });
  const [share = Number.NaN] = shares;
  return {
    name: 'send',
    about: 'durable messages over HTTP, one at a time on each connection',
    columns: [
      'connections',
      'rooms',
      'server',
      'messages/s',
      'of the floor',
      'p50 ms',
      'p99 ms',
      'CPU ms each',
      'of the floor',
    ],
    rows,
    requirements: [
      {
        what: `64 connections in 50 rooms reach ${Math.round(100 * share)} % of the floor, at least ${100 * requiredShare} %`,
        holds: share >= requiredShare,
      },
    ],
    measurements: found.map(({ runs, ...rest }) => ({
      ...rest,
      runs: runs.map(({ rate, p50, p99, cpuMs }) => ({
        rate: rounded(rate),
        p50: rounded(p50),
        p99: rounded(p99),
        cpuMs: rounded(cpuMs, 4),
      })),
    })),
  };
}
