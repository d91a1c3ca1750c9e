import { AuthRoom, alice, bob, carol, mod } from '../../../support/auth-room.ts';
import { type AuthCase, allows, otherwise, passes, rejects, rule } from './case.ts';

const closed = (version: '10' | '11' | '12', federate: boolean): AuthRoom =>
  new AuthRoom(version, { 'm.federate': federate });

const topic = (room: AuthRoom, sender: string) =>
  room.judge(room.event('m.room.topic', sender, { topic: 't' }, { stateKey: '' }));
const say = (room: AuthRoom, sender: string) =>
  room.judge(room.event('m.room.message', sender, { body: 'b' }));
const issue = (room: AuthRoom, sender: string) =>
  room.judge(room.event('m.room.third_party_invite', sender, {}, { stateKey: 'token' }));

export const otherCases: readonly AuthCase[] = [
  rejects(rule('3', '4'), 'an event of another server, where the room does not federate', (room) =>
    say(closed(room.version.id, false), bob),
  ),
  rejects(rule('3', '4'), 'a join from another server', (room) => {
    const local = closed(room.version.id, false);
    local.joinRule('public');
    return local.judge(local.memberEvent(carol, 'join'));
  }),
  passes(rule('3', '4'), otherwise, "an event of the create event's server", (room) =>
    say(closed(room.version.id, false), mod),
  ),
  passes(rule('3', '4'), otherwise, 'an event of another server, where the room federates', (room) =>
    say(closed(room.version.id, true), bob),
  ),
  passes(rule('3', '4'), otherwise, 'an event of another server, where the room says nothing', (room) =>
    say(room, bob),
  ),
  passes(rule('3', '4'), otherwise, 'm.federate of another type does not close the room', (room) =>
    say(new AuthRoom(room.version.id, { 'm.federate': 'false' }), bob),
  ),

  ...['leave', 'invite', 'knock', 'ban'].map((membership) =>
    rejects(rule('5', '6'), `an event of somebody whose membership is ${membership}`, (room) => {
      room.member(bob, membership);
      return say(room, bob);
    }),
  ),
  rejects(rule('5', '6'), 'an event of somebody who never was there', (room) => say(room, carol)),
  rejects(rule('5', '6'), 'an event of a creator who has left', (room) => {
    room.member(alice, 'leave');
    return say(room, alice);
  }),
  passes(rule('5', '6'), otherwise, 'an event of a member', (room) => say(room, bob)),

  allows(rule('6.1', '7.1'), 'by anybody joined: the invite level is 0 unless set', (room) =>
    issue(room, bob),
  ),
  allows(rule('6.1', '7.1'), 'with just the invite level, whatever other state takes', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), invite: 50, state_default: 80 });
    return issue(room, mod);
  }),
  rejects(rule('6.1', '7.1'), 'below the invite level', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), invite: 51 });
    return issue(room, mod);
  }),
  allows({ '12': '7.1' }, 'by a creator, whatever the level', (room) => {
    room.powerLevels({ invite: Number.MAX_SAFE_INTEGER });
    return issue(room, alice);
  }),

  rejects(rule('7', '8'), 'state below state_default: 50 unless set', (room) => topic(room, bob)),
  passes(rule('7', '8'), otherwise, 'state with just state_default', (room) => topic(room, mod)),
  rejects(rule('7', '8'), 'state below a state_default that is set', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), state_default: 51 });
    return topic(room, mod);
  }),
  rejects(rule('7', '8'), 'state, where the room has no power levels: 50 all the same', (room) => {
    room.without('m.room.power_levels');
    return topic(room, bob);
  }),
  passes(rule('7', '8'), otherwise, 'state by the creator, where the room has no power levels', (room) => {
    room.without('m.room.power_levels');
    return topic(room, alice);
  }),
  passes(rule('7', '8'), otherwise, 'a message, where the room has no power levels: 0', (room) => {
    room.without('m.room.power_levels');
    return say(room, bob);
  }),
  rejects(rule('7', '8'), 'a message below events_default', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), events_default: 1 });
    return say(room, bob);
  }),
  rejects(rule('7', '8'), 'an event below the level of its type', (room) => {
    room.powerLevels({ users: room.users({ [mod]: 50 }), events: { 'm.room.topic': 51 } });
    return topic(room, mod);
  }),
  passes(rule('7', '8'), otherwise, 'an event of just the level of its type, below the default', (room) => {
    room.powerLevels({ users: room.users({ [bob]: 3 }), events: { 'm.room.topic': 3 } });
    return topic(room, bob);
  }),
  rejects(rule('7', '8'), 'an event of somebody below users_default', (room) => {
    room.powerLevels({ users: room.users({ [bob]: 49 }), users_default: 60 });
    return topic(room, bob);
  }),
  passes(rule('7', '8'), otherwise, 'an event of somebody of users_default', (room) => {
    room.powerLevels({ users: room.users(), users_default: 50 });
    return topic(room, bob);
  }),
  passes(rule('7', '8'), otherwise, 'a redaction: its own level is that of messages', (room) => {
    room.powerLevels({ users: room.users(), redact: 100 });
    return room.judge(room.event('m.room.redaction', bob, { redacts: '$x' }));
  }),
  rejects({ '10': '7', '11': '7' }, 'an event of the creator below its level', (room) => {
    room.powerLevels({ users: { [alice]: 100 }, events: { 'm.room.topic': 101 } });
    return topic(room, alice);
  }),
  passes({ '12': '8' }, otherwise, 'an event of a creator, whatever the level', (room) => {
    room.powerLevels({ events: { 'm.room.topic': Number.MAX_SAFE_INTEGER } });
    return topic(room, alice);
  }),
  rejects({ '12': '8' }, 'an event of somebody whom `creator` names in the content', () => {
    const room = new AuthRoom('12', { creator: bob });
    return topic(room, bob);
  }),

  rejects(rule('8', '9'), 'a state key that is the user id of somebody else', (room) =>
    room.judge(room.event('org.example.status', alice, {}, { stateKey: bob })),
  ),
  rejects(rule('8', '9'), 'a state key that only starts with an @', (room) =>
    room.judge(room.event('org.example.status', alice, {}, { stateKey: `${alice}/device` })),
  ),
  passes(rule('8', '9'), otherwise, "a state key that is the sender's user id", (room) =>
    room.judge(room.event('org.example.status', alice, {}, { stateKey: alice })),
  ),
  passes(rule('8', '9'), otherwise, 'a state key with an @ further on', (room) =>
    room.judge(room.event('org.example.status', alice, {}, { stateKey: `_${bob}` })),
  ),

  allows(otherwise, 'a message', (room) => say(room, bob)),
  allows(otherwise, 'state', (room) => topic(room, alice)),
];
