import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { AdminError, systemCode } from '../admin-error.ts';
import { shownPath } from './terminal.ts';

/** The text of a file that a command names; `-` is standard input. Throws AdminError. */
export async function readText(path: string, what: string): Promise<string> {
  try {
    const bytes = path === '-' ? await buffer(process.stdin) : await readFile(path);
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT')
      throw new AdminError(`There is no file ${shownPath(path)}`, { cause });
    if (cause instanceof TypeError)
      throw new AdminError(`${shownPath(path)} is not ${what}: it is not text`, { cause });
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AdminError(`${shownPath(path)} cannot be read: ${reason}`, { cause });
  }
}
