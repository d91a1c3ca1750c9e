import type { Command } from 'commander';
import type { ApprovalSummary } from '../admin/operations/approvals.ts';
import { administer } from '../control/access.ts';
import { type ConfigOption, readConfiguration, withConfig } from './configuration.ts';
import { print, table } from './terminal.ts';

interface ListOptions extends ConfigOption {
  readonly all?: boolean;
  readonly json?: boolean;
}

export function addApprovalList(approvals: Command): void {
  const command = approvals
    .command('list')
    .description('List the invitations that wait for a word.')
    .option('--all', 'those that were decided lately too')
    .option('--json', 'as JSON, for other programs');
  withConfig(command).action(async ({ config: file, all = false, json = false }: ListOptions) => {
    const config = await readConfiguration(file);
    const { approvals: found } = await administer(config, 'approval.list', { all });
    if (json) print(JSON.stringify(found, null, 2));
    else if (found.length === 0) print('No invitation waits.');
    else print(table(['NUMBER', 'STATE', 'SINCE', 'WHO INVITES', 'WHOM', 'TO'], found.map(row)));
  });
}

export function addApprovalApprove(approvals: Command): void {
  const command = approvals
    .command('approve <number>')
    .description('Let an invitation pass: one of ours is sent, one of a partner may come again.');
  withConfig(command).action(async (id: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { direction, inviter, invitee } = await administer(config, 'approval.approve', { id });
    print(
      direction === 'outbound'
        ? `The invitation of ${invitee} by ${inviter} is sent as soon as the link allows.`
        : `The next invitation of ${invitee} by ${inviter} passes; their server is told.`,
    );
  });
}

export function addApprovalDeny(approvals: Command): void {
  const command = approvals
    .command('deny <number>')
    .description('Refuse an invitation; the same one cannot be asked for again for a week.');
  withConfig(command).action(async (id: string, options: ConfigOption) => {
    const config = await readConfiguration(options.config);
    const { inviter, invitee } = await administer(config, 'approval.deny', { id });
    print(`The invitation of ${invitee} by ${inviter} is refused.`);
  });
}

function row({ id, state, inviter, invitee, room_id, room_name, created_ts }: ApprovalSummary): string[] {
  const since = new Date(created_ts).toISOString().slice(0, 16).replace('T', ' ');
  return [id, state, since, inviter, invitee, room_name === null ? room_id : `${room_name} (${room_id})`];
}
