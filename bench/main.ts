import { parseArgs } from 'node:util';
import { type Checkout, checkoutAt, root } from './checkout.ts';
import { benchLink } from './link.ts';
import { describeMachine, machineLine } from './machine.ts';
import { benchPolicy } from './policy.ts';
import { benchProfile } from './profile.ts';
import { printReport, type Report, writeResults } from './report.ts';
import { benchSend } from './send.ts';
import { benchStart } from './start.ts';
import { benchSync } from './sync.ts';

const parts: Readonly<Record<string, (checkouts: readonly Checkout[], runs: number) => Promise<Report>>> = {
  send: benchSend,
  link: benchLink,
  sync: benchSync,
  start: benchStart,
  policy: benchPolicy,
  profile: benchProfile,
};

const usage = `npm run bench [-- ${Object.keys(parts).join('|')} …] [--runs N] [--against DIR]
  --runs N       measure each case so many times and show the median (default 5)
  --against DIR  measure another checkout, built, in the same run, the two taking turns`;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runs: { type: 'string', default: '5' }, against: { type: 'string' } },
  });
  const runs = Number(values.runs);
  const unknown = positionals.filter((name) => parts[name] === undefined);
  if (!Number.isInteger(runs) || runs < 1 || unknown.length > 0) throw new Error(usage);
  const checkouts = [checkoutAt(root, 'island')];
  if (values.against !== undefined) checkouts.push(checkoutAt(values.against, 'against'));
  const machine = describeMachine();
  process.stdout.write(`${machineLine(machine)}\n`);
  const reports: Report[] = [];
  for (const [name, measure] of Object.entries(parts)) {
    if (positionals.length > 0 && !positionals.includes(name)) continue;
    const report = await measure(checkouts, runs);
    printReport(report, (text) => process.stdout.write(text));
    reports.push(report);
  }
  process.stdout.write(`\nwritten to ${await writeResults(machine, checkouts, reports)}\n`);
  if (reports.some(({ requirements }) => requirements.some(({ holds }) => !holds))) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
});
