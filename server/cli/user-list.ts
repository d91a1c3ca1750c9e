import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

export function addUserList(users: Command): void {
  const command = users
    .command('list')
    .description('List the users of this island.')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: ConfigOption & { readonly json?: boolean }) => {
    const config = await readConfiguration(options.config);
    const list = await administer(config, (island) => island.listUsers());
    if (options.json === true) print(JSON.stringify(list, null, 2));
    else if (list.length === 0) print('There are no users yet.');
    else
      print(
        table(
          ['USER', 'NAME', 'ROLE', 'STATE', 'SINCE'],
          list.map((user) => [
            user.user_id,
            user.display_name ?? '',
            user.admin ? 'admin' : 'user',
            user.deactivated ? 'deactivated' : 'active',
            new Date(user.created_ts).toISOString().slice(0, 10),
          ]),
        ),
      );
  });
}
