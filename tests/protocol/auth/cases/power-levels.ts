import type { JsonObject, JsonValue } from '../../../../protocol/json.ts';
import { AuthRoom, alice, bob, mod } from '../../../support/auth-room.ts';
import { type AuthCase, allows, passes, rejects, rule } from './case.ts';

const end = rule('9.10', '10.11');
const levelKeys = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'];
/** What JSON can hold in place of an integer; floats cannot come out of the parser of events, but in here. */
const notIntegers: readonly JsonValue[] = ['50', 50.5, true, null, [50], { level: 50 }, 2 ** 53];

/** The moderator, or another, changes the power levels from `before` to `after`; both hold the usual users. */
function change(room: AuthRoom, before: JsonObject, after: JsonObject, sender = mod) {
  const users = room.users({ [mod]: 50 });
  room.powerLevels({ users, ...before });
  return room.judge(room.powerLevelsEvent(sender, { users, ...after }));
}

/** The same, of `users`. */
function changeUsers(room: AuthRoom, before: JsonObject, after: JsonObject, sender = mod) {
  room.powerLevels({ users: room.users({ [mod]: 50, ...before }) });
  const users = { ...room.users({ [mod]: 50 }), ...after };
  for (const [user, level] of Object.entries(users)) if (level === null) delete users[user];
  return room.judge(room.powerLevelsEvent(sender, { users }));
}

const formCases: readonly AuthCase[] = [
  ...levelKeys.flatMap((key) => [
    ...notIntegers.map((value) =>
      rejects(rule('9.1', '10.1'), `${key} is ${JSON.stringify(value)}`, (room) =>
        change(room, {}, { [key]: value }, alice),
      ),
    ),
    passes(rule('9.1', '10.1'), end, `${key} is an integer`, (room) =>
      change(room, {}, { [key]: -7 }, alice),
    ),
  ]),
  passes(rule('9.1', '10.1'), end, 'none of the levels is given, and something unknown is', (room) =>
    change(room, {}, { 'org.example.level': '50' }, alice),
  ),
  ...['events', 'notifications'].flatMap((key) => [
    ...[...notIntegers, 50].map((value) =>
      rejects(rule('9.2', '10.2'), `${key} is ${JSON.stringify(value)}`, (room) =>
        // An object is what it should be: not with this value.
        change(room, {}, { [key]: value === notIntegers[5] ? { one: value } : value }, alice),
      ),
    ),
    ...notIntegers.map((value) =>
      rejects(rule('9.2', '10.2'), `${key} holds ${JSON.stringify(value)}`, (room) =>
        change(room, {}, { [key]: { one: 1, two: value } }, alice),
      ),
    ),
    passes(rule('9.2', '10.2'), end, `${key} holds integers`, (room) =>
      change(room, {}, { [key]: { one: 1, two: -2 } }, alice),
    ),
    passes(rule('9.2', '10.2'), end, `${key} is empty`, (room) => change(room, {}, { [key]: {} }, alice)),
  ]),
  ...['a list', 'text', null, 5].map((value) =>
    rejects(rule('9.3', '10.3'), `users is ${JSON.stringify(value)}`, (room) =>
      change(room, {}, { users: value === 'a list' ? [value] : value }, alice),
    ),
  ),
  ...notIntegers.map((value) =>
    rejects(rule('9.3', '10.3'), `users holds ${JSON.stringify(value)}`, (room) =>
      changeUsers(room, {}, { [bob]: value === null ? [null] : value }, alice),
    ),
  ),
  ...['', 'bob', '@bob', 'bob:two.test', '@bob:', '@bob:two test', `@${'b'.repeat(250)}:two.test`].map(
    (userId) =>
      rejects(rule('9.3', '10.3'), `users names "${userId.slice(0, 20)}"`, (room) =>
        changeUsers(room, {}, { [userId]: 1 }, alice),
      ),
  ),
  passes(rule('9.3', '10.3'), end, 'users names users, of historical ids too', (room) =>
    changeUsers(room, {}, { [bob]: 1, '@An old one!:[::1]:8448': 2 }, alice),
  ),
  passes(rule('9.3', '10.3'), end, 'users is not there', (room) => {
    room.powerLevels({ users_default: 100 });
    return room.judge(room.powerLevelsEvent(alice, { users_default: 100 }));
  }),
  rejects({ '12': '10.4' }, "users names the create event's sender", (room) =>
    changeUsers(room, {}, { [alice]: 100 }, alice),
  ),
  rejects({ '12': '10.4' }, 'users names an additional creator', () =>
    changeUsers(new AuthRoom('12', { additional_creators: [bob] }), {}, { [bob]: 0 }, alice),
  ),
  rejects({ '12': '10.4' }, 'the first power levels name a creator', (room) => {
    room.without('m.room.power_levels');
    return room.judge(room.powerLevelsEvent(alice, { users: { [alice]: 100 } }));
  }),
  passes({ '12': '10.4' }, end, 'users names nobody but others', (room) =>
    changeUsers(room, {}, { [bob]: 100 }, alice),
  ),
  passes({ '12': '10.4' }, end, 'users names somebody whom only `creator` in the content names', () =>
    changeUsers(new AuthRoom('12', { creator: bob }), {}, { [bob]: 10 }, alice),
  ),

  allows(rule('9.4', '10.5'), 'the first power levels of the room', (room) => {
    room.without('m.room.power_levels');
    return room.judge(room.powerLevelsEvent(alice, { users: room.users({ [bob]: 1000 }), ban: 1000 }));
  }),
  {
    // With levels before it, it is compared with them.
    rule: rule('9.4', '10.5'),
    name: 'power levels that are not the first',
    verdict: 'reject',
    decidedBy: rule('9.9.1', '10.10.1'),
    judge: (room) => changeUsers(room, {}, { [bob]: 1000 }),
  },
];

