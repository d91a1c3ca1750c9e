import { relative } from 'node:path';
import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { describeProblems, formatProblem, type Problem } from '../../config/problem.ts';
import { AdminError } from '../admin-error.ts';
import type { OnlineFinding } from '../partners/check-online.ts';
import { type ConfigOption, withConfig } from './configuration.ts';
import { counted, note, plain, print, shownPath } from './terminal.ts';

interface Options extends ConfigOption {
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly online?: boolean;
}

/** A line of what was found, as `--json` gives it. */
interface Found extends Problem {
  readonly severity: 'error' | 'warning' | 'info';
}

export function addCheckConfig(program: Command): void {
  const command = program
    .command('check-config')
    .description(
      'Check the configuration and the files beside it. Nothing is written, and without --online nothing is dialled. Ends with 1 if something is wrong.',
    )
    .option('--strict', 'warnings count as mistakes')
    .option('--json', 'what was found as JSON: file, line, column, severity, message, suggestion')
    .option(
      '--online',
      'also dial each active partner as far as the handshake: name, TLS certificate, clock, keys',
    );
  withConfig(command).action(check);
}

async function check({ config: file, strict = false, json = false, online = false }: Options): Promise<void> {
  // Loaded only here: the help needs none of it and is quick.
  const { loadConfig } = await import('../../config/load.ts');
  const loaded = await loadConfig(file);
  if (!loaded.ok) {
    if (json) printJson(loaded.problems.map((problem) => ({ ...problem, severity: 'error' })));
    throw new AdminError(
      json
        ? `the configuration has ${mistakes(loaded.problems)}`
        : describeProblems(loaded.problems, process.cwd()),
    );
  }
  const { config, warnings } = loaded;
  if (!json) for (const warning of warnings) note(`warning: ${formatProblem(warning, process.cwd())}`);
  const reached = online ? await dialled(config) : [];
  if (json)
    printJson([
      ...warnings.map((warning): Found => ({ ...warning, severity: 'warning' })),
      ...reached.map(foundOf),
    ]);
  else
    for (const { status, partner, message } of reached)
      print(`${status.padEnd(7)}  ${partner.serverName}: ${plain(message)}`);
  const failed = reached.filter(({ status }) => status === 'error').length;
  if (failed > 0)
    throw new AdminError(`${counted(failed, 'URL')} of partners cannot be reached as they should be`);
  const worrying = warnings.length + reached.filter(({ status }) => status === 'warning').length;
  if (strict && worrying > 0) throw new AdminError(`the configuration has ${counted(worrying, 'warning')}`);
  const partners =
    config.partners.length === 0
      ? 'no partners, so it talks to nobody'
      : counted(config.partners.length, 'partner');
  if (!json) print(`${shownPath(file)} is in order: ${config.serverName}, ${partners}`);
}

async function dialled(config: Config): Promise<OnlineFinding[]> {
  const { checkOnline } = await import('../partners/check-online.ts');
  const { readSigningKey } = await import('../keys.ts');
  const { systemClock, systemRandom } = await import('../runtime.ts');
  const signingKey = await readSigningKey(config.signingKeyPath);
  return checkOnline(config, { clock: systemClock, random: systemRandom, signingKey });
}

function foundOf({ partner, status, message }: OnlineFinding): Found {
  const { file, line, column } = partner.source;
  const severity = status === 'ok' ? 'info' : status;
  return { file, line, column, message: `${partner.serverName}: ${message}`, severity };
}

function mistakes(problems: readonly Problem[]): string {
  return problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`;
}

/** Paths as they are seen from here, as people would write them. */
function printJson(found: readonly Found[]): void {
  const shown = found.map(({ file, line, column, severity, message, suggestion }) => {
    const seen = relative(process.cwd(), file);
    return {
      file: seen.startsWith('..') ? file : seen,
      line,
      column,
      severity,
      message,
      suggestion: suggestion ?? null,
    };
  });
  print(JSON.stringify(shown, null, 2));
}
