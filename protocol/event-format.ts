import { canonicalJson } from './canonical-json.ts';
import type { Pdu } from './event.ts';
import { isValidEventId, isValidRoomId, parseUserId } from './identifiers.ts';
import { isObject, JsonError, type JsonObject, type JsonValue } from './json.ts';
import type { RoomVersion } from './room-versions.ts';

/**
 * The event format of room versions 10 to 12 and the size limits ("Size limits" of the Client-Server API): the
 * first of the checks on receipt, and what our own events are held to before they are signed.
 */

/** Bytes of the canonical JSON of a PDU, signatures included. */
export const maxPduBytes = 65_536;
/** Bytes of `sender`, `room_id`, `state_key` and `type`. */
export const maxFieldBytes = 255;
/**
 * Nesting of objects and arrays of an event. The specification has no limit; what reads an event recursively needs
 * one, and this is what other implementations still read.
 */
export const maxEventDepth = 128;
export const maxPrevEvents = 20;
export const maxAuthEvents = 10;

export type FormatCheck =
  | { readonly ok: true; readonly pdu: Pdu }
  | { readonly ok: false; readonly reason: string };

export function checkPdu(value: JsonValue, version: RoomVersion): FormatCheck {
  if (!isObject(value)) return bad('not an object');
  const reason = checkFields(value, version) ?? checkWhole(value);
  if (reason !== undefined) return bad(reason);
  // Every key of Pdu has just been checked.
  return { ok: true, pdu: value as Pdu };
}

function bad(reason: string): FormatCheck {
  return { ok: false, reason: `The event is ${reason}` };
}

/** Has it a canonical form, and is that of a permitted size? */
function checkWhole(event: JsonObject): string | undefined {
  try {
    const size = Buffer.byteLength(canonicalJson(event, maxEventDepth));
    return size > maxPduBytes ? `larger than ${maxPduBytes} bytes` : undefined;
  } catch (error) {
    if (error instanceof JsonError) return `without a canonical form: ${error.message}`;
    throw error;
  }
}

function checkFields(event: JsonObject, version: RoomVersion): string | undefined {
  const { type, sender, room_id, state_key, content, depth, origin_server_ts, hashes, signatures } = event;
  if (typeof type !== 'string') return 'without a type';
  if (tooLong(type)) return `of a type longer than ${maxFieldBytes} bytes`;
  if (typeof sender !== 'string' || parseUserId(sender) === undefined) return 'without a valid sender';
  if (room_id === undefined) {
    if (!version.roomIdIsHash || type !== 'm.room.create') return 'without a room_id';
  } else if (typeof room_id !== 'string' || !isRoomIdOf(room_id, version)) {
    return 'without a valid room_id';
  }
  if (state_key !== undefined) {
    if (typeof state_key !== 'string') return 'with a state_key that is not a string';
    if (tooLong(state_key)) return `with a state_key longer than ${maxFieldBytes} bytes`;
  }
  if (!isObject(content)) return 'without content';
  if (!isInteger(depth) || depth < 0) return 'without a valid depth';
  if (!isInteger(origin_server_ts)) return 'without a valid origin_server_ts';
  if (!isEventIds(event['prev_events'], maxPrevEvents)) return 'without valid prev_events';
  if (!isEventIds(event['auth_events'], maxAuthEvents)) return 'without valid auth_events';
  if (!isObject(hashes) || typeof hashes['sha256'] !== 'string') return 'without a content hash';
  if (!isSignatures(signatures)) return 'without valid signatures';
  if (event['unsigned'] !== undefined && !isObject(event['unsigned']))
    return 'with unsigned data of a wrong type';
  const { redacts } = event;
  // Later versions know no such key at the top level: there it may be anything.
  if (!version.updatedRedactionRules && redacts !== undefined && typeof redacts !== 'string')
    return 'with a redacts that is not a string';
  return undefined;
}

function isRoomIdOf(roomId: string, version: RoomVersion): boolean {
  return isValidRoomId(roomId) && roomId.includes(':') !== version.roomIdIsHash;
}

function tooLong(text: string): boolean {
  // A UTF-16 unit takes at most three bytes.
  return text.length * 3 > maxFieldBytes && Buffer.byteLength(text) > maxFieldBytes;
}

function isInteger(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isEventIds(value: JsonValue | undefined, most: number): value is string[] {
  return (
    Array.isArray(value) &&
    value.length <= most &&
    value.every((id) => typeof id === 'string' && isValidEventId(id))
  );
}

function isSignatures(value: JsonValue | undefined): boolean {
  return (
    isObject(value) &&
    Object.values(value).every(
      (ofServer) =>
        isObject(ofServer) && Object.values(ofServer).every((signature) => typeof signature === 'string'),
    )
  );
}
