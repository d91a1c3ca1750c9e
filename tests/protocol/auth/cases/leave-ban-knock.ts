import { AuthRoom, alice, bob, carol, mod } from '../../../support/auth-room.ts';
import { type AuthCase, allows, misses, passes, rejects, rule } from './case.ts';

const other = '@other:one.test';
const [kicked, notKicked] = [rule('4.5.4', '5.5.4'), rule('4.5.5', '5.5.5')];
const [banned, notBanned] = [rule('4.6.2', '5.6.2'), rule('4.6.3', '5.6.3')];
const [knocks, knocksNot] = [rule('4.7.3', '5.7.3'), rule('4.7.4', '5.7.4')];

const kick = (room: AuthRoom, target: string, sender: string) =>
  room.judge(room.memberEvent(target, 'leave', {}, sender));
const ban = (room: AuthRoom, target: string, sender: string) =>
  room.judge(room.memberEvent(target, 'ban', {}, sender));

/** Another moderator, of the same power. */
function withOther(room: AuthRoom): AuthRoom {
  room.powerLevels({ users: room.users({ [mod]: 50, [other]: 50 }) });
  room.member(other, 'join');
  return room;
}

/** A room of version 12 that Alice and Bob made together. */
function ofTwoCreators(): AuthRoom {
  return new AuthRoom('12', { additional_creators: [bob] });
}

const leaveCases: readonly AuthCase[] = [
  ...['join', 'invite', 'knock'].map((membership) =>
    allows(rule('4.5.1', '5.5.1'), `one's own, after ${membership}`, (room) => {
      room.member(carol, membership);
      return room.judge(room.memberEvent(carol, 'leave'));
    }),
  ),
  ...['leave', 'ban'].map((membership) =>
    rejects(rule('4.5.1', '5.5.1'), `one's own, after ${membership}`, (room) => {
      room.member(carol, membership, mod);
      return room.judge(room.memberEvent(carol, 'leave'));
    }),
  ),
  rejects(rule('4.5.1', '5.5.1'), "one's own, of somebody who never was there", (room) =>
    room.judge(room.memberEvent(carol, 'leave')),
  ),
  rejects(rule('4.5.2', '5.5.2'), 'a kick by somebody who is not joined', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50, [carol]: 100 }) });
    room.member(carol, 'invite', mod);
    return kick(room, bob, carol);
  }),
  passes(rule('4.5.2', '5.5.2'), kicked, 'a kick by somebody joined', (room) => kick(room, bob, mod)),
  rejects(rule('4.5.3', '5.5.3'), 'an unban by somebody who may kick but not ban', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), ban: 51 });
    room.member(carol, 'ban', alice);
    return kick(room, carol, mod);
  }),
  passes(rule('4.5.3', '5.5.3'), kicked, 'an unban by somebody of just the ban level', (room) => {
    room.member(carol, 'ban', alice);
    return kick(room, carol, mod);
  }),
  passes(rule('4.5.3', '5.5.3'), kicked, 'a kick of somebody not banned, below the ban level', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), ban: 51 });
    return kick(room, bob, mod);
  }),
  allows(kicked, 'a kick with just the level: 50 unless set', (room) => kick(room, bob, mod)),
  allows(kicked, 'an invite taken back', (room) => {
    room.member(carol, 'invite', mod);
    return kick(room, carol, mod);
  }),
  misses(kicked, notKicked, 'a kick by somebody one level below', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 49 }) });
    return kick(room, bob, mod);
  }),
  misses(kicked, notKicked, 'a kick of somebody of the same power', (room) =>
    kick(withOther(room), other, mod),
  ),
  misses(kicked, notKicked, 'an unban by somebody who may ban but not kick', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), kick: 51 });
    room.member(carol, 'ban', alice);
    return kick(room, carol, mod);
  }),
  rejects(notKicked, 'a kick of somebody above', (room) => kick(room, alice, mod)),
  rejects(notKicked, 'a kick where the room has no power levels: the level is 50', (room) => {
    room.without('m.room.power_levels');
    return kick(room, bob, mod);
  }),
  allows({ '10': '4.5.4', '11': '4.5.4' }, 'a kick by the creator without power levels: 100', (room) => {
    room.without('m.room.power_levels');
    return kick(room, bob, alice);
  }),
  allows({ '12': '5.5.4' }, 'a kick by an additional creator, of whomever and whatever the level', () => {
    const room = ofTwoCreators();
    room.powerLevels({ users: { [mod]: Number.MAX_SAFE_INTEGER }, kick: Number.MAX_SAFE_INTEGER });
    return kick(room, mod, bob);
  }),
  rejects({ '12': '5.5.5' }, 'a kick of one creator by another', () => kick(ofTwoCreators(), alice, bob)),
  rejects({ '12': '5.5.5' }, 'a kick of a creator by somebody of the highest level', () => {
    const room = ofTwoCreators();
    room.powerLevels({ users: { [mod]: Number.MAX_SAFE_INTEGER } });
    return kick(room, bob, mod);
  }),
];

