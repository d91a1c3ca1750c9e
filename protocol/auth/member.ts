import { decodeBase64, decodeBase64Url } from '../base64.ts';
import type { RoomEvent } from '../event.ts';
import { serverNameOf } from '../identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import { creatorsOf, type PowerLevels } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import { verifyJson } from '../signing.ts';
import type { AuthExtra, StateLookup } from './facts.ts';
import { allowed, rejected, type Verdict } from './verdict.ts';

/**
 * So many pairs of signature and key are tried for a third party invite. A real one has one signature and two keys;
 * events within the size limit could keep us busy for minutes.
 */
const maxVerifications = 200;

interface MemberCase {
  readonly event: RoomEvent;
  readonly state: StateLookup;
  readonly version: RoomVersion;
  readonly extra: AuthExtra;
  readonly create: RoomEvent;
  readonly levels: PowerLevels;
  /** The number of a rule of this section: `rule('.3.2')` is 4.3.2, in version 12 5.3.2. */
  readonly rule: (rest: string) => string;
}

/** Rule 4, in version 12 rule 5: `m.room.member`. */
export function authorizeMember(memberCase: MemberCase): Verdict {
  const { event, extra, rule } = memberCase;
  const { content, state_key: target } = event.pdu;
  const { membership, join_authorised_via_users_server: authoriser } = content;
  // .1
  if (target === undefined || membership === undefined) {
    return rejected(rule('.1'), 'A member event without state key or membership');
  }
  // .2
  if (authoriser !== undefined) {
    if (typeof authoriser !== 'string' || !extra.isSignedBy(serverNameOf(authoriser))) {
      return rejected(rule('.2.1'), 'Not signed by the server of the authorising user');
    }
  }
  switch (membership) {
    case 'join':
      return authorizeJoin(memberCase, target);
    case 'invite':
      return authorizeInvite(memberCase, target);
    case 'leave':
      return authorizeLeave(memberCase, target);
    case 'ban':
      return authorizeBan(memberCase, target);
    case 'knock':
      return authorizeKnock(memberCase, target);
    default:
      // .8
      return rejected(rule('.8'), 'Unknown membership');
  }
}

function membershipOf(state: StateLookup, userId: string): JsonValue {
  return state.get('m.room.member', userId)?.pdu.content['membership'] ?? 'leave';
}

function joinRuleOf(state: StateLookup): JsonValue {
  // The default of the specification, where the rule is missing.
  return state.get('m.room.join_rules', '')?.pdu.content['join_rule'] ?? 'invite';
}

function authorizeJoin({ event, state, version, create, levels, rule }: MemberCase, target: string): Verdict {
  const { sender, prev_events, content } = event.pdu;
  // .3.1
  const followsCreate = prev_events.length === 1 && prev_events[0] === create.eventId;
  if (followsCreate && target === firstMember(create, version)) return allowed(rule('.3.1'));
  // .3.2
  if (sender !== target) return rejected(rule('.3.2'), 'Nobody joins for somebody else');
  const membership = membershipOf(state, target);
  // .3.3
  if (membership === 'ban') return rejected(rule('.3.3'), 'The sender is banned');
  const joinRule = joinRuleOf(state);
  const isMember = membership === 'join' || membership === 'invite';
  switch (joinRule) {
    case 'invite':
    case 'knock':
      // .3.4; who is not invited meets no other rule.
      return isMember ? allowed(rule('.3.4')) : rejected(rule('.3.7'), 'The sender is not invited');
    case 'restricted':
    case 'knock_restricted': {
      // .3.5.1
      if (isMember) return allowed(rule('.3.5.1'));
      // .3.5.2
      const authoriser = content['join_authorised_via_users_server'];
      const mayInvite =
        typeof authoriser === 'string' &&
        membershipOf(state, authoriser) === 'join' &&
        levels.userLevel(authoriser) >= levels.invite;
      if (!mayInvite) return rejected(rule('.3.5.2'), 'The authorising user may not invite');
      // .3.5.3
      return allowed(rule('.3.5.3'));
    }
    case 'public':
      // .3.6
      return allowed(rule('.3.6'));
    default:
      // .3.7
      return rejected(rule('.3.7'), 'The join rule does not let the sender in');
  }
}

/** Whose join may follow the create event at once: the creator by version 10, later the create event's sender. */
function firstMember(create: RoomEvent, version: RoomVersion): string | undefined {
  return version.creatorInContent ? creatorsOf(create, version)[0] : create.pdu.sender;
}

function authorizeInvite(memberCase: MemberCase, target: string): Verdict {
  const { event, state, levels, rule } = memberCase;
  const { sender, content } = event.pdu;
  // .4.1
  if (content['third_party_invite'] !== undefined) return authorizeThirdPartyInvite(memberCase, target);
  // .4.2
  if (membershipOf(state, sender) !== 'join') return rejected(rule('.4.2'), 'The sender is not joined');
  // .4.3
  const current = membershipOf(state, target);
  if (current === 'join' || current === 'ban')
    return rejected(rule('.4.3'), 'The target is joined or banned');
  // .4.4, .4.5
  return levels.userLevel(sender) >= levels.invite
    ? allowed(rule('.4.4'))
    : rejected(rule('.4.5'), 'The sender may not invite');
}

