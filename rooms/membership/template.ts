import type { UnsignedPdu } from '../../protocol/event.ts';
import { isValidEventId } from '../../protocol/identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { type RoomVersion, roomVersion } from '../../protocol/room-versions.ts';
import { RemoteError, type RemoteTemplate } from '../ports.ts';

const maxPrevEvents = 20;
const maxAuthEvents = 10;

/**
 * Makes an event that we are ready to sign out of a template of `make_join` or `make_leave`. Of the
 * partner's proposal only the references, the depth and an authorising user are taken over; what would say
 * something in our user's name must be exactly what our user asked for, or the template is refused.
 */
export function eventFromTemplate(
  template: RemoteTemplate,
  wanted: { roomId: string; userId: string; membership: 'join' | 'leave'; content: JsonObject; now: number },
): { pdu: UnsignedPdu; version: RoomVersion } {
  const version = roomVersion(template.roomVersion);
  if (version === undefined) throw bad(`room version ${template.roomVersion} is not one of ours`);
  const { event } = template;
  if (event['type'] !== 'm.room.member') throw bad('another type');
  if (event['room_id'] !== wanted.roomId) throw bad('another room');
  if (event['sender'] !== wanted.userId) throw bad('another sender');
  if (event['state_key'] !== wanted.userId) throw bad('another state key');
  const content = event['content'];
  if (!isObject(content) || content['membership'] !== wanted.membership) throw bad('another membership');
  const own: JsonObject = { ...wanted.content, membership: wanted.membership };
  const authoriser = content['join_authorised_via_users_server'];
  if (wanted.membership === 'join' && authoriser !== undefined) {
    if (typeof authoriser !== 'string') throw bad('an authorising user that is not a user id');
    own['join_authorised_via_users_server'] = authoriser;
  }
  const depth = event['depth'];
  if (typeof depth !== 'number' || !Number.isSafeInteger(depth) || depth < 0) throw bad('a bad depth');
  return {
    version,
    pdu: {
      type: 'm.room.member',
      room_id: wanted.roomId,
      sender: wanted.userId,
      state_key: wanted.userId,
      content: own,
      prev_events: ids(event['prev_events'], maxPrevEvents),
      auth_events: ids(event['auth_events'], maxAuthEvents),
      depth,
      origin_server_ts: wanted.now,
    },
  };
}

function ids(value: JsonValue | undefined, max: number): string[] {
  if (!Array.isArray(value) || value.length > max) throw bad('a bad list of events');
  return value.map((id) => {
    if (typeof id !== 'string' || !isValidEventId(id)) throw bad('a bad event id');
    return id;
  });
}

function bad(what: string): RemoteError {
  return new RemoteError('bad-response', `The template that we were given has ${what}`);
}
