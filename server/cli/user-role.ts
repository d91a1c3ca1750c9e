import { Argument, type Command } from 'commander';
import { type Role, roleMeanings, roles } from '../admin/roles.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print } from './terminal.ts';

export function addUserRoleAdd(userRoles: Command): void {
  const command = userRoles.command('add <user>').description('Give a user a role, at once.');
  withRole(command).action(async (user: string, role: Role, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, changed } = await administer(config, 'role.add', { user, role });
    print(changed ? `${userId} is ${role} now.` : `${userId} was ${role} already.`);
  });
}

export function addUserRoleRemove(userRoles: Command): void {
  const command = userRoles
    .command('remove <user>')
    .description('Take a role from a user, at once. The last owner stays one.');
  withRole(command).action(async (user: string, role: Role, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, changed } = await administer(config, 'role.remove', { user, role });
    print(changed ? `${userId} is no longer ${role}.` : `${userId} was not ${role}.`);
  });
}

function withRole(command: Command): Command {
  const explained = roles.map((role) => `  ${role.padEnd(16)} ${roleMeanings[role]}`).join('\n');
  return withConfig(
    command.addArgument(new Argument('<role>', 'what they may do').choices(roles)),
  ).addHelpText('after', `\nRoles:\n${explained}`);
}
