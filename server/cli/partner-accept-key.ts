import type { Command } from 'commander';
import { AdminError } from '../admin-error.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { confirm } from './confirm.ts';
import { readText } from './read-text.ts';
import { print } from './terminal.ts';

interface Options extends ConfigOption {
  readonly statement?: string;
  readonly yes?: boolean;
}

export function addPartnerAcceptKey(partners: Command): void {
  const command = partners
    .command('accept-key <name> [key...]')
    .description(
      'Take over a new signing key of a partner: its id and the key, whose fingerprint you compared by phone, or one that a statement proves.',
    )
    .option('--statement <file>', 'the statement that its admin sent ("-": standard input)')
    .option('-y, --yes', 'do not ask: the fingerprint was compared');
  withConfig(command).action(accept);
}

async function accept(serverName: string, [keyId, key]: readonly string[], options: Options): Promise<void> {
  const config = await readConfiguration(options.config);
  const accepted =
    options.statement === undefined
      ? await byWord(serverName, keyId, key, options)
      : { statement: await readText(options.statement, 'a key statement') };
  const pinned = await administer(config, 'partner.accept-key', { server_name: serverName, ...accepted });
  print(
    pinned.was_pinned
      ? `${pinned.key_id} is the key of ${serverName} already. Nothing was changed.`
      : `${pinned.key_id} is the key of ${serverName} now; the ones before it have ended.`,
  );
  print(`Fingerprint: ${pinned.fingerprint}`);
}

async function byWord(
  serverName: string,
  keyId: string | undefined,
  key: string | undefined,
  { yes = false }: Options,
): Promise<{ key_id: string; key: string }> {
  if (keyId === undefined || key === undefined)
    throw new AdminError(
      `Give the id of the key and the key (archipelago partner show ${serverName} names what they showed), or --statement FILE`,
    );
  const { fingerprint } = await import('../../federation/keys/fingerprint.ts');
  const { decodeBase64 } = await import('../../protocol/base64.ts');
  if (decodeBase64(key)?.length !== 32) throw new AdminError('A public key is 32 bytes in Base64');
  if (!yes) {
    print(`Fingerprint: ${fingerprint(key)}  (${keyId})`);
    await confirm(
      `Let the admin of ${serverName} read theirs out by phone. Is it the same? Type yes: `,
      'Compare the fingerprint with their admin, then run this again with --yes.',
    );
  }
  return { key_id: keyId, key };
}
