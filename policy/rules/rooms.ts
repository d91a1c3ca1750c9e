import type { PartnerFacts, PolicyBook } from '../book.ts';
import { allOf, allowed, type Decision, denied } from '../decision.ts';
import { ruleOf } from '../partner-policy.ts';
import type { RoomFacts, StateFacts } from '../question.ts';

/** The room's class: an internal room has no partners in it, a shared one those that it names. */
export function fitsClass({ serverName }: PartnerFacts, room: RoomFacts | undefined): Decision {
  if (room === undefined || room.class === undefined) return allowed;
  const where = `org.archipelago.room_class of ${room.roomId}`;
  if (room.class === 'internal')
    return denied('room_internal', 'This room is for people of this company only', where);
  return room.sharedWith.includes(serverName)
    ? allowed
    : denied('room_not_shared_with_partner', `This room is not shared with ${serverName}`, where);
}

/** `rooms.remote_may_create`: may ours be in a room that theirs made? */
export function mayUseRoomOf({ serverName, policy }: PartnerFacts, room: RoomFacts | undefined): Decision {
  if (policy.rooms.remoteMayCreate || room === undefined || room.creatorServer !== serverName) return allowed;
  return denied(
    'room_of_partner_denied',
    `${serverName} may not make rooms with people of this server`,
    ruleOf(policy, 'rooms.remote_may_create'),
  );
}

/** `rooms.max_remote_power_level`, `rooms.history_visibility`, and creators, whose power has no end. */
export function mayChangeState({ policy }: PartnerFacts, change: StateFacts): Decision {
  const { maxRemotePowerLevel, historyVisibility } = policy.rooms;
  const powers = Object.entries(change.remotePower ?? {})
    .filter(([, level]) => level > maxRemotePowerLevel)
    .map(([userId, level]) =>
      denied(
        'power_level_denied',
        `${userId} may have a power level of ${maxRemotePowerLevel} at most, not ${level}`,
        ruleOf(policy, 'rooms.max_remote_power_level'),
      ),
    );
  const creators = (change.remoteCreators ?? []).map((userId) =>
    denied(
      'creator_denied',
      `${userId} may not be a creator of the room: a creator's power cannot be limited`,
      ruleOf(policy, 'rooms.max_remote_power_level'),
    ),
  );
  const wanted = change.historyVisibility;
  const history =
    wanted === undefined || historyVisibility === 'any' || historyVisibility.includes(wanted)
      ? allowed
      : denied(
          'history_visibility_denied',
          `The history of a room shared with partners may not be ${wanted}`,
          ruleOf(policy, 'rooms.history_visibility'),
        );
  return allOf(...powers, ...creators, history);
}

/** `rooms.third_parties`: may a further server come into a room that is shared with this partner? */
export function mayAdmit(
  book: PolicyBook,
  { serverName, policy }: PartnerFacts,
  server: string,
  refusedBy: readonly string[],
): Decision {
  const { thirdParties } = policy.rooms;
  const where = ruleOf(policy, 'rooms.third_parties');
  const isListed = server === book.serverName || book.get(server) !== undefined;
  if (thirdParties === 'deny' || (thirdParties === 'listed' && !isListed))
    return denied('third_party_denied', `${server} may not come into a room with ${serverName}`, where);
  return refusedBy.includes(serverName)
    ? denied(
        'third_party_refused',
        `${serverName} does not want ${server} in this room`,
        `answer of ${serverName}`,
      )
    : allowed;
}
