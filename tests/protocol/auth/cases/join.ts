import { AuthRoom, alice, bob, carol, mod } from '../../../support/auth-room.ts';
import { type AuthCase, allows, misses, passes, rejects, rule } from './case.ts';

const [byInvite, notLetIn] = [rule('4.3.4', '5.3.4'), rule('4.3.7', '5.3.7')];
const signedByTwo = { signedBy: ['two.test'] };

/** A room that Carol may join if one of its members vouches for her. */
function restricted(room: AuthRoom, joinRule: string): AuthRoom {
  room.joinRule(joinRule);
  return room;
}

/** Carol's join, vouched for by somebody. */
const vouchedBy = (room: AuthRoom, userId: string) =>
  room.memberEvent(carol, 'join', { join_authorised_via_users_server: userId });

/** The join that comes right after the create event, in the state that is there then. */
function firstJoin(room: AuthRoom, userId: string, sender = userId) {
  for (const member of [alice, mod, bob]) room.without('m.room.member', member);
  room.without('m.room.power_levels');
  room.without('m.room.join_rules');
  const event = room.event(
    'm.room.member',
    sender,
    { membership: 'join' },
    {
      stateKey: userId,
      prev: [room.create.eventId],
    },
  );
  return room.judge(event);
}

export const joinCases: readonly AuthCase[] = [
  rejects(rule('4.1', '5.1'), 'no state key', (room) =>
    room.judge(room.event('m.room.member', bob, { membership: 'join' })),
  ),
  rejects(rule('4.1', '5.1'), 'no membership', (room) =>
    room.judge(room.event('m.room.member', bob, {}, { stateKey: bob })),
  ),
  passes(rule('4.1', '5.1'), byInvite, 'a state key and a membership', (room) =>
    room.judge(room.memberEvent(bob, 'join')),
  ),

  rejects(rule('4.2.1', '5.2.1'), 'not signed by the server of the authorising user', (room) =>
    restricted(room, 'restricted').judge(vouchedBy(room, mod), signedByTwo),
  ),
  rejects(rule('4.2.1', '5.2.1'), 'an authorising user that is no string', (room) =>
    room.judge(room.memberEvent(bob, 'join', { join_authorised_via_users_server: null }), signedByTwo),
  ),
  rejects(rule('4.2.1', '5.2.1'), 'a leave that names an authorising user who did not sign', (room) =>
    room.judge(room.memberEvent(bob, 'leave', { join_authorised_via_users_server: mod })),
  ),
  passes(
    rule('4.2.1', '5.2.1'),
    rule('4.3.5.3', '5.3.5.3'),
    'signed by the server of the authorising user',
    (room) => restricted(room, 'restricted').judge(vouchedBy(room, bob), signedByTwo),
  ),
  passes(
    rule('4.2.1', '5.2.1'),
    rule('4.5.1', '5.5.1'),
    'a leave that is signed although no leave needs it',
    (room) =>
      room.judge(room.memberEvent(bob, 'leave', { join_authorised_via_users_server: bob }), signedByTwo),
  ),

  allows(rule('4.3.1', '5.3.1'), 'the creator, right after the create event', (room) =>
    firstJoin(room, alice),
  ),
  allows(rule('4.3.1', '5.3.1'), "the creator's join, whoever sends it", (room) =>
    firstJoin(room, alice, bob),
  ),
  misses(rule('4.3.1', '5.3.1'), notLetIn, 'somebody else, right after the create event', (room) =>
    firstJoin(room, bob),
  ),
  misses(rule('4.3.1', '5.3.1'), notLetIn, 'the creator, later', (room) => {
    room.without('m.room.member', alice);
    return room.judge(room.memberEvent(alice, 'join'));
  }),
  misses(rule('4.3.1', '5.3.1'), notLetIn, 'the creator, after two events', (room) => {
    room.without('m.room.member', alice);
    const prev = [room.create.eventId, '$other'];
    return room.judge(room.event('m.room.member', alice, { membership: 'join' }, { stateKey: alice, prev }));
  }),
  allows({ '10': '4.3.1' }, 'the creator that the content names', () =>
    firstJoin(new AuthRoom('10', { creator: bob }), bob),
  ),
  misses({ '10': '4.3.1' }, notLetIn, 'the sender of a create event that names another creator', () =>
    firstJoin(new AuthRoom('10', { creator: bob }), alice),
  ),
  misses({ '10': '4.3.1' }, notLetIn, 'anybody, where the creator is no string', () =>
    firstJoin(new AuthRoom('10', { creator: 1 }), alice),
  ),
  misses({ '11': '4.3.1' }, notLetIn, 'a creator in the content, which counts no more', () =>
    firstJoin(new AuthRoom('11', { creator: bob }), bob),
  ),
  misses({ '12': '5.3.1' }, notLetIn, 'an additional creator: only the sender of the create event', () =>
    firstJoin(new AuthRoom('12', { additional_creators: [bob] }), bob),
  ),

  rejects(rule('4.3.2', '5.3.2'), 'a join for somebody else', (room) => {
    room.joinRule('public');
    return room.judge(room.memberEvent(carol, 'join', {}, alice));
  }),
  passes(rule('4.3.2', '5.3.2'), rule('4.3.6', '5.3.6'), 'a join for oneself', (room) => {
    room.joinRule('public');
    return room.judge(room.memberEvent(carol, 'join'));
  }),

  rejects(rule('4.3.3', '5.3.3'), 'somebody banned, although the room is public', (room) => {
    room.joinRule('public');
    room.member(carol, 'ban', alice);
    return room.judge(room.memberEvent(carol, 'join'));
  }),
  passes(rule('4.3.3', '5.3.3'), rule('4.3.6', '5.3.6'), 'somebody who was banned once', (room) => {
    room.joinRule('public');
    room.member(carol, 'leave', alice);
    return room.judge(room.memberEvent(carol, 'join'));
  }),

  ...['invite', 'knock'].flatMap((joinRule) => [
    allows(byInvite, `${joinRule}: somebody invited`, (room) => {
      room.joinRule(joinRule);
      room.member(carol, 'invite', mod);
      return room.judge(room.memberEvent(carol, 'join'));
    }),
    allows(byInvite, `${joinRule}: a member who changes their name`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(bob, 'join', { displayname: 'Bob' }));
    }),
    misses(byInvite, notLetIn, `${joinRule}: somebody not invited`, (room) => {
      room.joinRule(joinRule);
      return room.judge(room.memberEvent(carol, 'join'));
    }),
    misses(byInvite, notLetIn, `${joinRule}: somebody whose knock is open`, (room) => {
      room.joinRule(joinRule);
      room.member(carol, 'knock');
      return room.judge(room.memberEvent(carol, 'join'));
    }),
    misses(byInvite, notLetIn, `${joinRule}: somebody who is vouched for`, (room) => {
      room.joinRule(joinRule);
      return room.judge(vouchedBy(room, bob), signedByTwo);
    }),
  ]),
  allows(byInvite, 'somebody invited, where the room has no join rule: it is invite then', (room) => {
    room.without('m.room.join_rules');
    room.member(carol, 'invite', mod);
    return room.judge(room.memberEvent(carol, 'join'));
  }),

  ...['restricted', 'knock_restricted'].flatMap((joinRule) => [
    allows(rule('4.3.5.1', '5.3.5.1'), `${joinRule}: somebody invited`, (room) => {
      restricted(room, joinRule).member(carol, 'invite', mod);
      return room.judge(room.memberEvent(carol, 'join'));
    }),
    allows(rule('4.3.5.1', '5.3.5.1'), `${joinRule}: a member`, (room) =>
      restricted(room, joinRule).judge(room.memberEvent(bob, 'join')),
    ),
    misses(
      rule('4.3.5.1', '5.3.5.1'),
      rule('4.3.5.2', '5.3.5.2'),
      `${joinRule}: somebody whose knock is open`,
      (room) => {
        restricted(room, joinRule).member(carol, 'knock');
        return room.judge(room.memberEvent(carol, 'join'));
      },
    ),
    rejects(rule('4.3.5.2', '5.3.5.2'), `${joinRule}: nobody vouches`, (room) =>
      restricted(room, joinRule).judge(room.memberEvent(carol, 'join')),
    ),
    rejects(rule('4.3.5.2', '5.3.5.2'), `${joinRule}: the authorising user may not invite`, (room) => {
      restricted(room, joinRule).powerLevels({ users: room.users({ [mod]: 50 }), invite: 1 });
      return room.judge(vouchedBy(room, bob), signedByTwo);
    }),
    rejects(rule('4.3.5.2', '5.3.5.2'), `${joinRule}: the authorising user is not joined`, (room) => {
      restricted(room, joinRule).member(bob, 'leave');
      return room.judge(vouchedBy(room, bob), signedByTwo);
    }),
    passes(
      rule('4.3.5.2', '5.3.5.2'),
      rule('4.3.5.3', '5.3.5.3'),
      `${joinRule}: the authorising user has just the power to invite`,
      (room) => {
        restricted(room, joinRule).powerLevels({ users: room.users({ [bob]: 50 }), invite: 50 });
        return room.judge(vouchedBy(room, bob), signedByTwo);
      },
    ),
    allows(rule('4.3.5.3', '5.3.5.3'), `${joinRule}: vouched for by the creator`, (room) => {
      restricted(room, joinRule).powerLevels({ users: room.users(), invite: 100 });
      return room.judge(vouchedBy(room, alice), { signedBy: ['one.test'] });
    }),
  ]),
  allows({ '12': '5.3.5.3' }, 'vouched for by a creator, whatever level an invite takes', () => {
    const room = restricted(new AuthRoom('12', { additional_creators: [bob] }), 'restricted');
    room.powerLevels({ invite: Number.MAX_SAFE_INTEGER });
    return room.judge(vouchedBy(room, bob), signedByTwo);
  }),

  allows(rule('4.3.6', '5.3.6'), 'anybody, where the room is public', (room) => {
    room.joinRule('public');
    return room.judge(room.memberEvent(carol, 'join'));
  }),
  misses(rule('4.3.6', '5.3.6'), notLetIn, 'anybody, where the room is private', (room) => {
    room.joinRule('private');
    return room.judge(room.memberEvent(carol, 'join'));
  }),

  rejects(notLetIn, 'a join rule that nobody knows, for somebody invited', (room) => {
    room.joinRule('org.example.rule');
    room.member(carol, 'invite', mod);
    return room.judge(room.memberEvent(carol, 'join'));
  }),
  rejects(notLetIn, 'a room without a join rule, for somebody not invited', (room) => {
    room.without('m.room.join_rules');
    return room.judge(room.memberEvent(carol, 'join'));
  }),

  rejects(rule('4.8', '5.8'), 'a membership that nobody knows', (room) =>
    room.judge(room.memberEvent(bob, 'lurk')),
  ),
  rejects(rule('4.8', '5.8'), 'a membership that is no string', (room) =>
    room.judge(room.event('m.room.member', bob, { membership: ['join'] }, { stateKey: bob })),
  ),
];
