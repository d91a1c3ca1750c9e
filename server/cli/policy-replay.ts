import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Config } from '../../config/config.ts';
import { parseDuration, parseEnd, parseMoment } from '../../config/units.ts';
import type { ChangedDecision, ReplayedViolation } from '../../federation/border/replay.ts';
import { isObject, type JsonObject } from '../../protocol/json.ts';
import { AdminError } from '../admin-error.ts';
import { administration } from '../control/access.ts';
import { systemClock } from '../runtime.ts';
import { readConfiguration } from './configuration.ts';
import { counted, plain, print } from './terminal.ts';

interface Options {
  readonly config: string;
  readonly island?: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly json?: boolean;
}

interface Replayed {
  readonly decisions: number;
  readonly times: number;
  readonly changed: ChangedDecision[];
}

export function addPolicyReplay(policy: Command): void {
  policy
    .command('replay')
    .description(
      'Say which of the decisions that the border made would be others with a draft of the configuration. Nothing is changed.',
    )
    .requiredOption('-c, --config <draft>', 'the draft, with its conf.d beside it')
    .option('--island <file>', 'the configuration of the island, if the draft names another data folder')
    .addOption(
      new Option('--since <time>', 'as 7d, 2026-11-18 or 2026-11-18T06:00:00Z')
        .argParser(since)
        .default(ago('7d'), '7d'),
    )
    .option('--json', 'as JSON, for other programs')
    .action(async (options: Options) => {
      const draft = await readConfiguration(options.config);
      const island = options.island === undefined ? draft : await readConfiguration(options.island);
      if (draft.serverName !== island.serverName)
        throw new AdminError(`The draft is of ${draft.serverName}, the island is ${island.serverName}`);
      const replayed = await replay(island, draft, options.since);
      print(options.json === true ? jsonOf(replayed, options.since) : describe(replayed, options.since));
    });
}

async function replay(island: Config, draft: Config, sinceTs: number): Promise<Replayed> {
  const { PartnerRegistry } = await import('../../federation/partners/registry.ts');
  const { readOverlay } = await import('../../federation/partners/overlay.ts');
  const { replayDecision } = await import('../../federation/border/replay.ts');
  const now = systemClock.now();
  return administration(island, async (running) => {
    let book: InstanceType<typeof PartnerRegistry> | undefined;
    const replayed = { decisions: 0, times: 0, changed: [] as ChangedDecision[] };
    for (let after = ''; ; ) {
      const { decisions, overlays } = await running.call('policy.decisions', { since: sinceTs, after });
      book ??= new PartnerRegistry({
        serverName: draft.serverName,
        clock: systemClock,
        partners: draft.partners,
        overlays: new Map(Object.entries(overlays).map(([name, text]) => [name, readOverlay(text)])),
      });
      for (const { question, violations, first_ts: firstTs, last_ts: lastTs, times } of decisions) {
        replayed.decisions += 1;
        replayed.times += times;
        // They were JSON a moment ago.
        const record = { question, violations, firstTs, lastTs, times } as Parameters<
          typeof replayDecision
        >[1];
        const changed = replayDecision(book, record, now);
        if (changed !== undefined) replayed.changed.push(changed);
      }
      const last = decisions.at(-1);
      if (last === undefined) break;
      after = last.digest;
    }
    replayed.changed.sort((one, other) => other.times - one.times);
    return replayed;
  });
}

function jsonOf({ decisions, times, changed }: Replayed, sinceTs: number): string {
  const answer = (violations: readonly ReplayedViolation[]) => ({
    decision: violations.length === 0 ? 'allow' : 'deny',
    violations,
  });
  return JSON.stringify(
    {
      since: sinceTs,
      decisions,
      times,
      changed: changed.map(({ question, from, to, times: often, firstTs, lastTs }) => ({
        question,
        from: answer(from),
        to: answer(to),
        times: often,
        first_ts: firstTs,
        last_ts: lastTs,
      })),
    },
    null,
    2,
  );
}

function describe({ decisions, times, changed }: Replayed, sinceTs: number): string {
  const head = `${counted(decisions, 'recorded decision')} since ${moment(sinceTs)} (made ${counted(times, 'time')}): ${changed.length} would change.`;
  return [head, ...changed.flatMap(describeOne)].map(plain).join('\n');
}

function describeOne({ question, from, to, times, firstTs, lastTs }: ChangedDecision): string[] {
  const when =
    times === 1 ? moment(lastTs) : `${counted(times, 'time')} from ${moment(firstTs)} to ${moment(lastTs)}`;
  return [
    '',
    `${verdict(from)} -> ${verdict(to)}: ${deedOf(question)}; ${when}`,
    ...to.map(({ code, message, rule }) => `  ${message} (${code}, ${rule})`),
    ...(to.length === 0 ? from.map(({ message, rule }) => `  no more: ${message} (${rule})`) : []),
  ];
}

function verdict(violations: readonly ReplayedViolation[]): string {
  return violations.length === 0 ? 'allow' : 'deny';
}

const shownPeople = 3;

function deedOf({ action, direction, remoteServer, local, remote, room, eventType }: JsonObject): string {
  const ours = isObject(local) ? String(local['userId']) : 'us';
  const people = Array.isArray(remote) ? remote.map(String) : [];
  const more = people.length > shownPeople ? ` and ${people.length - shownPeople} more` : '';
  const theirs = people.length === 0 ? String(remoteServer) : people.slice(0, shownPeople).join(', ') + more;
  const between = direction === 'outbound' ? `from ${ours} to ${theirs}` : `from ${theirs} to ${ours}`;
  const type = typeof eventType === 'string' ? ` (${eventType})` : '';
  const where = isObject(room) ? ` in ${String(room['roomId'])}` : '';
  return `${String(action)}${type} ${between}${where}`;
}

function moment(ts: number): string {
  return new Date(ts).toISOString().slice(0, 16).replace('T', ' ');
}

function ago(duration: string): number {
  return systemClock.now() - (parseDuration(duration) ?? 0);
}

function since(text: string): number {
  if (parseDuration(text) !== undefined) return ago(text);
  // A day begins where the one before it ends.
  const day = parseMoment(`${text}T00:00:00Z`);
  const ts = day ?? parseEnd(text);
  if (ts === undefined)
    throw new InvalidArgumentError('A time is written 7d, 2026-11-18 or 2026-11-18T06:00:00Z.');
  return ts;
}
