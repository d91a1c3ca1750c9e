import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { told } from './partner-suspend.ts';
import { print } from './terminal.ts';

export function addPartnerResume(partners: Command): void {
  const command = partners
    .command('resume <server-name>')
    .description(
      'Lift a suspension: the link opens again, and everything that waited is delivered in order.',
    );
  withConfig(command).action(async (serverName: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { was_suspended: wasSuspended, people } = await administer(config, 'partner.resume', {
      server_name: serverName,
    });
    const partner = config.partners.find((entry) => entry.serverName === serverName);
    if (partner?.state === 'suspended')
      print(`${serverName} stays suspended: ${partner.source.rule} says so.`);
    else
      print(
        wasSuspended ? `${serverName} is active again. ${told(people)}` : `${serverName} was not suspended.`,
      );
  });
}
