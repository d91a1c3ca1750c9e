import { decodeBase64 } from '../../protocol/base64.ts';
import type { Pdu } from '../../protocol/event.ts';
import { contentHash } from '../../protocol/hashing.ts';
import { redact } from '../../protocol/redaction.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';

/**
 * Step 3: does the content match its hash? If not we were given a redacted copy, or an altered one: in both
 * cases only what the redaction algorithm keeps is authentic, and the event goes on in that form.
 */
export function checkHash(pdu: Pdu, version: RoomVersion): Pdu {
  return hasItsContent(pdu) ? pdu : redact(pdu, version);
}

/** Is the content the one that the event's hash was made of? */
export function hasItsContent(pdu: Pdu): boolean {
  const claimed = decodeBase64(pdu.hashes.sha256);
  const actual = decodeBase64(contentHash(pdu));
  return claimed !== undefined && actual !== undefined && claimed.equals(actual);
}
