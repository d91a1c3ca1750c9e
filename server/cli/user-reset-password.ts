import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { readPassword, withPassword } from './password.ts';
import { counted, print } from './terminal.ts';

export function addUserResetPassword(users: Command): void {
  const command = users
    .command('reset-password <user>')
    .description('Give a user another password, and end all of their sessions.');
  withConfig(withPassword(command)).action(
    async (user: string, options: ConfigOption & { readonly password?: string }) => {
      const config = await readConfiguration(options.config);
      const password = await readPassword(options.password);
      const { user_id: userId, sessions } = await administer(config, 'user.reset-password', {
        user,
        password,
      });
      print(`${userId} has the new password; ${counted(sessions, 'session')} ended`);
    },
  );
}
