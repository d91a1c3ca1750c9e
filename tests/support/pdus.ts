import type { Pdu } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { type RoomVersion, roomVersions } from '../../protocol/room-versions.ts';

export const allVersions: readonly RoomVersion[] = [...roomVersions.values()];

/** The room id that events of a version carry: with the server that made it, or a hash. */
export function roomIdIn(version: RoomVersion): string {
  return version.id === '12' ? '!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ' : '!room:acme.test';
}

/** An event in the format of a version, with other values for some keys; undefined takes a key away. */
export function pduWith(version: RoomVersion, changes: Readonly<Record<string, unknown>> = {}): Pdu {
  const event: Record<string, unknown> = {
    type: 'm.room.message',
    room_id: roomIdIn(version),
    sender: '@ann:acme.test',
    content: { body: 'Hello', msgtype: 'm.text' },
    depth: 12,
    origin_server_ts: 1_700_000_000_000,
    prev_events: ['$prev'],
    auth_events: ['$create', '$member'],
    hashes: { sha256: 'thishashcoversallfieldsincasethisisredacted' },
    signatures: { 'acme.test': { 'ed25519:1': 'signature' } },
    ...changes,
  };
  for (const key of Object.keys(event)) if (event[key] === undefined) delete event[key];
  // Tests also want events that are not in the format, and say so by what they put in.
  return event as JsonObject as Pdu;
}
