import type { Command } from 'commander';
import { AdminError } from '../admin-error.ts';
import { administer } from '../control/access.ts';
import { writeNewFile } from '../files.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { readText } from './read-text.ts';
import { note, print, shownPath } from './terminal.ts';

interface Options extends ConfigOption {
  readonly compromised?: boolean;
  readonly recoveryKeyFile?: string;
  readonly statement?: string;
}

export function addPartnerRotateKey(partners: Command): void {
  const command = partners
    .command('rotate-key')
    .description(
      'Change the signing key of this island, while it runs. Partners learn of it over their links, and those that are away when they come back.',
    )
    .option('--compromised', 'the key fell into wrong hands; needs the recovery key')
    .option(
      '--recovery-key-file <file>',
      'the recovery key vouches; without --compromised for the key in use, after the one before it was lost',
    )
    .option(
      '--statement <file>',
      'also write the statement that proves it, for partners that are told by mail',
    );
  withConfig(command).action(rotate);
}

async function rotate(options: Options): Promise<void> {
  const { compromised = false, recoveryKeyFile, statement: file } = options;
  const config = await readConfiguration(options.config);
  const recovery =
    recoveryKeyFile === undefined ? undefined : await readText(recoveryKeyFile, 'a recovery key');
  const rotated = await administer(config, 'key.rotate', {
    compromised,
    ...(recovery === undefined ? {} : { recovery_key: recovery }),
  });
  const isNew = rotated.key_id !== rotated.previous_key_id;
  print(
    isNew
      ? `The signing key is now ${rotated.key_id}; ${rotated.previous_key_id} has ended.`
      : `The signing key ${rotated.key_id} is proved by the recovery key now.`,
  );
  print(`Fingerprint: ${rotated.fingerprint}`);
  print(
    'Partners take it over by themselves, those that are away when they come back. Those with "rotation: manual" will ask you for the fingerprint.',
  );
  if (isNew)
    note(
      'note: cards that you sent out before name the old key. Make a new one for whoever has not added it yet.',
    );
  if (file === undefined) return;
  if (!(await writeNewFile(file, rotated.statement)))
    throw new AdminError(
      `The key was changed, but ${shownPath(file)} is there already and was not touched. The statement:\n${rotated.statement}`,
    );
  print(
    `The statement is in ${shownPath(file)}: archipelago partner accept-key ${config.serverName} --statement FILE`,
  );
}
