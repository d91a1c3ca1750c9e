import { Command, CommanderError } from 'commander';
import { AdminError, systemCode } from '../admin-error.ts';
import { version } from '../version.ts';
import { addApprovalApprove, addApprovalDeny, addApprovalList } from './approval.ts';
import { addAuditExport, addAuditVerify } from './audit.ts';
import { addCheckConfig } from './check-config.ts';
import { addConfigDiff, addConfigImportSynapse, addConfigShow } from './config.ts';
import { addInit } from './init.ts';
import { addPartnerAcceptKey } from './partner-accept-key.ts';
import { addPartnerAdd } from './partner-add.ts';
import { addPartnerCard } from './partner-card.ts';
import { addPartnerDoctor } from './partner-doctor.ts';
import { addPartnerList } from './partner-list.ts';
import { addPartnerRecoveryKey } from './partner-recovery-key.ts';
import { addPartnerRemove } from './partner-remove.ts';
import { addPartnerResume } from './partner-resume.ts';
import { addPartnerRevokeKey } from './partner-revoke-key.ts';
import { addPartnerRotateKey } from './partner-rotate-key.ts';
import { addPartnerShare } from './partner-share.ts';
import { addPartnerShow } from './partner-show.ts';
import { addPartnerSuspend } from './partner-suspend.ts';
import { addPolicyExplain } from './policy-explain.ts';
import { addPolicyReplay } from './policy-replay.ts';
import { addQuarantineList, addQuarantineRelease } from './quarantine.ts';
import { addReload } from './reload.ts';

import { addRoomListFrozen, addRoomUnfreeze } from './room.ts';
import { addStart } from './start.ts';
import { note } from './terminal.ts';
import { addUserAdd } from './user-add.ts';
import { addUserDeactivate } from './user-deactivate.ts';
import { addUserDepartmentAdd, addUserDepartmentRemove } from './user-department.ts';
import { addUserList } from './user-list.ts';
import { addUserResetPassword } from './user-reset-password.ts';
import { addUserRoleAdd, addUserRoleRemove } from './user-role.ts';
import { addUserLogout, addUserSessions } from './user-sessions.ts';

/** What a process ends with. */
const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

/**
 * Runs one command line and gives the exit code: 0, 1 for a command that failed, 2 for one that was written wrongly.
 * Whatever goes wrong, people read one message and no stack trace.
 */
export async function runProgram(argv: readonly string[]): Promise<number> {
  // `archipelago user list | head` closes our output early; that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed);
  });
  process.on('uncaughtException', (error) => {
    note(`archipelago: ${describe(error)}`);
    process.exit(exitCodes.failed);
  });
  try {
    await buildProgram().parseAsync([...argv]);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    note(`archipelago: ${describe(error)}`);
    return exitCodes.failed;
  }
}

/** Every command of `archipelago`. */
export function buildProgram(): Command {
  const program = new Command('archipelago')
    .description(
      'A self-hosted Matrix homeserver for companies: a private island, and links to the partners you choose.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'say what a command does')
    .showHelpAfterError('(--help says more)')
    .configureOutput({
      outputError: (text, write) => write(text.replace(/^error: /, 'archipelago: ')),
    })
    .exitOverride();
  for (const add of [addInit, addStart, addCheckConfig, addReload]) add(program);
  const config = program.command('config').description('What the files say, and what is in force.');
  for (const add of [addConfigShow, addConfigDiff, addConfigImportSynapse]) add(config);
  const users = program.command('user').description('The people of this island.');
  for (const add of [
    addUserAdd,
    addUserList,
    addUserSessions,
    addUserLogout,
    addUserResetPassword,
    addUserDeactivate,
  ])
    add(users);
  const userRoles = users.command('role').description('Who administers this island, and as what.');
  for (const add of [addUserRoleAdd, addUserRoleRemove]) add(userRoles);
  const departments = users.command('department').description('The departments that policies name.');
  for (const add of [addUserDepartmentAdd, addUserDepartmentRemove]) add(departments);
  const partners = program
    .command('partner')
    .description('The islands that this one talks to. Nobody, until you add them.');
  for (const add of [
    addPartnerCard,
    addPartnerAdd,
    addPartnerList,
    addPartnerShow,
    addPartnerDoctor,
    addPartnerShare,
    addPartnerSuspend,
    addPartnerResume,
    addPartnerRemove,
    addPartnerRotateKey,
    addPartnerRecoveryKey,
    addPartnerAcceptKey,
    addPartnerRevokeKey,
  ])
    add(partners);
  const policy = program.command('policy').description('What may cross the border, and why.');
  for (const add of [addPolicyExplain, addPolicyReplay]) add(policy);
  const approvals = program
    .command('approval')
    .description('Invitations that wait for a word, where a policy says `approve`.');
  for (const add of [addApprovalList, addApprovalApprove, addApprovalDeny]) add(approvals);
  const rooms = program.command('room').description('Rooms that others let strangers into.');
  for (const add of [addRoomListFrozen, addRoomUnfreeze]) add(rooms);
  const quarantine = program
    .command('quarantine')
    .description('What partners sent against the rules: kept, and not shown.');
  for (const add of [addQuarantineList, addQuarantineRelease]) add(quarantine);
  const audit = program
    .command('audit')
    .description('The log of what admins did: each line holds the one before it.');
  for (const add of [addAuditVerify, addAuditExport]) add(audit);
  return program;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return `unexpected: ${String(error)}`;
  if (process.env['ARCHIPELAGO_DEBUG'] === '1') return error.stack ?? error.message;
  // Known by its name, since most commands never load the database.
  const isForAdmin = error instanceof AdminError || error.name === 'StorageError';
  // What the system refuses (no space, no permission) says itself what it was about.
  if (isForAdmin || /^E[A-Z]+$/.test(systemCode(error) ?? '')) return error.message;
  return `unexpected: ${error.message}\n(ARCHIPELAGO_DEBUG=1 shows where it came from)`;
}
