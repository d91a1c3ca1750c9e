import type { Command } from 'commander';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { counted, print, shownPath } from './terminal.ts';

export function addCheckConfig(program: Command): void {
  const command = program
    .command('check-config')
    .description(
      'Check the configuration and the files beside it. Nothing is written and nothing is dialled.',
    );
  withConfig(command).action(async ({ config: file }: ConfigOption) => {
    const { serverName, partners } = await readConfiguration(file);
    print(`${shownPath(file)} is in order: ${serverName}, ${counted(partners.length, 'partner')}`);
  });
}
