import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { systemRandom } from '../runtime.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { note } from './terminal.ts';

export function addPartnerRecoveryKey(partners: Command): void {
  const command = partners
    .command('recovery-key')
    .description(
      'Make an offline recovery key and print it, once, for the safe. Whoever loses the signing key proves a new one with it.',
    )
    .option('--replace', 'in the place of the one that there is');
  withConfig(command).action(async (options: ConfigOption & { readonly replace?: boolean }) => {
    const config = await readConfiguration(options.config);
    const { generateSigningKey } = await import('../../protocol/signing.ts');
    const { recoveryKeyText } = await import('../../federation/keys/recovery-key.ts');
    const id = `ed25519:recovery_${systemRandom.bytes(3).toString('hex')}`;
    const key = generateSigningKey(id, systemRandom);
    // Only the public part leaves this process, other than on paper.
    await administer(config, 'key.set-recovery-key', {
      key_id: key.keyId,
      key: key.publicKey,
      replace: options.replace === true,
    });
    process.stdout.write(recoveryKeyText(config.serverName, key));
    note('note: this is shown once and stored nowhere. Print it or keep it on a device that is not online.');
    note('note: partners get its public part with your next card (archipelago partner card).');
  });
}