const changeCases: readonly AuthCase[] = [
  ...levelKeys.flatMap((key) => [
    rejects(rule('9.5.1', '10.6.1'), `${key} is lowered from above the sender`, (room) =>
      change(
        room,
        { [key]: 51, events: { 'm.room.power_levels': 50 } },
        { [key]: 50, events: { 'm.room.power_levels': 50 } },
      ),
    ),
    rejects(rule('9.5.1', '10.6.1'), `${key} is removed from above the sender`, (room) =>
      change(
        room,
        { [key]: 51, events: { 'm.room.power_levels': 50 } },
        { events: { 'm.room.power_levels': 50 } },
      ),
    ),
    passes(rule('9.5.1', '10.6.1'), end, `${key} stays above the sender`, (room) =>
      change(
        room,
        { [key]: 51, events: { 'm.room.power_levels': 50 } },
        { [key]: 51, events: { 'm.room.power_levels': 50 } },
      ),
    ),
    passes(rule('9.5.1', '10.6.1'), end, `${key} is lowered from the sender's level`, (room) =>
      change(room, { [key]: 50 }, { [key]: 49 }),
    ),
    rejects(rule('9.5.2', '10.6.2'), `${key} is raised above the sender`, (room) =>
      change(room, { [key]: 50 }, { [key]: 51 }),
    ),
    rejects(rule('9.5.2', '10.6.2'), `${key} is added above the sender`, (room) =>
      change(room, {}, { [key]: 51 }),
    ),
    passes(rule('9.5.2', '10.6.2'), end, `${key} is raised to the sender's level`, (room) =>
      change(room, { [key]: 0 }, { [key]: 50 }),
    ),
  ]),
  ...['events', 'notifications'].flatMap((map) => {
    /** Levels of a map, with that of power levels low enough for the moderator. */
    const levels = (content: JsonObject): JsonObject => ({
      events: { 'm.room.power_levels': 50, ...(map === 'events' ? content : {}) },
      ...(map === 'events' ? {} : { [map]: content }),
    });
    return [
      rejects(rule('9.6.1', '10.7.1'), `an entry of ${map} is lowered from above the sender`, (room) =>
        change(room, levels({ room: 51 }), levels({ room: 50 })),
      ),
      rejects(rule('9.6.1', '10.7.1'), `an entry of ${map} is removed from above the sender`, (room) =>
        change(room, levels({ room: 51, other: 1 }), levels({ other: 1 })),
      ),
      passes(rule('9.6.1', '10.7.1'), end, `an entry of ${map} stays above the sender`, (room) =>
        change(room, levels({ room: 51 }), levels({ room: 51, other: 5 })),
      ),
      passes(rule('9.6.1', '10.7.1'), end, `an entry of ${map} is removed from the sender's level`, (room) =>
        change(room, levels({ room: 50 }), levels({})),
      ),
      rejects(rule('9.7.1', '10.8.1'), `an entry of ${map} is raised above the sender`, (room) =>
        change(room, levels({ room: 50 }), levels({ room: 51 })),
      ),
      rejects(rule('9.7.1', '10.8.1'), `an entry of ${map} is added above the sender`, (room) =>
        change(room, levels({}), levels({ room: 51 })),
      ),
      rejects(
        rule('9.7.1', '10.8.1'),
        `an entry of ${map} with an odd name is added above the sender`,
        (room) => change(room, levels({}), levels({ constructor: 51 })),
      ),
      passes(rule('9.7.1', '10.8.1'), end, `an entry of ${map} is added at the sender's level`, (room) =>
        change(room, levels({}), levels({ room: 50 })),
      ),
    ];
  }),
  rejects(rule('9.6.1', '10.7.1'), 'all of notifications is removed, one from above the sender', (room) =>
    change(room, { notifications: { room: 51 } }, {}),
  ),

  rejects(rule('9.8.1', '10.9.1'), 'somebody of the same power is lowered', (room) =>
    changeUsers(room, { [bob]: 50 }, { [bob]: 0 }),
  ),
  rejects(rule('9.8.1', '10.9.1'), 'somebody of the same power is removed', (room) =>
    changeUsers(room, { [bob]: 50 }, {}),
  ),
  rejects(rule('9.8.1', '10.9.1'), 'somebody above is lowered', (room) =>
    changeUsers(room, { [bob]: 51 }, { [bob]: 50 }),
  ),
  rejects({ '10': '9.8.1', '11': '9.8.1' }, 'the creator is lowered by somebody below', (room) =>
    changeUsers(room, {}, { [alice]: 0 }),
  ),
  passes(rule('9.8.1', '10.9.1'), end, 'somebody below is lowered', (room) =>
    changeUsers(room, { [bob]: 49 }, { [bob]: 0 }),
  ),
  passes(rule('9.8.1', '10.9.1'), end, 'somebody above stays', (room) =>
    changeUsers(room, { [bob]: 51 }, { [bob]: 51 }),
  ),
  passes(rule('9.8.1', '10.9.1'), end, 'the sender lowers themselves', (room) =>
    changeUsers(room, {}, { [mod]: 49 }),
  ),
  passes(rule('9.8.1', '10.9.1'), end, 'the sender removes themselves', (room) =>
    changeUsers(room, {}, { [mod]: null }),
  ),
  passes({ '12': '10.9.1' }, end, 'a creator lowers somebody of the highest level', (room) =>
    changeUsers(room, { [bob]: Number.MAX_SAFE_INTEGER }, { [bob]: 0 }, alice),
  ),
  rejects(rule('9.9.1', '10.10.1'), 'somebody is raised above the sender', (room) =>
    changeUsers(room, { [bob]: 10 }, { [bob]: 51 }),
  ),
  rejects(rule('9.9.1', '10.10.1'), 'somebody is added above the sender', (room) =>
    changeUsers(room, {}, { [bob]: 51 }),
  ),
  rejects(rule('9.9.1', '10.10.1'), 'the sender raises themselves', (room) =>
    changeUsers(room, {}, { [mod]: 51 }),
  ),
  passes(rule('9.9.1', '10.10.1'), end, "somebody is raised to the sender's level", (room) =>
    changeUsers(room, { [bob]: 10 }, { [bob]: 50 }),
  ),
  rejects({ '10': '9.9.1', '11': '9.9.1' }, 'the creator raises somebody above 100', (room) =>
    changeUsers(room, {}, { [bob]: 101 }, alice),
  ),
  passes({ '12': '10.10.1' }, end, 'a creator raises somebody to the highest level', (room) =>
    changeUsers(room, {}, { [bob]: Number.MAX_SAFE_INTEGER }, alice),
  ),
  allows(end, 'a change of which nothing is above the sender', (room) =>
    change(room, { kick: 10, notifications: { room: 20 } }, { ban: 50, notifications: { room: 50 } }),
  ),
  allows(end, 'no change at all', (room) => change(room, {}, {})),
];

export const powerLevelsCases: readonly AuthCase[] = [...formCases, ...changeCases];
