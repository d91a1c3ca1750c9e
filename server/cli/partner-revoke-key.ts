import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print } from './terminal.ts';

export function addPartnerRevokeKey(partners: Command): void {
  const command = partners
    .command('revoke-key <name> <key-id>')
    .description(
      'Believe a key of a partner no more, for good: its link closes at once, and what it signed and comes later is quarantined.',
    );
  withConfig(command).action(async (serverName: string, keyId: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { was_revoked: wasRevoked } = await administer(config, 'partner.revoke-key', {
      server_name: serverName,
      key_id: keyId,
    });
    print(
      wasRevoked
        ? `${keyId} of ${serverName} was revoked already.`
        : `${keyId} of ${serverName} is revoked. A link comes back with another key of theirs: by a statement of their recovery key, partner accept-key, or a new card.`,
    );
  });
}
