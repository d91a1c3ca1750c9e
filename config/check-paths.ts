import { X509Certificate } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Objection } from './kinds.ts';
import { errorMessage } from './problem.ts';

const othersMayRead = 0o007;

async function statOf(path: string): Promise<Stats | string | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') return undefined;
    if (code === 'ENOTDIR') return 'leads through something that is not a folder';
    if (code === 'EACCES') return 'leads through a folder that this user may not enter';
    return `cannot be reached: ${errorMessage(error)}`;
  }
}

async function may(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** Whether a file or folder is there in a usable form, or could be made. Nothing is written. */
export async function objectionToPlace(
  path: string,
  form: 'file' | 'folder',
): Promise<Objection | undefined> {
  const found = await statOf(path);
  if (typeof found === 'string') return { message: `${found}: ${path}` };
  if (found === undefined) return objectionToMaking(path, dirname(path));
  if (form === 'file' ? !found.isFile() : !found.isDirectory())
    return { message: `is not a ${form}: ${path}` };
  const mode = constants.R_OK | constants.W_OK | (form === 'folder' ? constants.X_OK : 0);
  return (await may(path, mode))
    ? undefined
    : { message: `cannot be read and written by this user: ${path}` };
}

async function objectionToMaking(path: string, folder: string): Promise<Objection | undefined> {
  const found = await statOf(folder);
  if (typeof found === 'string') return { message: `${found}: ${path}` };
  if (found === undefined) {
    const above = dirname(folder);
    return above === folder ? { message: `cannot be made: ${path}` } : objectionToMaking(path, above);
  }
  if (!found.isDirectory()) return { message: `leads through ${folder}, which is not a folder: ${path}` };
  return (await may(folder, constants.W_OK | constants.X_OK))
    ? undefined
    : { message: `cannot be made, since the folder ${folder} is not writable for this user: ${path}` };
}

/** Reads a file that holds one secret and nothing else. */
export async function readSecret(path: string): Promise<{ readonly secret: string } | Objection> {
  const objection = await objectionToSecret(path);
  if (objection !== undefined) return objection;
  try {
    const secret = (await readFile(path, 'utf8')).trim();
    return secret === '' ? { message: `names an empty file: ${path}` } : { secret };
  } catch {
    return { message: `names a file that this user cannot read: ${path}` };
  }
}

/** Whether a file that holds something secret exists and is kept from the other users of this machine. */
export async function objectionToSecret(path: string): Promise<Objection | undefined> {
  const found = await statOf(path);
  if (typeof found === 'string') return { message: `${found}: ${path}` };
  if (found === undefined) return { message: `names a file that is not there: ${path}` };
  if (!found.isFile()) return { message: `is not a file: ${path}` };
  return (await isWorldReadable(path))
    ? {
        message: `names a file that everybody on this machine can read: ${path}`,
        suggestion: `chmod 600 ${path}`,
      }
    : undefined;
}

/** False for a file that is not there. */
export async function isWorldReadable(path: string): Promise<boolean> {
  const found = await statOf(path);
  return typeof found === 'object' && (found.mode & othersMayRead) !== 0;
}

/** Whether a file holds certificates. */
export async function objectionToCertificates(path: string): Promise<Objection | undefined> {
  const found = await statOf(path);
  if (typeof found === 'string') return { message: `${found}: ${path}` };
  if (found === undefined) return { message: `names a file that is not there: ${path}` };
  try {
    new X509Certificate(await readFile(path));
    return undefined;
  } catch {
    return { message: `is not a file with certificates in PEM that this user can read: ${path}` };
  }
}