function authorizeThirdPartyInvite({ event, state, rule }: MemberCase, target: string): Verdict {
  const invite = event.pdu.content['third_party_invite'];
  // .4.1.1
  if (membershipOf(state, target) === 'ban') return rejected(rule('.4.1.1'), 'The target is banned');
  // .4.1.2
  const signed = isObject(invite) ? invite['signed'] : undefined;
  if (!isObject(signed)) return rejected(rule('.4.1.2'), 'The third party invite is not signed');
  // .4.1.3
  const { mxid, token } = signed;
  if (typeof mxid !== 'string' || typeof token !== 'string') {
    return rejected(rule('.4.1.3'), 'The signed part has no mxid and token');
  }
  // .4.1.4
  if (mxid !== target) return rejected(rule('.4.1.4'), 'The signed part is for somebody else');
  // .4.1.5
  const issued = state.get('m.room.third_party_invite', token);
  if (issued === undefined) return rejected(rule('.4.1.5'), 'No such third party invite in the room');
  // .4.1.6
  if (issued.pdu.sender !== event.pdu.sender) {
    return rejected(rule('.4.1.6'), 'The third party invite is of another sender');
  }
  // .4.1.7, .4.1.8
  return isSignedByAny(signed, publicKeysOf(issued.pdu.content))
    ? allowed(rule('.4.1.7'))
    : rejected(rule('.4.1.8'), 'No signature matches a key of the third party invite');
}

/** The 32-byte keys of a third party invite; they may be written in either alphabet of Base64. */
function publicKeysOf(content: JsonObject): Buffer[] {
  const list = Array.isArray(content['public_keys']) ? content['public_keys'] : [];
  const keys: Buffer[] = [];
  for (const text of [
    content['public_key'],
    ...list.map((entry) => isObject(entry) && entry['public_key']),
  ]) {
    if (typeof text !== 'string') continue;
    const key = decodeBase64(text) ?? decodeBase64Url(text);
    if (key?.length === 32) keys.push(key);
  }
  return keys;
}

/** Does any Ed25519 signature match any key? Each is made by one server and over `signed` as it stands. */
function isSignedByAny(signed: JsonObject, publicKeys: readonly Buffer[]): boolean {
  let tried = 0;
  for (const [server, ofServer] of Object.entries(
    isObject(signed['signatures']) ? signed['signatures'] : {},
  )) {
    for (const keyId of isObject(ofServer) ? Object.keys(ofServer) : []) {
      if (!keyId.startsWith('ed25519:')) continue;
      for (const key of publicKeys) {
        if (tried === maxVerifications) return false;
        tried += 1;
        if (verifyJson(signed, server, keyId, key)) return true;
      }
    }
  }
  return false;
}

function authorizeLeave({ event, state, levels, rule }: MemberCase, target: string): Verdict {
  const { sender } = event.pdu;
  const current = membershipOf(state, target);
  // .5.1
  if (sender === target) {
    const mayLeave = current === 'invite' || current === 'join' || current === 'knock';
    return mayLeave ? allowed(rule('.5.1')) : rejected(rule('.5.1'), 'The sender is not in the room');
  }
  // .5.2
  if (membershipOf(state, sender) !== 'join') return rejected(rule('.5.2'), 'The sender is not joined');
  const power = levels.userLevel(sender);
  // .5.3
  if (current === 'ban' && power < levels.ban) return rejected(rule('.5.3'), 'The sender may not lift bans');
  // .5.4, .5.5
  return power >= levels.kick && levels.userLevel(target) < power
    ? allowed(rule('.5.4'))
    : rejected(rule('.5.5'), 'The sender may not remove the target');
}

function authorizeBan({ event, state, levels, rule }: MemberCase, target: string): Verdict {
  const { sender } = event.pdu;
  // .6.1
  if (membershipOf(state, sender) !== 'join') return rejected(rule('.6.1'), 'The sender is not joined');
  // .6.2, .6.3
  const power = levels.userLevel(sender);
  return power >= levels.ban && levels.userLevel(target) < power
    ? allowed(rule('.6.2'))
    : rejected(rule('.6.3'), 'The sender may not ban the target');
}

function authorizeKnock({ event, state, rule }: MemberCase, target: string): Verdict {
  // .7.1
  const joinRule = joinRuleOf(state);
  if (joinRule !== 'knock' && joinRule !== 'knock_restricted') {
    return rejected(rule('.7.1'), 'The join rule does not let anybody knock');
  }
  // .7.2
  if (event.pdu.sender !== target) return rejected(rule('.7.2'), 'Nobody knocks for somebody else');
  // .7.3, .7.4
  const current = membershipOf(state, target);
  return current !== 'ban' && current !== 'invite' && current !== 'join'
    ? allowed(rule('.7.3'))
    : rejected(rule('.7.4'), 'The sender is banned, invited or joined');
}
