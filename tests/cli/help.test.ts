import assert from 'node:assert/strict';
import { buildProgram as commandLineProgram } from '../../server/cli/program.ts';
import { archipelago, buildProgram, succeeds } from '../support/program.ts';
import { assertOneMessage } from './support.ts';

/** Every command, and what its help has to name. */
const commands: readonly (readonly [command: string, ...words: string[]])[] = [
  ['init', '--server-name <name>', '--dir <dir>', '--port <n>'],
  ['start', '--config <file>', '--log-level <level>', '--log-format <format>'],
  ['check-config', '--strict', '--json', '--online', '--config <file>'],
  ['reload', '--config <file>'],
  ['config', 'show', 'diff', 'import-synapse'],
  ['config import-synapse', '<file>'],
  ['config show', '--effective', '--config <file>'],
  ['config diff', '--json', '--config <file>'],
  ['user', 'add', 'list', 'sessions', 'logout', 'reset-password', 'deactivate', 'role', 'department'],
  ['user add', '<localpart>', '--password <password>', '--admin', '--config <file>'],
  ['user list', '--json', '--config <file>'],
  ['user reset-password', '<user>', '--password <password>', '--config <file>'],
  ['user sessions', '<user>', '--json', '--config <file>'],
  ['user logout', '<user>', '--device <id>', '--config <file>'],
  ['quarantine', 'list', 'release'],
  ['quarantine list', '--json', '--config <file>'],
  ['quarantine release', '<event-id>', '--config <file>'],
  ['user deactivate', '<user>', '--config <file>'],
  ['user department', 'add', 'remove'],
  ['user department add', '<user>', '<department>', '--config <file>'],
  ['user department remove', '<user>', '<department>', '--config <file>'],
  ['user role', 'add', 'remove'],
  ['user role add', '<user>', '<role>', 'auditor', '--config <file>'],
  ['user role remove', '<user>', '<role>', 'owner', '--config <file>'],
  ['partner', 'card', 'add', 'list', 'show', 'doctor', 'share', 'suspend', 'resume', 'remove'],
  ['partner', 'rotate-key', 'recovery-key', 'accept-key', 'revoke-key'],
  ['partner card', '--for <server-name>', '--config <file>'],
  ['partner show', '<server-name>', '--json', '--config <file>'],
  ['partner share', '<name>', '[switch...]', '--json', '--config <file>'],
  ['partner doctor', '<server-name>', '--json', '--config <file>'],
  [
    'partner rotate-key',
    '--compromised',
    '--recovery-key-file <file>',
    '--statement <file>',
    '--config <file>',
  ],
  ['partner recovery-key', '--replace', '--config <file>'],
  ['partner accept-key', '<name>', '[key...]', '--statement <file>', '--yes', '--config <file>'],
  ['partner revoke-key', '<name>', '<key-id>', '--config <file>'],
  ['partner add', '<cardfile>', '--yes', '--replace-keys', '--config <file>'],
  ['partner list', '--json', '--config <file>'],
  ['partner suspend', '<server-name>', '--reason <text>', '--keep-rooms', '--config <file>'],
  ['partner resume', '<server-name>', '--config <file>'],
  ['partner remove', '<server-name>', '--config <file>'],
  ['policy', 'explain', 'replay'],
  ['policy explain', '--from <user>', '--to <user>', '--action <action>', '--room <id>', '--json'],
  ['policy replay', '--config <draft>', '--since <time>', '--json'],
  ['audit', 'verify', 'export'],
  ['audit verify', '--file <export>', '--head <hash>', '--config <file>'],
  [
    'audit export',
    '--format <format>',
    '--since <time>',
    '--until <time>',
    '--action <action>',
    '--config <file>',
  ],
];

/** What `archipelago COMMAND --help` prints, on a screen of 80 columns. */
function helpOf(command: string): string {
  const program = commandLineProgram();
  const found = command
    .split(' ')
    .reduce((parent, name) => parent.commands.find((child) => child.name() === name) ?? parent, program);
  return found.configureOutput({ getOutHelpWidth: () => 80 }).helpInformation();
}

describe('The help of archipelago', function () {
  this.timeout(60_000);

  before(buildProgram);

  it('names every command, and every option of each', async () => {
    const all = await succeeds(['--help']);
    assert.match(
      await succeeds(['user', 'add', '--help']),
      /^Usage: archipelago user add \[options\] <localpart>/,
    );
    for (const [command, ...words] of commands) {
      const help = helpOf(command);
      assert.ok(all.includes(` ${command.split(' ')[0]} `), command);
      assert.ok(help.startsWith(`Usage: archipelago ${command} `), help);
      for (const word of words) assert.ok(help.includes(word), `${command}: ${word}`);
      for (const line of help.split('\n')) assert.ok(line.length <= 80, line);
    }
  });

  it('comes when no command is given, and then it is an error', async () => {
    for (const args of [[], ['partner']]) {
      const { code, stdout, stderr } = await archipelago(args);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /^Usage: archipelago/);
    }
  });

  it('is pointed to when a command is written wrongly, with what was meant', async () => {
    for (const [args, message] of [
      [['user', 'lst'], /unknown command 'lst'\n\(Did you mean list\?\)/],
      [['partner', 'list', '--jsno'], /unknown option '--jsno'\n\(Did you mean --json\?\)/],
      [['user', 'add'], /missing required argument 'localpart'/],
      [['start', '--log-level', 'loud'], /Allowed choices are trace, debug, info/],
    ] as const) {
      const { code, stderr } = await archipelago(args);
      assert.equal(code, 2, stderr);
      assertOneMessage(stderr);
      assert.match(stderr, message);
      assert.match(stderr, /\(--help says more\)/);
    }
  });

  it('has a version', async () => {
    assert.match(await succeeds(['--version']), /^\d+\.\d+\.\d+\n$/);
  });
});
