import type { Command } from 'commander';
import type { ResultOf } from '../admin/table.ts';
import { AdminError } from '../admin-error.ts';
import { ControlClient } from '../control/control-client.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { note, print } from './terminal.ts';

export function addReload(program: Command): void {
  const command = program
    .command('reload')
    .description(
      'Let the running island take over what its configuration says now: all of it, or with a mistake in it nothing. No client is disconnected. `config diff` shows it before.',
    );
  withConfig(command).action(async ({ config: file }: ConfigOption) => {
    const island = await runningIsland(file);
    if (island === undefined) {
      await readConfiguration(file);
      throw new AdminError('The island does not run: what its files say holds from the next start');
    }
    const report = await island.call('config.reload', {});
    for (const warning of report.warnings) note(`warning: ${warning}`);
    print(describeReload(report));
  });
}

/** The running island of a configuration that may have mistakes; undefined if it does not run. */
export async function runningIsland(file: string): Promise<ControlClient | undefined> {
  const { findDataDirectory } = await import('../../config/data-directory.ts');
  return ControlClient.connect(await findDataDirectory(file));
}

/** What a reload did, for people. */
export function describeReload({ partners, changed, waiting }: ResultOf<'config.reload'>): string {
  const lines = [
    ['partners added', partners.added],
    ['partners changed', partners.changed],
    ['partners removed', partners.removed],
    ['in force now', changed],
    ['waits for a restart', waiting],
  ] as const;
  const said = lines.filter(([, names]) => names.length > 0);
  if (said.length === 0) return 'Nothing had changed.';
  const isInForce = said.some(([head]) => head !== 'waits for a restart');
  return [
    isInForce ? 'The configuration is in force:' : 'Nothing was taken over that runs:',
    ...said.map(([head, names]) => `  ${head}: ${names.join(', ')}`),
  ].join('\n');
}
