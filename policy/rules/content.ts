import type { PartnerFacts, PolicyBook } from '../book.ts';
import { allOf, allowed, type Decision, denied } from '../decision.ts';
import { ruleOf } from '../partner-policy.ts';
import type { Direction, FileFacts } from '../question.ts';

/** `events.deny`. */
export function mayCross({ serverName, policy }: PartnerFacts, eventType: string): Decision {
  return policy.events.deny.includes(eventType)
    ? denied(
        'event_type_denied',
        `Events of type ${eventType} are not exchanged with ${serverName}`,
        ruleOf(policy, 'events.deny'),
      )
    : allowed;
}

/** `rooms.encryption` for one event, or for a room that is made. */
export function fitsEncryption(
  { serverName, policy }: PartnerFacts,
  event: { readonly isCleartext: boolean; readonly isEncrypted: boolean },
): Decision {
  const where = ruleOf(policy, 'rooms.encryption');
  if (policy.rooms.encryption === 'required' && event.isCleartext)
    return denied('encryption_required', `Messages to ${serverName} have to be end-to-end encrypted`, where);
  if (policy.rooms.encryption === 'forbidden' && event.isEncrypted)
    return denied('encryption_forbidden', `Messages to ${serverName} may not be end-to-end encrypted`, where);
  return allowed;
}

/** The island's own `encryption`, which holds between our own people too. */
export function fitsIsland(
  { island }: PolicyBook,
  event: { readonly isCleartext: boolean; readonly isEncrypted: boolean },
): Decision {
  if (island?.encryption === 'required' && event.isCleartext)
    return denied(
      'encryption_required',
      'Messages on this server have to be end-to-end encrypted',
      island.rule,
    );
  if (island?.encryption === 'forbidden' && event.isEncrypted)
    return denied(
      'encryption_forbidden',
      'Messages on this server may not be end-to-end encrypted',
      island.rule,
    );
  return allowed;
}

/** `files`: direction, size and type. What is not known of a file cannot be held against its type or size. */
export function mayTransfer(
  { serverName, policy }: PartnerFacts,
  direction: Direction,
  file: FileFacts,
): Decision {
  const { files } = policy;
  const way =
    files.direction === 'both' || files.direction === direction
      ? allowed
      : denied(
          'files_denied',
          `Files are not ${direction === 'outbound' ? 'sent to' : 'taken from'} ${serverName}`,
          ruleOf(policy, 'files.direction'),
        );
  const size =
    files.maxSize === undefined || file.size === undefined || file.size <= files.maxSize
      ? allowed
      : denied(
          'file_too_large',
          `Files exchanged with ${serverName} have ${files.maxSize} bytes at most, this one has ${file.size}`,
          ruleOf(policy, 'files.max_size'),
        );
  const type =
    files.mime === undefined || file.mime === undefined || matches(files.mime, file.mime)
      ? allowed
      : denied(
          'file_type_denied',
          `Files of type ${file.mime} are not exchanged with ${serverName}`,
          ruleOf(policy, 'files.mime'),
        );
  return allOf(way, size, type);
}

/** Media types compare without case and without parameters (RFC 9110 §8.3.1). */
function matches(patterns: readonly string[], mime: string): boolean {
  const type = (mime.split(';', 1)[0] ?? '').trim().toLowerCase();
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return (
      wanted === '*/*' || wanted === type || (wanted.endsWith('/*') && type.startsWith(wanted.slice(0, -1)))
    );
  });
}
