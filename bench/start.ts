import { setTimeout as pause } from 'node:timers/promises';
import type { Checkout } from './checkout.ts';
import { BenchIsland } from './island.ts';
import type { Report } from './report.ts';
import { median, rounded } from './statistics.ts';

const maxReadyMs = 1_500;
const maxRestMiB = 150;
/** So long after it is ready an island is at rest. */
const restAfterMs = 2_000;

interface Measurement {
  readonly readyMs: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
}

interface Series {
  readonly server: string;
  readonly data: 'none' | 'some';
  readonly runs: Measurement[];
}

/** Time from the start of the process to `island ready`, and memory at rest: fresh, and with data. */
export async function benchStart(checkouts: readonly Checkout[], runs: number): Promise<Report> {
  const found: Series[] = checkouts.flatMap(({ name }) => [
    { server: name, data: 'none', runs: [] },
    { server: name, data: 'some', runs: [] },
  ]);
  const full = await Promise.all(checkouts.map((checkout) => BenchIsland.create(checkout)));
  try {
    for (const island of full) await island.seed(1_000, 1, 10_000);
    for (let run = 0; run < runs; run += 1) {
      for (const [index, checkout] of checkouts.entries()) {
        const fresh = await BenchIsland.create(checkout);
        found[2 * index]?.runs.push(await startOnce(fresh));
        await fresh.remove();
        const withData = full[index];
        if (withData !== undefined) found[2 * index + 1]?.runs.push(await startOnce(withData));
      }
    }
  } finally {
    for (const island of full) await island.remove();
  }
  return report(found);
}

async function startOnce(island: BenchIsland): Promise<Measurement> {
  const process = await island.start();
  const { readyAfterMs: readyMs, cpuMs } = process;
  await pause(restAfterMs);
  const { rssMiB } = process;
  await island.stop();
  return { readyMs, cpuMs, rssMiB };
}

function report(found: readonly Series[]): Report {
  const of = ({ runs }: Series, what: keyof Measurement): number => median(runs.map((run) => run[what]));
  const ours = found.filter(({ server }) => server === found[0]?.server);
  const slowest = Math.max(...ours.map((series) => of(series, 'readyMs')));
  const largest = Math.max(...ours.map((series) => of(series, 'rssMiB')));
  return {
    name: 'start',
    about: 'from the start of the process to "island ready", and its memory two seconds later',
    columns: ['server', 'data', 'ready ms', 'CPU ms', 'memory MiB'],
    rows: found.map((series) => [
      series.server,
      series.data === 'none' ? 'none' : '1,000 users, a room of all of them, 10,000 messages',
      of(series, 'readyMs'),
      of(series, 'cpuMs'),
      of(series, 'rssMiB'),
    ]),
    requirements: [
      { what: `ready in ${Math.round(slowest)} ms, under ${maxReadyMs}`, holds: slowest < maxReadyMs },
      { what: `${Math.round(largest)} MiB at rest, at most ${maxRestMiB}`, holds: largest <= maxRestMiB },
    ],
    measurements: found.map(({ runs, ...rest }) => ({
      ...rest,
      runs: runs.map((run) => ({
        readyMs: rounded(run.readyMs),
        cpuMs: rounded(run.cpuMs),
        rssMiB: rounded(run.rssMiB),
      })),
    })),
  };
}
