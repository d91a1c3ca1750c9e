import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { counted, print, table } from './terminal.ts';

export function addUserSessions(users: Command): void {
  const command = users
    .command('sessions <user>')
    .description('List the devices on which a user is signed in.')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (user: string, options: ConfigOption & { readonly json?: boolean }) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, sessions } = await administer(config, 'user.sessions', { user });
    if (options.json === true) print(JSON.stringify(sessions, null, 2));
    else if (sessions.length === 0) print(`${userId} is signed in nowhere.`);
    else
      print(
        table(
          ['DEVICE', 'NAME', 'LAST SEEN', 'FROM'],
          sessions.map((session) => [
            session.device_id,
            session.display_name ?? '',
            new Date(session.last_seen_ts).toISOString().slice(0, 16).replace('T', ' '),
            session.last_seen_ip ?? '',
          ]),
        ),
      );
  });
}

export function addUserLogout(users: Command): void {
  const command = users
    .command('logout <user>')
    .description('End all sessions of a user, or one: a lost phone. They can sign in again.')
    .option('--device <id>', 'only this one, as `user sessions` lists it');
  withConfig(command).action(async (user: string, options: ConfigOption & { readonly device?: string }) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, sessions } = await administer(config, 'user.logout', {
      user,
      ...(options.device === undefined ? {} : { device_id: options.device }),
    });
    print(`${counted(sessions, 'session')} of ${userId} ended`);
  });
}
