import type { Command } from 'commander';
import type { Config } from '../../config/config.ts';
import type { UserSummary } from '../admin/operations/users.ts';
import { administration } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

export function addUserList(users: Command): void {
  const command = users
    .command('list')
    .description('List the users of this island.')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async (options: ConfigOption & { readonly json?: boolean }) => {
    const config = await readConfiguration(options.config);
    const list = await allUsers(config);
    if (options.json === true) print(JSON.stringify(list, null, 2));
    else if (list.length === 0) print('There are no users yet.');
    else
      print(
        table(
          ['USER', 'NAME', 'ROLES', 'DEPARTMENTS', 'STATE', 'SINCE'],
          list.map((user) => [
            user.user_id,
            user.display_name ?? '',
            user.roles.length === 0 ? 'user' : user.roles.join(', '),
            user.departments.join(', '),
            user.deactivated ? 'deactivated' : 'active',
            new Date(user.created_ts).toISOString().slice(0, 10),
          ]),
        ),
      );
  });
}

function allUsers(config: Config): Promise<UserSummary[]> {
  return administration(config, async (island) => {
    const users: UserSummary[] = [];
    for (let after = ''; ; ) {
      const page = await island.call('user.list', { after });
      users.push(...page.users);
      if (page.next === null) return users;
      after = page.next;
    }
  });
}
