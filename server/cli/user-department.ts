import type { Command } from 'commander';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print } from './terminal.ts';

export function addUserDepartmentAdd(departments: Command): void {
  const command = departments
    .command('add <user> <department>')
    .description('Put a user into a department, at once. Policies name it exactly so.');
  withConfig(command).action(async (user: string, department: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, changed } = await administer(config, 'department.add', { user, department });
    print(
      changed
        ? `${userId} belongs to "${department}" now.`
        : `${userId} belonged to "${department}" already.`,
    );
  });
}

export function addUserDepartmentRemove(departments: Command): void {
  const command = departments
    .command('remove <user> <department>')
    .description('Take a user out of a department, at once.');
  withConfig(command).action(async (user: string, department: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { user_id: userId, changed } = await administer(config, 'department.remove', { user, department });
    print(
      changed
        ? `${userId} no longer belongs to "${department}".`
        : `${userId} did not belong to "${department}".`,
    );
  });
}
