import type { Pdu, RoomEvent } from '../../protocol/event.ts';
import { eventIdOf, roomIdOf } from '../../protocol/hashing.ts';
import type { JsonValue } from '../../protocol/json.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import type { KeyRing } from '../ports.ts';
import { checkFormat } from './01-format.ts';
import { checkSignatures } from './02-signatures.ts';
import { checkHash } from './03-hash.ts';

export type WireVerdict =
  | { ok: true; event: RoomEvent }
  /** `unverified`: well-formed, and of a server of which we know no key that fits. */
  | { ok: false; reason: string; unverified?: Pdu };

/** The room that an event belongs to; from room version 12 a create event is its own name. */
export function roomIdOfPdu(pdu: Pdu, version: RoomVersion): string {
  if (version.roomIdIsHash && pdu.type === 'm.room.create' && pdu.state_key === '')
    return roomIdOf(pdu, version);
  return pdu.room_id ?? '';
}

/**
 * Steps 1 to 3, which need no state: format, signatures, hash. What fails is dropped; what passes is an
 * event with its id, without `unsigned` (nobody signed that).
 */
export function checkWire(value: JsonValue, version: RoomVersion, keys: KeyRing): WireVerdict {
  const format = checkFormat(value, version);
  if (!format.ok) return format;
  const signatures = checkSignatures(format.pdu, version, keys);
  if (!signatures.ok) return signatures;
  const pdu = checkHash(format.pdu, version);
  if (pdu !== format.pdu) {
    // It goes on redacted, and what excused it from its sender's signature may be gone.
    const asItGoesOn = checkSignatures(pdu, version, keys);
    if (!asItGoesOn.ok) return asItGoesOn;
  }
  const { unsigned: _, ...bare } = pdu;
  const clean = bare as Pdu; // only an optional key was taken away
  return {
    ok: true,
    event: {
      eventId: eventIdOf(clean, version),
      roomId: roomIdOfPdu(clean, version),
      pdu: clean,
      rejected: false,
    },
  };
}
