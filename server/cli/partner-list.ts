import type { Command } from 'commander';
import type { PartnerSummary } from '../admin/operations/partners.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

export function addPartnerList(partners: Command): void {
  const command = partners
    .command('list')
    .description('List the partners, the links to them, and what is still to be delivered.')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: ConfigOption & { readonly json?: boolean }) => {
    const config = await readConfiguration(options.config);
    const { partners: list } = await administer(config, 'partner.list', {});
    if (options.json === true) print(JSON.stringify(list, null, 2));
    else if (list.length === 0) print('There are no partners: this island talks to nobody.');
    else print(table(['PARTNER', 'STATE', 'LINK', 'SINCE', 'TO DELIVER'], list.map(row)));
  });
}

function row({ server_name, state, link, outbox }: PartnerSummary): string[] {
  const dialled = link.dialled_by === null ? '' : `, dialled by ${link.dialled_by}`;
  const others = outbox.device + outbox.ephemeral;
  return [
    server_name,
    state,
    `${link.state}${dialled}`,
    link.since === null ? 'not running' : new Date(link.since).toISOString().slice(0, 19).replace('T', ' '),
    `${outbox.pdu} events${others === 0 ? '' : `, ${others} others`}`,
  ];
}
