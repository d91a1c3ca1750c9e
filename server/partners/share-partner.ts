import { readFile } from 'node:fs/promises';
import { isMap, parseDocument } from 'yaml';
import type { Config } from '../../config/config.ts';
import type { Shared } from '../../policy/partner-policy.ts';
import { ruleOf } from '../../policy/partner-policy.ts';
import { AdminError } from '../admin-error.ts';
import { entryOf, isInOwnFile, partnerFile } from './partner-file.ts';

export type ShareChange = Partial<Record<Shared, boolean>>;

/**
 * The file of a partner with other `share` switches in it, everything else as it was written. Throws AdminError for a
 * partner that there is not, and for one that `partner add` did not write: then it says which line to change.
 */
export async function planShare(
  config: Config,
  serverName: string,
  change: ShareChange,
): Promise<{
  readonly file: string;
  readonly text: string;
  readonly before: Readonly<Record<Shared, boolean>>;
}> {
  const partner = config.partners.find((entry) => entry.serverName === serverName);
  if (partner === undefined)
    throw new AdminError(`${serverName} is not a partner of ${config.serverName}`, { kind: 'not-found' });
  const names = Object.keys(change) as Shared[]; // As the type of `change` has it.
  if (!isInOwnFile(config, partner)) {
    const places = names.map((name) => {
      const rule = ruleOf(partner.policy, `share.${name}`);
      return `${name} (${rule.startsWith('default') ? `to be added below ${partner.source.rule}` : rule})`;
    });
    throw new AdminError(
      `The partner ${serverName} was written by hand. Change it there, then reload: ${places.join(', ')}`,
    );
  }
  const file = partnerFile(config, serverName);
  const document = parseDocument(await readFile(file, 'utf8'), { stringKeys: true });
  const entry = entryOf(document, serverName);
  if (entry === undefined) throw new TypeError('The file has no entry of this partner');
  for (const part of [['policy'], ['policy', 'share']])
    if (!isMap(entry.getIn(part))) entry.setIn(part, document.createNode({}));
  for (const name of names) entry.setIn(['policy', 'share', name], change[name]);
  return { file, text: document.toString({ lineWidth: 0 }), before: partner.policy.share };
}
