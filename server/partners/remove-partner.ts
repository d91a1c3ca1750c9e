import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/config.ts';
import { AdminError } from '../admin-error.ts';
import { type Applied, applyChange, type Reload } from './change-file.ts';
import { holdsOnly, isInOwnFile } from './partner-file.ts';

/**
 * Deletes the file that `partner add` wrote, and tells the island. Throws AdminError for a partner that there is not,
 * and for one that was written elsewhere: then it says where.
 */
export async function removePartner(config: Config, serverName: string, reload: Reload): Promise<Applied> {
  const partner = config.partners.find((candidate) => candidate.serverName === serverName);
  if (partner === undefined)
    throw new AdminError(`${serverName} is not a partner of ${config.serverName}`, { kind: 'not-found' });
  const { file, line } = partner.source;
  const isOurs = isInOwnFile(config, partner) && holdsOnly(await readFile(file, 'utf8'), serverName);
  if (!isOurs)
    throw new AdminError(
      `The partner ${serverName} was written by hand: remove the entry that begins at ${file}:${line}, then archipelago reload`,
    );
  return applyChange(config, file, null, reload);
}
