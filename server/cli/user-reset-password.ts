import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { localpartOf } from './local-user.ts';
import { readPassword, withPassword } from './password.ts';
import { counted, print } from './terminal.ts';

export function addUserResetPassword(users: Command): void {
  const command = users
    .command('reset-password <user>')
    .description('Give a user another password, and end all of their sessions.');
  withConfig(withPassword(command)).action(
    async (user: string, options: ConfigOption & { readonly password?: string }) => {
      const config = await readConfiguration(options.config);
      const localpart = localpartOf(user, config);
      const password = await readPassword(options.password);
      const { sessions } = await administer(config, (island) =>
        island.resetPassword({ localpart, password }),
      );
      print(`@${localpart}:${config.serverName} has the new password; ${counted(sessions, 'session')} ended`);
    },
  );
}
