import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import type { LoadedFiles } from '../../config/load.ts';
import { describeProblems, formatProblem } from '../../config/problem.ts';
import { AdminError } from '../admin-error.ts';
import { note } from './terminal.ts';

export interface ConfigOption {
  readonly config: string;
}

/** Gives a command the option that names the configuration. */
export function withConfig(command: Command): Command {
  return command.option('-c, --config <file>', 'the configuration of the island', 'homeserver.yaml');
}

/** Reads the configuration; warnings go to standard error. Throws AdminError with a line for each mistake. */
export async function readConfiguration(path: string): Promise<Config> {
  return (await readFiles(path)).config;
}

/** The same, and where each value stands. Warnings go to standard error. Throws AdminError with a line for each mistake. */
export async function readFiles(path: string): Promise<LoadedFiles> {
  // Loaded only here: the help, and init, need none of it and are quick.
  const { loadConfig } = await import('../../config/load.ts');
  const loaded = await loadConfig(path);
  if (!loaded.ok) throw new AdminError(describeProblems(loaded.problems, process.cwd()));
  for (const warning of loaded.warnings) note(`warning: ${formatProblem(warning, process.cwd())}`);
  return loaded;
}
