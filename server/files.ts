import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemCode } from './admin-error.ts';

/** Makes a folder and those above it where they are missing, and makes sure that they are on disk. */
export async function makeFolder(path: string, options: { readonly mode?: number } = {}): Promise<void> {
  const first = await mkdir(path, { recursive: true, ...options });
  if (first === undefined) return;
  for (let at = path; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at));
}

/**
 * Makes a file: on disk in full or not at all. Gives false, and touches nothing, if the name is taken. The folder
 * has to be there.
 */
export async function writeNewFile(path: string, text: string): Promise<boolean> {
  return throughTemporary(path, text, async (temporary) => {
    try {
      // Unlike rename, link refuses a name that is taken.
      await link(temporary, path);
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    }
  });
}

/** Puts a text in the place of a file's content at once: whoever reads it sees the old or the new one. */
export function replaceFile(path: string, text: string): Promise<void> {
  return throughTemporary(path, text, (temporary) => rename(temporary, path));
}

/** Deletes a file, and makes sure that it stays deleted when the power fails. */
export async function deleteFile(path: string): Promise<void> {
  await rm(path);
  await syncFolder(dirname(path));
}

async function throughTemporary<T>(
  path: string,
  text: string,
  place: (temporary: string) => Promise<T>,
): Promise<T> {
  // Hidden, so that nobody takes it for a file of the configuration.
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.new`);
  try {
    // Left by a process of the same number (in a container always 1) that was killed in the middle of this.
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    const result = await place(temporary);
    await syncFolder(dirname(path));
    return result;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A name in a folder is on disk when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
