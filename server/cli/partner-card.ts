import type { Command } from 'commander';
import { systemClock, systemRandom } from '../runtime.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { note } from './terminal.ts';

export function addPartnerCard(partners: Command): void {
  const command = partners
    .command('card')
    .description(
      'Print the card of this island: a signed text that the admin of another island adds. It holds no secrets.',
    );
  command.option(
    '--for <server-name>',
    'propose what our configuration says of this partner; else partner_defaults',
  );
  withConfig(command).action(async (options: ConfigOption & { readonly for?: string }) => {
    const config = await readConfiguration(options.config);
    const { loadOwnKeys } = await import('../keys.ts');
    const { linkUrls, objectionToUrls, ownCard } = await import('../partners/own-card.ts');
    const own = await loadOwnKeys(config, systemRandom);
    const objection = objectionToUrls(linkUrls(config));
    if (objection !== undefined) note(`note: ${objection}`);
    // Nothing but the card: the output usually goes into a file.
    process.stdout.write(ownCard(config, own, systemClock.now(), options.for));
  });
}
