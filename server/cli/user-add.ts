import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { readPassword, withPassword } from './password.ts';
import { print } from './terminal.ts';

interface UserAddOptions extends ConfigOption {
  readonly password?: string;
  readonly admin?: boolean;
}

export function addUserAdd(users: Command): void {
  const command = users
    .command('add <localpart>')
    .description('Make a user: "ann" becomes @ann:SERVER. They can sign in at once.')
    .option('--admin', 'an administrator of this island');
  withConfig(withPassword(command)).action(async (user: string, options: UserAddOptions) => {
    const config = await readConfiguration(options.config);
    const password = await readPassword(options.password);
    const admin = options.admin === true;
    const { user_id: userId } = await administer(config, 'user.add', { user, password, admin });
    print(`Added ${userId}${admin ? ', an administrator' : ''}`);
  });
}
