import type { Command } from 'commander';
import { AdminError } from '../admin-error.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

const names = ['presence', 'typing', 'receipts', 'device_names'] as const;

export function addPartnerShare(partners: Command): void {
  const command = partners
    .command('share <name> [switch...]')
    .description(
      'Show what is told to a partner, and taken from it; or switch it: presence=on typing=off receipts=on device_names=off.',
    )
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(share);
}

async function share(
  serverName: string,
  switches: readonly string[],
  options: ConfigOption & { readonly json?: boolean },
): Promise<void> {
  const config = await readConfiguration(options.config);
  if (switches.length > 0)
    await administer(config, 'partner.share', { server_name: serverName, ...changes(switches) });
  // Of an island that does not run the files are all there is, and one of them was just changed.
  const changed = switches.length > 0 ? await readConfiguration(options.config) : config;
  const { effective } = await administer(changed, 'partner.show', { server_name: serverName });
  const rows = effective.policy
    .filter(({ key }) => key.startsWith('share.'))
    .map(({ key, value, from }) => ({ what: key.slice('share.'.length), on: value === 'true', from }));
  if (options.json === true) print(JSON.stringify(rows, null, 2));
  else
    print(
      table(
        ['SHARED', 'STATE', 'FROM'],
        rows.map(({ what, on, from }) => [what, on ? 'on' : 'off', from]),
      ),
    );
}

function changes(switches: readonly string[]): Partial<Record<(typeof names)[number], boolean>> {
  const entries = switches.map((text): [(typeof names)[number], boolean] => {
    const [, word = '', state] = /^([a-z_]+)=(on|off)$/.exec(text) ?? [];
    const name = names.find((candidate) => candidate === word);
    if (name === undefined)
      throw new AdminError(
        `"${text}" is no switch. There are: ${names.map((each) => `${each}=on|off`).join(', ')}`,
      );
    return [name, state === 'on'];
  });
  return Object.fromEntries(entries);
}
