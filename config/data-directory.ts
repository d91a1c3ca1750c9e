import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parseDocument } from 'yaml';

/**
 * The folder in which the control socket of a running island is, as far as its main file says so: for commands that
 * have to reach it although the files may have mistakes.
 */
export async function findDataDirectory(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const key: unknown = parseDocument(text).get('signing_key_path');
  return dirname(resolve(dirname(path), typeof key === 'string' ? key : 'data/signing.key'));
}