const banCases: readonly AuthCase[] = [
  rejects(rule('4.6.1', '5.6.1'), 'by somebody who is not joined', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }) });
    room.member(mod, 'leave');
    return ban(room, bob, mod);
  }),
  passes(rule('4.6.1', '5.6.1'), banned, 'by somebody joined', (room) => ban(room, bob, mod)),
  allows(banned, 'with just the level: 50 unless set', (room) => ban(room, bob, mod)),
  allows(banned, 'of somebody who was never there', (room) => ban(room, carol, mod)),
  allows(banned, 'of somebody who is banned already', (room) => {
    room.member(carol, 'ban', alice);
    return ban(room, carol, mod);
  }),
  misses(banned, notBanned, 'by somebody one level below', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), ban: 51 });
    return ban(room, bob, mod);
  }),
  misses(banned, notBanned, 'of somebody of the same power', (room) => ban(withOther(room), other, mod)),
  rejects(notBanned, 'of oneself', (room) => ban(room, mod, mod)),
  rejects(notBanned, 'of somebody above', (room) => ban(room, alice, mod)),
  allows({ '12': '5.6.2' }, 'by a creator, of somebody of the highest level', () => {
    const room = ofTwoCreators();
    room.powerLevels({ users: { [mod]: Number.MAX_SAFE_INTEGER }, ban: Number.MAX_SAFE_INTEGER });
    return ban(room, mod, alice);
  }),
  rejects({ '12': '5.6.3' }, 'of one creator by another', () => ban(ofTwoCreators(), bob, alice)),
];

const knockCases: readonly AuthCase[] = [
  ...['invite', 'public', 'restricted', 'private'].map((joinRule) =>
    rejects(rule('4.7.1', '5.7.1'), `where the join rule is ${joinRule}`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(carol, 'knock'));
    }),
  ),
  rejects(rule('4.7.1', '5.7.1'), 'where there is no join rule', (room) => {
    room.without('m.room.join_rules');
    return room.judge(room.memberEvent(carol, 'knock'));
  }),
  ...['knock', 'knock_restricted'].flatMap((joinRule) => [
    passes(rule('4.7.1', '5.7.1'), knocks, `where the join rule is ${joinRule}`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(carol, 'knock'));
    }),
    rejects(rule('4.7.2', '5.7.2'), `${joinRule}: for somebody else`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(carol, 'knock', {}, alice));
    }),
    passes(rule('4.7.2', '5.7.2'), knocks, `${joinRule}: for oneself`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(carol, 'knock'));
    }),
    ...['leave', 'knock'].map((membership) =>
      allows(knocks, `${joinRule}: after ${membership}`, (room) => {
        room.joinRule(joinRule);
        room.member(carol, membership);
        return room.judge(room.memberEvent(carol, 'knock'));
      }),
    ),
    misses(knocks, knocksNot, `${joinRule}: by a member`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(bob, 'knock'));
    }),
    ...['ban', 'invite', 'join'].map((membership) =>
      rejects(knocksNot, `${joinRule}: after ${membership}`, (room) => {
        room.joinRule(joinRule);
        room.member(carol, membership, alice);
        return room.judge(room.memberEvent(carol, 'knock'));
      }),
    ),
  ]),
];

export const leaveBanKnockCases: readonly AuthCase[] = [...leaveCases, ...banCases, ...knockCases];
