import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import { administer, reloadPartner } from '../control/access.ts';
import { systemClock } from '../runtime.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { confirm } from './confirm.ts';
import { readText } from './read-text.ts';
import { notePending, plain, print } from './terminal.ts';

interface PartnerAddOptions extends ConfigOption {
  readonly yes?: boolean;
  readonly replaceKeys?: boolean;
}

export function addPartnerAdd(partners: Command): void {
  const command = partners
    .command('add <cardfile>')
    .description(
      'Make an island a partner, from the card that its admin sent ("-": standard input). Shows what that allows, and asks.',
    )
    .option('-y, --yes', 'do not ask: the fingerprint was compared')
    .option('--replace-keys', 'take the new keys of a partner that was set up anew');
  withConfig(command).action(add);
}

async function add(cardFile: string, options: PartnerAddOptions): Promise<void> {
  const config = await readConfiguration(options.config);
  const text = await readText(cardFile, 'a partner card');
  const { addPartner, planPartner } = await import('../partners/add-partner.ts');
  const { describePartner } = await import('../partners/describe-partner.ts');
  const planned = await planPartner(config, text, {
    now: systemClock.now(),
    replaceKeys: options.replaceKeys === true,
    keysInUse: (serverName) => keysOf(config, serverName),
  });
  const { serverName } = planned.card;
  if (planned.kind === 'same') {
    await addPartner(config, planned, () => reloadPartner(config, serverName));
    print(`${serverName} is a partner by this very card already. Nothing was changed.`);
    return;
  }
  print(describePartner(planned, config.serverName).split('\n').map(plain).join('\n'));
  print('');
  if (options.yes !== true)
    await confirm(
      'Let their admin read the fingerprint out by phone. Is it the same? Type yes: ',
      'Compare the fingerprint with their admin, then run this again with --yes.',
    );
  const { isRunning, pending } = await addPartner(config, planned, () => reloadPartner(config, serverName));
  const what =
    planned.kind === 'new' ? `${serverName} is a partner now` : `The new card of ${serverName} is in force`;
  const when = isRunning
    ? 'The running island has taken it over.'
    : 'The island does not run: it holds from its next start.';
  print(`${what}. ${when}`);
  notePending(pending);
  if (planned.kind === 'new') print(`They have to add your card too (archipelago partner card).`);
}

/** The keys that open a link from now on: a rotation may have brought one that is not in the file. */
async function keysOf(config: Config, serverName: string): Promise<ReadonlyMap<string, string>> {
  const { effective } = await administer(config, 'partner.show', { server_name: serverName });
  const soon = systemClock.now() + 60_000;
  const inUse = effective.keys.filter(
    ({ state, valid_until_ts: end }) => state === 'in use' && (end === undefined || end > soon),
  );
  return new Map(inUse.map(({ key_id: keyId, key }) => [keyId, key]));
}
