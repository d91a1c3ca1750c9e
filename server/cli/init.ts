import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { objectionTo } from '../../config/kinds.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import { makeFolder, writeNewFile } from '../files.ts';
import { commandLine, print, shownPath } from './terminal.ts';

interface InitOptions {
  readonly serverName: string;
  readonly dir: string;
  readonly port: number;
}

export function addInit(program: Command): void {
  program
    .command('init')
    .description('Write a short homeserver.yaml with which a new island starts.')
    .requiredOption(
      '--server-name <name>',
      'the name in every user id, such as acme.example; it can never change',
      readServerName,
    )
    .option('--dir <dir>', 'the folder of the island; made where it is missing', '.')
    .option('--port <n>', 'the port to listen on', readPort, 8008)
    .action(init);
}

async function init({ serverName, dir, port }: InitOptions): Promise<void> {
  const file = join(dir, 'homeserver.yaml');
  const { initialConfig } = await import('./initial-config.ts');
  try {
    await makeFolder(resolve(dir));
    const isNew = await writeNewFile(file, initialConfig(serverName, port));
    if (!isNew) throw new AdminError(`${shownPath(file)} is there already. It was not touched.`);
  } catch (error) {
    throw explained(error, file);
  }
  const config = shownPath(file);
  print(
    [
      `Wrote ${config} for the island ${serverName}.`,
      '',
      'Start it:',
      `  ${commandLine('start', '-c', config)}`,
      'Make yourself its first admin (in another terminal; it asks for the password):',
      `  ${commandLine('user', 'add', 'NAME', '--admin', '-c', config)}`,
      `Then sign in with any Matrix client, homeserver http://127.0.0.1:${port}.`,
      '',
      'Before others use it: put a reverse proxy with TLS in front, and set public_baseurl in the file.',
    ].join('\n'),
  );
}

function explained(error: unknown, file: string): unknown {
  const code = systemCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const reasons: Record<string, string> = {
    EACCES: 'this user may not write there',
    EROFS: 'the disk is read-only',
    ENOSPC: 'no space is left on the disk',
    ENOTDIR: 'the path leads through something that is not a folder',
    EEXIST: 'the path leads through something that is not a folder',
  };
  return new AdminError(`${shownPath(file)} cannot be written: ${reasons[code] ?? error.message}`, {
    cause: error,
  });
}

function readServerName(text: string): string {
  const objection = objectionTo('server-name', text);
  if (objection === undefined) return text;
  const { message, suggestion } = objection;
  throw new InvalidArgumentError(`It ${message}${suggestion === undefined ? '' : ` (${suggestion})`}`);
}

function readPort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new InvalidArgumentError('It must be a number from 1 to 65535');
  return port;
}
