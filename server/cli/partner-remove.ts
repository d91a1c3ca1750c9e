import type { Command } from 'commander';
import { reloadPartner } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { notePending, print } from './terminal.ts';

export function addPartnerRemove(partners: Command): void {
  const command = partners
    .command('remove <server-name>')
    .description('End a partnership: the link closes, and nothing passes any more. Rooms and history stay.');
  withConfig(command).action(async (serverName: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { removePartner } = await import('../partners/remove-partner.ts');
    const { isRunning, pending } = await removePartner(config, serverName, () =>
      reloadPartner(config, serverName),
    );
    const when = isRunning
      ? 'The running island has taken it over.'
      : 'The island does not run: it holds from its next start.';
    print(`${serverName} is no longer a partner. ${when}`);
    notePending(pending);
  });
}
