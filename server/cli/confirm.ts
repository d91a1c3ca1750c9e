import { createInterface } from 'node:readline/promises';
import { AdminError } from '../admin-error.ts';

/** Asks a person; throws AdminError unless they type yes. `elsewhere` says what to do where nobody can be asked. */
export async function confirm(question: string, elsewhere: string): Promise<void> {
  if (!process.stdin.isTTY)
    throw new AdminError(`Nothing was changed, since nobody can be asked here. ${elsewhere}`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const stopped = new AbortController();
  terminal.once('SIGINT', () => stopped.abort());
  terminal.once('close', () => stopped.abort());
  const answer = await terminal.question(question, { signal: stopped.signal }).catch(() => '');
  terminal.close();
  if (!/^\s*y(?:es)?\s*$/i.test(answer)) throw new AdminError('Nothing was changed.');
}
