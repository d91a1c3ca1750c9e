import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFloor, type Checkout } from './checkout.ts';
import { type Contender, floorContender, islandContender } from './contender.ts';
import { type Frame, timeByPart } from './cpu-profile.ts';
import { type Load, send } from './load.ts';
import type { Report } from './report.ts';

const load: Load = { connections: 64, rooms: 50, messages: 10_000 };
const intervalUs = 250;

/** Where the time of a message goes, in an island and in the floor program: the part of `send` with the requirement. */
export async function benchProfile(checkouts: readonly Checkout[]): Promise<Report> {
  const floor = buildFloor();
  const found = [
    { name: 'floor', times: await profiled((options) => floorContender(floor, load.rooms, options), '') },
  ];
  for (const checkout of checkouts) {
    const times = await profiled((options) => islandContender(checkout, load.rooms, options), checkout.root);
    found.push({ name: checkout.name, times });
  }
  const totals = found.map(({ times }) => [...times.values()].reduce((sum, time) => sum + time, 0));
  const parts = partNames.filter((part) => found.some(({ times }) => times.has(part)));
  return {
    name: 'profile',
    about:
      'microseconds of the main thread for each message at 64 connections in 50 rooms, and the share of each part',
    columns: ['part', ...found.flatMap(({ name }) => [name, 'share'])],
    rows: [
      ...parts.map((part) => [
        part,
        ...found.flatMap(({ times }, index) => {
          const time = times.get(part) ?? 0;
          return [time / load.messages, `${Math.round((100 * time) / (totals[index] ?? 1))} %`];
        }),
      ]),
      ['all', ...totals.flatMap((total) => [total / load.messages, '100 %'])],
    ],
    requirements: [],
    measurements: found.map(({ name, times }) => ({ name, microseconds: Object.fromEntries(times) })),
  };
}

async function profiled(
  start: (nodeOptions: readonly string[]) => Promise<Contender>,
  root: string,
): Promise<Map<string, number>> {
  const directory = await mkdtemp(join(tmpdir(), 'archipelago-profile-'));
  const options = ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-interval=${intervalUs}`];
  const contender = await start(options);
  try {
    await send(contender, load);
    const began = monotonicUs();
    await send(contender, load);
    const ended = monotonicUs();
    await contender.remove();
    const [file] = await readdir(directory);
    if (file === undefined) throw new Error(`${contender.name} has left no profile`);
    return timeByPart(join(directory, file), root, [began, ended], partOf);
  } finally {
    await contender.remove();
    await rm(directory, { recursive: true, force: true });
  }
}

function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

const partNames = [
  'HTTP: node:http, Koa, router, body, answer',
  'authentication, limits, handler',
  'canonical JSON, hashes',
  'Ed25519 signature',
  'room engine: rules, view, what is to be written',
  'writer: batches, statements, streams',
  'SQLite: statements, commit, fsync',
  'promises: node and V8',
  'garbage collection',
  'other native code',
] as const;

type Part = (typeof partNames)[number];

/** The first rule that fits a frame, from the innermost one outwards. */
const rules: readonly (readonly [RegExp, Part])[] = [
  [/^(?:http|federation\/link)\//, 'HTTP: node:http, Koa, router, body, answer'],
  [/^protocol\/(?:canonical-json|hashing|signing|base64|redaction)\b/, 'canonical JSON, hashes'],
  [/^(?:rooms|protocol|policy)\//, 'room engine: rules, view, what is to be written'],
  [/^storage\/stores\//, 'room engine: rules, view, what is to be written'],
  [/^storage\//, 'writer: batches, statements, streams'],
  [/^(?:server|federation|config)\//, 'authentication, limits, handler'],
  [/^bench\/floor/, 'canonical JSON, hashes'],
];

/** What runs statements, on either side. */
const sqlite = /^(?:better-sqlite3|typeorm|storage\/prepared-statements\.ts)$/;

function partOf(stack: readonly Frame[]): Part {
  const [leaf] = stack;
  if (leaf?.name === '(garbage collector)') return 'garbage collection';
  if (leaf?.name === '(program)') return 'other native code';
  if (stack.some(({ file }) => sqlite.test(file))) return 'SQLite: statements, commit, fsync';
  if (stack.some(({ name, file }) => name === 'sign' && file.startsWith('protocol/')))
    return 'Ed25519 signature';
  if (leaf?.name === 'runMicrotasks' || leaf?.name === 'processTicksAndRejections')
    return 'promises: node and V8';
  for (const { file } of stack) {
    const rule = rules.find(([pattern]) => pattern.test(file));
    if (rule !== undefined) return rule[1];
  }
  return 'HTTP: node:http, Koa, router, body, answer';
}
