import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { AdminError } from '../admin-error.ts';
import { note } from './terminal.ts';

/** Gives a command the option for a password. */
export function withPassword(command: Command): Command {
  return command.option(
    '--password <password>',
    'the password; without it you are asked, or it is read from standard input (others on this machine can see a command line)',
  );
}

/** The password that was given, typed twice, or piped in as one line. */
export async function readPassword(given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  if (!process.stdin.isTTY) return fromInput();
  const password = await ask('Password (8 characters or more): ');
  if ((await ask('Once more: ')) !== password)
    throw new AdminError('The two passwords differ. Nothing was changed.');
  return password;
}

async function fromInput(): Promise<string> {
  note('reading the password from standard input');
  const [line = ''] = (await text(process.stdin)).split(/\r?\n/, 1);
  if (line === '') throw new AdminError('There is no password: use --password, or give it on standard input');
  return line;
}

/** Asks without showing what is typed. */
async function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  const stopped = new AbortController();
  terminal.once('SIGINT', () => stopped.abort());
  terminal.once('close', () => stopped.abort());
  try {
    return await terminal.question('', { signal: stopped.signal });
  } catch (cause) {
    throw new AdminError('Given up. Nothing was changed.', { cause });
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
