import type { RoomEvent } from '../event.ts';
import { serverNameOf } from '../identifiers.ts';
import { PowerLevels } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import { authorizeCreate } from './create.ts';
import type { AuthExtra, StateLookup } from './facts.ts';
import { authorizeMember } from './member.ts';
import { authorizePowerLevels } from './power-levels.ts';
import { allowed, rejected, type Verdict } from './verdict.ts';

export type { AuthExtra, StateLookup } from './facts.ts';
export type { Verdict } from './verdict.ts';

/**
 * The authorization rules of room versions 10, 11 and 12 against a state, in their order and with their numbers;
 * those about `auth_events` themselves are in `checkAuthEvents`. The numbers of version 12 are one higher from its
 * rule 3 on, because it has a rule 2 of its own.
 */
export function authorize(
  event: RoomEvent,
  state: StateLookup,
  version: RoomVersion,
  extra: AuthExtra,
): Verdict {
  const { pdu } = event;
  const shift = version.roomIdIsHash ? 1 : 0;
  const rule = (number: number, rest = ''): string => `${number + shift}${rest}`;

  // 1.
  if (pdu.type === 'm.room.create') return authorizeCreate(event, version);

  const create = state.get('m.room.create', '');
  if (create === undefined) {
    return rejected(version.roomIdIsHash ? '2' : '2.4', 'The room has no create event');
  }

  // 3. (4.)
  if (
    create.pdu.content['m.federate'] === false &&
    serverNameOf(pdu.sender) !== serverNameOf(create.pdu.sender)
  ) {
    return rejected(rule(3), 'The room does not federate');
  }

  const levels = state.powerLevels ?? new PowerLevels(create, state.get('m.room.power_levels', ''), version);

  // 4. (5.)
  if (pdu.type === 'm.room.member') {
    return authorizeMember({ event, state, version, extra, create, levels, rule: (rest) => rule(4, rest) });
  }

  // 5. (6.)
  const membership = state.get('m.room.member', pdu.sender)?.pdu.content['membership'];
  if (membership !== 'join') return rejected(rule(5), 'The sender is not joined');

  const power = levels.userLevel(pdu.sender);

  // 6. (7.)
  if (pdu.type === 'm.room.third_party_invite') {
    // .1
    return power >= levels.invite
      ? allowed(rule(6, '.1'))
      : rejected(rule(6, '.1'), 'The sender may not invite');
  }

  // 7. (8.)
  if (levels.eventLevel(pdu.type, pdu.state_key !== undefined) > power) {
    return rejected(rule(7), `The sender's power does not suffice for ${pdu.type}`);
  }

  // 8. (9.)
  if (pdu.state_key?.startsWith('@') && pdu.state_key !== pdu.sender) {
    return rejected(rule(8), 'The state key is the user id of somebody else');
  }

  // 9. (10.)
  if (pdu.type === 'm.room.power_levels') {
    return authorizePowerLevels({ event, state, version, create, power, rule: (rest) => rule(9, rest) });
  }

  // 10. (11.)
  return allowed(rule(10));
}
