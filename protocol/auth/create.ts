import type { RoomEvent } from '../event.ts';
import { parseUserId, serverNameOf } from '../identifiers.ts';
import { isRoomVersionId, type RoomVersion } from '../room-versions.ts';
import { allowed, rejected, type Verdict } from './verdict.ts';

/** Room versions that exist; a create event may name any of them ("a recognised version"). */
const recognised = /^([1-9]|1[0-2])$/;

/** Rule 1: `m.room.create`. */
export function authorizeCreate({ pdu }: RoomEvent, version: RoomVersion): Verdict {
  // 1.1
  if (pdu.prev_events.length > 0) return rejected('1.1', 'A create event has no previous events');
  // 1.2
  if (version.roomIdIsHash) {
    if (pdu.room_id !== undefined) return rejected('1.2', 'A create event has no room id');
  } else if (serverNameOf(pdu.room_id ?? '') !== serverNameOf(pdu.sender)) {
    return rejected('1.2', 'The room id is of another server than the sender');
  }
  // 1.3
  const named = pdu.content['room_version'];
  if (
    named !== undefined &&
    !(typeof named === 'string' && (isRoomVersionId(named) || recognised.test(named)))
  ) {
    return rejected('1.3', 'Unknown room version');
  }
  // 1.4 of version 10
  if (version.creatorInContent && pdu.content['creator'] === undefined) {
    return rejected('1.4', 'A create event without a creator');
  }
  // 1.4 of version 12
  const additional = pdu.content['additional_creators'];
  if (version.creatorsArePrivileged && additional !== undefined) {
    const valid =
      Array.isArray(additional) &&
      additional.every((id) => typeof id === 'string' && parseUserId(id) !== undefined);
    if (!valid) return rejected('1.4', 'additional_creators are not valid user ids');
  }
  // 1.5; version 11 has no rule of its own before it
  return allowed(version.creatorInContent || version.creatorsArePrivileged ? '1.5' : '1.4');
}
