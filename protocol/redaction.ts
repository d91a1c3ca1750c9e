import type { Pdu, UnsignedPdu } from './event.ts';
import { isObject, type JsonObject } from './json.ts';
import type { RoomVersion } from './room-versions.ts';

/**
 * The redaction algorithm ("Redactions" of room versions 10 and 11; 12 is as 11). What it keeps is what an event's
 * signature and id cover.
 */

const keptKeysV11 = [
  // No PDU of these versions needs one, but where there is one it is signed and hashed.
  'event_id',
  'type',
  'room_id',
  'sender',
  'state_key',
  'content',
  'hashes',
  'signatures',
  'depth',
  'prev_events',
  'auth_events',
  'origin_server_ts',
] as const;

const keptKeysV10 = [...keptKeysV11, 'prev_state', 'origin', 'membership'] as const;

const kept = { v10: new Set<string>(keptKeysV10), v11: new Set<string>(keptKeysV11) };

/** Whether an event keeps its top-level `key` when it is redacted; of `content` what `redactContent` gives. */
export function survivesRedaction(key: string, version: RoomVersion): boolean {
  return (version.updatedRedactionRules ? kept.v11 : kept.v10).has(key);
}

const powerLevelKeys = [
  'ban',
  'events',
  'events_default',
  'kick',
  'redact',
  'state_default',
  'users',
  'users_default',
] as const;

export function redact<T extends Pdu | UnsignedPdu>(pdu: T, version: RoomVersion): T {
  const redacted: JsonObject = {};
  for (const key of version.updatedRedactionRules ? keptKeysV11 : keptKeysV10) {
    const value = pdu[key];
    if (value !== undefined) redacted[key] = value;
  }
  redacted['content'] = redactContent(pdu.type, pdu.content, version);
  // All keys that T requires are among those kept.
  return redacted as T;
}

/** What of an event's content outlives its redaction. */
export function redactContent(type: string, content: JsonObject, version: RoomVersion): JsonObject {
  switch (type) {
    case 'm.room.member': {
      const kept = pick(content, ['membership', 'join_authorised_via_users_server']);
      const invite = content['third_party_invite'];
      // The key itself stays, also if nothing of what is under it does.
      if (version.updatedRedactionRules && isObject(invite)) {
        kept['third_party_invite'] = pick(invite, ['signed']);
      }
      return kept;
    }
    case 'm.room.create':
      return version.updatedRedactionRules ? content : pick(content, ['creator']);
    case 'm.room.join_rules':
      return pick(content, ['join_rule', 'allow']);
    case 'm.room.power_levels':
      return pick(content, version.updatedRedactionRules ? [...powerLevelKeys, 'invite'] : powerLevelKeys);
    case 'm.room.history_visibility':
      return pick(content, ['history_visibility']);
    case 'm.room.redaction':
      return version.updatedRedactionRules ? pick(content, ['redacts']) : {};
    default:
      return {};
  }
}

function pick(object: JsonObject, keys: readonly string[]): JsonObject {
  const picked: JsonObject = {};
  for (const key of keys) {
    const value = object[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
