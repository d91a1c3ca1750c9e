import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { counted, print } from './terminal.ts';

export function addUserDeactivate(users: Command): void {
  const command = users
    .command('deactivate <user>')
    .description('Lock a user out for good: all sessions end, and nobody can sign in under that name again.');
  withConfig(command).action(async (user: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, sessions } = await administer(config, 'user.deactivate', { user });
    print(`${userId} is deactivated; ${counted(sessions, 'session')} ended`);
  });
}
