import { hash } from 'node:crypto';
import { canonicalJson } from './canonical-json.ts';
import type { Pdu, UnsignedPdu } from './event.ts';
import { type JsonObject, type JsonValue, putKey } from './json.ts';
import { redact } from './redaction.ts';
import type { RoomVersion } from './room-versions.ts';

/** Hashes of events (Server-Server API, "Signing Events"). */

/** SHA-256 over everything but `unsigned`, `signatures` and `hashes`; unpadded Base64. */
export function contentHash(pdu: Pdu | UnsignedPdu): string {
  return textHash(canonicalJson(without(pdu, ['unsigned', 'signatures', 'hashes'])));
}

/** SHA-256 over the redacted event without `signatures` and `unsigned`; URL-safe unpadded Base64. */
export function referenceHash(pdu: Pdu, version: RoomVersion): string {
  return textHashUrl(canonicalJson(without(redact(pdu, version), ['signatures', 'unsigned'])));
}

export function eventIdOf(pdu: Pdu, version: RoomVersion): string {
  return `$${referenceHash(pdu, version)}`;
}

/** The id of the room that a create event makes. */
export function roomIdOf(create: Pdu, version: RoomVersion): string {
  return version.roomIdIsHash ? `!${referenceHash(create, version)}` : (create.room_id ?? '');
}

/** SHA-256 of a text; unpadded Base64. */
export function textHash(text: string): string {
  return textHashUrl(text).replaceAll('-', '+').replaceAll('_', '/');
}

/** SHA-256 of a text; URL-safe unpadded Base64. */
export function textHashUrl(text: string): string {
  return hash('sha256', text, 'base64url');
}

export function without(object: JsonObject, keys: readonly string[]): JsonObject {
  const rest: JsonObject = {};
  for (const key of Object.keys(object)) {
    // An own key: there is a value.
    if (!keys.includes(key)) putKey(rest, key, object[key] as JsonValue);
  }
  return rest;
}
