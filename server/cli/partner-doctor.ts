import type { Command } from 'commander';
import { AdminError } from '../admin-error.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { plain, print } from './terminal.ts';

export function addPartnerDoctor(partners: Command): void {
  const command = partners
    .command('doctor <server-name>')
    .description(
      'Find out why the link to a partner does not work: keys, names, proxy, TLS, clocks, latency, queues; a line for each, with what to do.',
    )
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(
    async (serverName: string, options: ConfigOption & { readonly json?: boolean }) => {
      const config = await readConfiguration(options.config);
      const { findings } = await administer(config, 'partner.doctor', { server_name: serverName });
      if (options.json === true) print(JSON.stringify(findings, null, 2));
      else
        for (const { status, check, message } of findings)
          print(`${status.padEnd(4)}  ${check}: ${plain(message)}`);
      const failed = findings.filter(({ status }) => status === 'fail').length;
      if (failed > 0)
        throw new AdminError(
          `${failed === 1 ? 'One thing is' : `${failed} things are`} not well with ${serverName}`,
        );
    },
  );
}
