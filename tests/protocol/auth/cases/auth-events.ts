import type { Verdict } from '../../../../protocol/auth/authorize.ts';
import type { RoomEvent } from '../../../../protocol/event.ts';
import { type AuthRoom, alice, bob, carol, mod } from '../../../support/auth-room.ts';
import { type AuthCase, otherwise, passes, rejects, rule } from './case.ts';

/** Alice's message, judged with other auth events than it should have. */
function message(room: AuthRoom, change: (events: RoomEvent[]) => readonly RoomEvent[]): Verdict {
  const event = room.event('m.room.message', alice, { body: 'hello' });
  return room.judge(event, { authEvents: change(room.authEventsFor(event)) });
}

const elsewhere = (event: RoomEvent): RoomEvent => ({ ...event, roomId: '!elsewhere:one.test' });
const refused = (event: RoomEvent): RoomEvent => ({ ...event, rejected: true });
const unlisted = { '12': '2' };

export const authEventsCases: readonly AuthCase[] = [
  rejects(unlisted, 'the create event that the room id names is not held', (room) =>
    room.judge(room.event('m.room.message', alice, {}), { create: null }),
  ),
  rejects(unlisted, 'the create event was rejected', (room) =>
    room.judge(room.event('m.room.message', alice, {}), { create: refused(room.create) }),
  ),
  rejects(unlisted, 'the room id names another create event', (room) =>
    room.judge(room.event('m.room.message', alice, {}), { create: { ...room.create, eventId: '$other' } }),
  ),
  rejects(unlisted, 'the room id names an event that is no create event', (room) => {
    const { pdu } = room.event('m.room.topic', alice, {}, { stateKey: '' });
    return room.judge(room.event('m.room.message', alice, {}), { create: { ...room.create, pdu } });
  }),
  passes(unlisted, otherwise, 'the room id names the create event', (room) =>
    room.judge(room.event('m.room.message', alice, {})),
  ),

  rejects(rule('2.1', '3.1'), 'one event twice', (room) =>
    message(room, (events) => [...events, room.at('m.room.power_levels')]),
  ),
  rejects(rule('2.1', '3.1'), 'two events of one type and state key', (room) =>
    message(room, (events) => [...events, room.powerLevelsEvent(alice, {})]),
  ),
  rejects(rule('2.1', '3.1'), 'two events that should not be there, of one type and state key', (room) =>
    message(room, (events) => [
      room.event('m.room.topic', alice, {}, { stateKey: '' }),
      ...events,
      room.event('m.room.topic', alice, {}, { stateKey: '' }),
    ]),
  ),
  passes(rule('2.1', '3.1'), otherwise, 'each type and state key once', (room) =>
    message(room, (events) => events.reverse()),
  ),

  rejects(rule('2.2', '3.2'), 'the membership of somebody else', (room) =>
    message(room, (events) => [...events, room.at('m.room.member', bob)]),
  ),
  rejects(rule('2.2', '3.2'), 'the join rules, for something that is no join', (room) =>
    message(room, (events) => [...events, room.at('m.room.join_rules')]),
  ),
  rejects(rule('2.2', '3.2'), 'power levels with a state key', (room) =>
    message(room, (events) => [...events, room.event('m.room.power_levels', alice, {}, { stateKey: 'x' })]),
  ),
  rejects(rule('2.2', '3.2'), 'an event that is not state', (room) =>
    message(room, (events) => [...events, room.event('m.room.power_levels', alice, {})]),
  ),
  rejects({ '12': '3.2' }, 'the create event', (room) => message(room, (events) => [room.create, ...events])),
  passes(rule('2.2', '3.2'), rule('4.4.4', '5.4.4'), 'everything that an invite may name', (room) => {
    room.member(carol, 'leave');
    const event = room.memberEvent(carol, 'invite', {}, mod);
    return room.judge(event, {
      authEvents: [
        ...(room.version.roomIdIsHash ? [] : [room.create]),
        room.at('m.room.power_levels'),
        room.at('m.room.member', mod),
        room.at('m.room.member', carol),
        room.at('m.room.join_rules'),
      ],
    });
  }),

  rejects(rule('2.3', '3.3'), 'an auth event that was rejected', (room) =>
    message(room, ([first, ...rest]) => (first === undefined ? [] : [refused(first), ...rest])),
  ),
  passes(rule('2.3', '3.3'), otherwise, 'auth events that were accepted', (room) =>
    message(room, (events) => events),
  ),

  rejects({ '10': '2.4', '11': '2.4' }, 'no create event', (room) =>
    message(room, (events) => events.filter((event) => event !== room.create)),
  ),
  rejects({ '10': '2.4', '11': '2.4' }, 'no auth events at all', (room) => message(room, () => [])),
  passes({ '10': '2.4', '11': '2.4' }, otherwise, 'the create event alone', (room) =>
    message(room, () => [room.create]),
  ),

  rejects(rule('2.5', '3.5'), 'power levels of another room', (room) =>
    message(room, (events) =>
      events.map((event) => (event.pdu.type === 'm.room.power_levels' ? elsewhere(event) : event)),
    ),
  ),
  rejects({ '10': '2.5', '11': '2.5' }, 'the create event of another room', (room) =>
    message(room, (events) => events.map((event) => (event === room.create ? elsewhere(event) : event))),
  ),
  passes(rule('2.5', '3.5'), otherwise, 'auth events of the same room', (room) =>
    message(room, (events) => events),
  ),
];
