import type { IslandPolicy } from '../policy/book.ts';
import type { PartnerPolicy } from '../policy/partner-policy.ts';
import type { PartnerConfig } from './config.ts';
import type { Draft } from './draft.ts';

/** Warns of what cannot work with the choice about encryption: what is encrypted end to end nobody here can look into. */
export function checkEncryption(
  draft: Draft,
  island: IslandPolicy['encryption'],
  partners: readonly PartnerConfig[],
): void {
  for (const [index, entry] of draft.partners.entries()) {
    const { policy, serverName } = partners[index] ?? {};
    if (policy === undefined || serverName === undefined) continue;
    const { file, path } = entry;
    const warn = (message: string, suggestion?: string): void =>
      draft.warn(file, file.offsetOf([...path, 'server_name']), message, suggestion);
    const theirs = policy.rooms.encryption;
    const both = new Set([island, theirs]);
    if (both.has('required') && both.has('forbidden')) {
      warn(
        `encryption is ${island} on this island and ${theirs} with ${serverName}, so nothing can be sent to them`,
        'change one of the two',
      );
      continue;
    }
    if (!both.has('required')) continue;
    for (const what of blind(policy))
      warn(
        `with ${serverName} everything has to be encrypted, so ${what}`,
        'leave it out, or make encryption optional',
      );
  }
}

/** What of a policy looks at what encryption hides. */
function blind({ files, events, callback }: PartnerPolicy): string[] {
  const hidden: string[] = [];
  if (files.mime !== undefined) hidden.push('files.mime cannot see the type of a file');
  if (events.deny.some((type) => type !== 'm.room.encrypted' && !type.startsWith('m.key.')))
    hidden.push('events.deny sees the type of state, and not that of a message');
  if (callback?.actions.some((action) => action === 'message' || action === 'media') === true)
    hidden.push('the callback is given messages and files that it cannot read');
  return hidden;
}
