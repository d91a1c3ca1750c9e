import type { Pdu } from '../event.ts';
import { isObject } from '../json.ts';
import type { RoomVersion } from '../room-versions.ts';

export interface AuthEventKey {
  readonly type: string;
  readonly stateKey: string;
}

/**
 * Which state events authorise an event (Server-Server API, "Auth events selection"). Version 12 leaves out the
 * create event, which the room id implies.
 */
export function selectAuthEvents(
  event: Pick<Pdu, 'type' | 'sender' | 'state_key' | 'content'>,
  version: RoomVersion,
): AuthEventKey[] {
  if (event.type === 'm.room.create') return [];
  const keys: AuthEventKey[] = [];
  if (!version.roomIdIsHash) keys.push({ type: 'm.room.create', stateKey: '' });
  keys.push({ type: 'm.room.power_levels', stateKey: '' });
  keys.push({ type: 'm.room.member', stateKey: event.sender });
  if (event.type !== 'm.room.member') return keys;

  if (event.state_key !== undefined && event.state_key !== event.sender) {
    keys.push({ type: 'm.room.member', stateKey: event.state_key });
  }
  const {
    membership,
    third_party_invite: invite,
    join_authorised_via_users_server: authoriser,
  } = event.content;
  if (membership === 'join' || membership === 'invite' || membership === 'knock') {
    keys.push({ type: 'm.room.join_rules', stateKey: '' });
  }
  if (membership === 'invite' && isObject(invite) && isObject(invite['signed'])) {
    const token = invite['signed']['token'];
    if (typeof token === 'string') keys.push({ type: 'm.room.third_party_invite', stateKey: token });
  }
  if (membership === 'join' && typeof authoriser === 'string') {
    const known = keys.some(({ type, stateKey }) => type === 'm.room.member' && stateKey === authoriser);
    if (!known) keys.push({ type: 'm.room.member', stateKey: authoriser });
  }
  return keys;
}
