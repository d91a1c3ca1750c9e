import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Config } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { describeProblems } from '../../config/problem.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import { deleteFile, makeFolder, replaceFile } from '../files.ts';

/** Whether a running island has taken the change over; a stopped one does at its next start. */
export interface Applied {
  readonly isRunning: boolean;
  /** Keys of which the files say something else than what is in force, since nobody reloaded them. */
  readonly pending: readonly string[];
}

/** Lets the island take its configuration over, if it runs. */
export type Reload = () => Promise<Applied>;

/**
 * Writes (or with null deletes) a file of the configuration, and lets the running island take it over. All or
 * nothing: a file with which the whole configuration would have mistakes is never written, and one that the
 * island refuses is put back as it was. Throws AdminError.
 */
export async function applyChange(
  config: Config,
  file: string,
  text: string | null,
  reload: Reload,
): Promise<Applied> {
  await loadPlanned(config, file, text);
  const before = await readIfThere(file);
  await write(file, text);
  try {
    return await reload();
  } catch (cause) {
    await write(file, before ?? null);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AdminError(`The running island did not take it over, and nothing was changed: ${reason}`, {
      cause,
    });
  }
}

/** The configuration as it would be with another text in a file. Throws AdminError if it would have mistakes. */
export async function loadPlanned(config: Config, file: string, text: string | null): Promise<Config> {
  const loaded = await loadConfig(config.file, { planned: new Map([[file, text]]) });
  if (loaded.ok) return loaded.config;
  throw new AdminError(
    `Nothing was changed, since with this change ${describeProblems(loaded.problems, config.directory)}`,
  );
}

async function write(file: string, text: string | null): Promise<void> {
  try {
    if (text === null) await deleteFile(file);
    else {
      await makeFolder(dirname(file));
      await replaceFile(file, text);
    }
  } catch (error) {
    throw explained(error, file);
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw explained(error, file);
  }
}

function explained(error: unknown, file: string): unknown {
  if (systemCode(error) === undefined || !(error instanceof Error)) return error;
  return new AdminError(`${file} cannot be changed, and nothing was: ${error.message}`, { cause: error });
}
