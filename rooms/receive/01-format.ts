import type { Pdu } from '../../protocol/event.ts';
import { checkPdu } from '../../protocol/event-format.ts';
import type { JsonValue } from '../../protocol/json.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';

/**
 * Step 1 of the checks on receipt: is it an event in the format of its room version? If not it is dropped.
 */
export function checkFormat(
  value: JsonValue,
  version: RoomVersion,
): { ok: true; pdu: Pdu } | { ok: false; reason: string } {
  const checked = checkPdu(value, version);
  return checked.ok ? checked : { ok: false, reason: `format: ${checked.reason}` };
}
