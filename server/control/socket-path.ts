import { mkdtemp, readlink, rm, rmdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemCode } from '../admin-error.ts';

/** The name of a Unix socket may have so many bytes: 107 on Linux, 103 on macOS. */
const maxBytes = 103;
const socketName = 'control.sock';
const elsewhere = 'archipelago-control-';

/** Where the socket of a running island is; where it would be while there is none. */
export async function findSocket(dataDirectory: string): Promise<string> {
  return (await linkTarget(dataDirectory)) ?? join(dataDirectory, socketName);
}

/**
 * A free place for the socket of an island: in its data folder or, where that path is too long, in a private
 * folder to which a link of that name leads. What a killed process left there goes away.
 */
export async function prepareSocket(dataDirectory: string): Promise<string> {
  await removeSocket(dataDirectory);
  const path = join(dataDirectory, socketName);
  if (Buffer.byteLength(path) <= maxBytes) return path;
  const target = join(await mkdtemp(join(tmpdir(), elsewhere)), socketName);
  await symlink(target, path);
  return target;
}

/** Removes the socket, and where it stands elsewhere its folder. */
export async function removeSocket(dataDirectory: string): Promise<void> {
  const target = await linkTarget(dataDirectory);
  // A link that was not made here is only a link to us: what it leads to stays.
  if (target?.startsWith(join(tmpdir(), elsewhere))) {
    await rm(target, { force: true });
    await rmdir(dirname(target)).catch(() => undefined);
  }
  await rm(join(dataDirectory, socketName), { force: true });
}

async function linkTarget(dataDirectory: string): Promise<string | undefined> {
  try {
    return await readlink(join(dataDirectory, socketName));
  } catch (error) {
    // No such file, a socket, or a folder that this user may not read: whoever connects hears of it.
    if (systemCode(error) !== undefined) return undefined;
    throw error;
  }
}
