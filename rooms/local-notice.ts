import { isObject, type JsonObject, type JsonValue } from '../protocol/json.ts';
import { invalidParam } from './errors.ts';

/**
 * Notices that the server puts between the events of a room for its own people. They are no part of the room's graph,
 * nobody signs them and no partner ever gets one.
 */

/** In `unsigned` of such a notice. */
export const localNoticeKey = 'org.archipelago.local';

const prefix = '$local.';

/** No event has such an id: hashes hold no dot. */
export function isLocalNoticeId(eventId: string): boolean {
  return eventId.startsWith(prefix);
}

export function localNoticeId(unique: string): string {
  return prefix + unique;
}

/**
 * Throws 400 for what refers to a notice that only this server has: at everybody else's it would refer to nothing.
 * Relations, replies, redactions and pinned events are looked at.
 */
export function requireNoLocalTarget(type: string, content: JsonObject): void {
  const relation = content['m.relates_to'];
  if (relation !== undefined && isObject(relation)) {
    const reply = relation['m.in_reply_to'];
    requireReal(relation['event_id']);
    if (reply !== undefined && isObject(reply)) requireReal(reply['event_id']);
  }
  if (type === 'm.room.redaction') requireReal(content['redacts']);
  const pinned = type === 'm.room.pinned_events' ? content['pinned'] : undefined;
  if (Array.isArray(pinned)) for (const eventId of pinned) requireReal(eventId);
}

/** Throws 400 for the id of a notice that only this server has. */
export function requireReal(eventId: JsonValue | undefined): void {
  if (typeof eventId === 'string' && isLocalNoticeId(eventId))
    throw invalidParam(
      'This is a notice of your own server, which only its people see: it cannot be answered, reacted to, changed, pinned or removed',
    );
}
