import type { PartnerFacts, PolicyBook } from '../book.ts';
import { allOf, allowed, type Decision, denied } from '../decision.ts';
import { ruleOf } from '../partner-policy.ts';
import type { Direction, Question, RoomFacts, StateFacts } from '../question.ts';
import { type RoomClass, roomClassType } from '../room-class.ts';
import { mayTalk } from './talk.ts';

/**
 * The room's class: an internal room has no partners in it, a shared one those that it names. Where nobody chose them
 * a permitted invitation adds one, and who was invited comes in.
 */
export function fitsClass(
  { serverName }: PartnerFacts,
  room: RoomFacts | undefined,
  action: 'invite' | 'join',
): Decision {
  if (room === undefined || room.class === undefined) return allowed;
  if (room.class === 'shared' && room.byInvitation === true)
    if (action === 'invite' || room.servers.includes(serverName)) return allowed;
  return isFor(serverName, room, `${roomClassType} of ${room.roomId}`);
}

function isFor(serverName: string, { class: name, sharedWith }: RoomClass, where: string): Decision {
  if (name === 'internal')
    return denied('room_internal', 'This room is for people of this company only', where);
  return name === undefined || sharedWith.includes(serverName)
    ? allowed
    : denied('room_not_shared_with_partner', `This room is not shared with ${serverName}`, where);
}

/** A room into which somebody else let a server: ours only read it, and that server's events are held back. */
export function isThawed(
  { serverName }: PartnerFacts,
  room: RoomFacts | undefined,
  direction: Direction,
): Decision {
  const frozenFor = room?.frozenFor ?? [];
  if (frozenFor.length === 0 || (direction === 'inbound' && !frozenFor.includes(serverName))) return allowed;
  return denied(
    'room_frozen',
    `This room is frozen: ${frozenFor.join(', ')} was let in without our consent`,
    `freeze of ${room?.roomId}`,
  );
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

/**
 * `rooms.max_remote_power_level`, `rooms.history_visibility`, creators, whose power has no end, the class, and what
 * would open a closed room.
 */
export function mayChangeState(partner: PartnerFacts, change: StateFacts): Decision {
  const { policy } = partner;
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
  return allOf(...powers, ...creators, history, keepsClass(partner, change), keepsClosed(partner, change));
}

/** Whoever is in a room stays one of those that it is for. */
function keepsClass({ serverName }: PartnerFacts, { roomClass }: StateFacts): Decision {
  return roomClass === undefined
    ? allowed
    : isFor(serverName, roomClass, `${roomClassType}: ${serverName} is in this room`);
}

/** With `third_parties: deny` only ours let further servers in: nobody comes uninvited, and theirs do not invite. */
function keepsClosed({ serverName, policy }: PartnerFacts, change: StateFacts): Decision {
  const { thirdParties, maxRemotePowerLevel } = policy.rooms;
  if (thirdParties !== 'deny') return allowed;
  const joins = change.opensJoins
    ? denied(
        'join_rule_denied',
        `A room shared with ${serverName} is by invitation only`,
        ruleOf(policy, 'rooms.third_parties'),
      )
    : allowed;
  // Who may have the highest level can always invite; that is for the admin's limit to prevent.
  const isLow = change.inviteLevel !== undefined && change.inviteLevel <= maxRemotePowerLevel;
  return maxRemotePowerLevel < 100 && isLow
    ? allOf(
        joins,
        denied(
          'invite_level_denied',
          `Inviting needs a power level above ${maxRemotePowerLevel}, which people of ${serverName} may have`,
          ruleOf(policy, 'rooms.max_remote_power_level'),
        ),
      )
    : joins;
}

/**
 * `rooms.third_parties` and `rooms.third_party_consent`: may a further server come into a room that is shared with
 * this partner? `now` in milliseconds decides who is an active partner.
 */
export function mayAdmit(
  book: PolicyBook,
  { serverName, policy }: PartnerFacts,
  question: Pick<Extract<Question, { action: 'third-party' }>, 'server' | 'refusedBy' | 'unanswered'>,
  now: number,
): Decision {
  const { server, refusedBy, unanswered = [] } = question;
  const { thirdParties, thirdPartyConsent } = policy.rooms;
  if (thirdParties === 'deny' || (thirdParties === 'listed' && !mayTalk(book, server, now).allowed))
    return denied(
      'third_party_denied',
      `${server} may not come into a room with ${serverName}`,
      ruleOf(policy, 'rooms.third_parties'),
    );
  if (refusedBy.includes(serverName))
    return denied(
      'third_party_refused',
      `${serverName} does not want ${server} in this room`,
      `answer of ${serverName}`,
    );
  return thirdPartyConsent === 'required' && unanswered.includes(serverName)
    ? denied(
        'third_party_unanswered',
        `${serverName} could not be asked whether it wants ${server} in this room`,
        ruleOf(policy, 'rooms.third_party_consent'),
      )
    : allowed;
}
