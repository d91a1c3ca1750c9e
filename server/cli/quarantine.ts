import type { Command } from 'commander';
import { administer, administration } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

export function addQuarantineList(quarantine: Command): void {
  const command = quarantine
    .command('list')
    .description('List the events of partners whose content our people are not shown, and why.')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: ConfigOption & { readonly json?: boolean }) => {
    const config = await readConfiguration(options.config);
    const events = await administration(config, async (island) => {
      let { events, next } = await island.call('quarantine.list', {});
      while (next !== null) {
        const page = await island.call('quarantine.list', { before: next });
        events = [...events, ...page.events];
        next = page.next;
      }
      return events;
    });
    if (options.json === true) print(JSON.stringify(events, null, 2));
    else if (events.length === 0) print('Nothing is in quarantine.');
    else
      print(
        table(
          ['EVENT', 'TYPE', 'FROM', 'SINCE', 'WHY'],
          events.map((event) => [
            event.event_id,
            event.type,
            event.sender,
            new Date(event.created_ts).toISOString().slice(0, 16).replace('T', ' '),
            event.violations.map(({ code }) => code).join(', '),
          ]),
        ),
      );
  });
}

export function addQuarantineRelease(quarantine: Command): void {
  const command = quarantine
    .command('release <event-id>')
    .description(
      'Show an event in quarantine to our people as it is. Clients that have it already show it when they load the history again.',
    );
  withConfig(command).action(async (eventId: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    await administer(config, 'quarantine.release', { event_id: eventId });
    print(`${eventId} is shown to our people now.`);
  });
}
