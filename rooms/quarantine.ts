import type { Pdu } from '../protocol/event.ts';
import type { StoredEvent } from './types.ts';

/** What clients find in `unsigned` of an event whose content they are not shown. */
export const quarantinedKey = 'org.archipelago.quarantined';

/**
 * The event as our people may see it. One in quarantine takes its place in the graph and in the state as Matrix
 * demands, and shows nothing but that it is there: of a membership what it is, of anything else no content.
 */
export function shownPdu(event: StoredEvent): Pdu {
  const { pdu } = event;
  if (!event.quarantined) return pdu;
  const { membership } = pdu.content;
  const content = pdu.type === 'm.room.member' && membership !== undefined ? { membership } : {};
  return { ...pdu, content };
}
