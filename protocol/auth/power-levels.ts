import type { RoomEvent } from '../event.ts';
import { parseUserId } from '../identifiers.ts';
import { isObject, type JsonObject, type JsonValue } from '../json.ts';
import { creatorsOf } from '../power-levels.ts';
import type { RoomVersion } from '../room-versions.ts';
import type { StateLookup } from './facts.ts';
import { allowed, rejected, type Verdict } from './verdict.ts';

interface PowerLevelsCase {
  readonly event: RoomEvent;
  readonly state: StateLookup;
  readonly version: RoomVersion;
  readonly create: RoomEvent;
  /** The sender's current power. */
  readonly power: number;
  readonly rule: (rest: string) => string;
}

const levelKeys = [
  'users_default',
  'events_default',
  'state_default',
  'ban',
  'redact',
  'kick',
  'invite',
] as const;

/** Rule 9, in version 12 rule 10: `m.room.power_levels`. */
export function authorizePowerLevels({
  event,
  state,
  version,
  create,
  power,
  rule,
}: PowerLevelsCase): Verdict {
  const { content, sender } = event.pdu;
  // .1
  const notInteger = levelKeys.find((key) => content[key] !== undefined && !isInteger(content[key]));
  if (notInteger !== undefined) return rejected(rule('.1'), `${notInteger} is not an integer`);
  // .2
  for (const key of ['events', 'notifications']) {
    if (content[key] !== undefined && !isLevels(content[key])) {
      return rejected(rule('.2'), `${key} is not an object of integers`);
    }
  }
  // .3
  const users = content['users'];
  if (users !== undefined) {
    const valid = isLevels(users) && Object.keys(users).every((userId) => parseUserId(userId) !== undefined);
    if (!valid) return rejected(rule('.3'), 'users is not an object of user ids with integers');
  }
  // .4 of version 12
  if (version.creatorsArePrivileged && isObject(users)) {
    const creator = creatorsOf(create, version).find((userId) => Object.hasOwn(users, userId));
    if (creator !== undefined) return rejected(rule('.4'), 'A creator cannot be given a power level');
  }
  // The rules after it have one number more in version 12.
  const shift = version.creatorsArePrivileged ? 1 : 0;
  const later = (number: number, rest = ''): string => rule(`.${number + shift}${rest}`);

  // .4 (.5)
  const previous = state.get('m.room.power_levels', '')?.pdu.content;
  if (previous === undefined) return allowed(later(4));

  // .5 (.6)
  for (const key of levelKeys) {
    const [before, after] = [integer(previous[key]), integer(content[key])];
    if (before === after) continue;
    if (before !== undefined && before > power) {
      return rejected(later(5, '.1'), `${key} is above the sender's power`);
    }
    if (after !== undefined && after > power) {
      return rejected(later(5, '.2'), `${key} would be above the sender's power`);
    }
  }

  const levelChanges = ['events', 'notifications'].flatMap((map) => changes(previous[map], content[map]));
  // .6 (.7)
  for (const { key, before } of levelChanges) {
    if (before !== undefined && before > power) {
      return rejected(later(6, '.1'), `${key} is above the sender's power`);
    }
  }
  // .7 (.8)
  for (const { key, after } of levelChanges) {
    if (after !== undefined && after > power) {
      return rejected(later(7, '.1'), `${key} would be above the sender's power`);
    }
  }

  const userChanges = changes(previous['users'], users);
  // .8 (.9)
  for (const { key: userId, before } of userChanges) {
    if (userId !== sender && before !== undefined && before >= power) {
      return rejected(later(8, '.1'), `${userId} has as much power as the sender`);
    }
  }
  // .9 (.10)
  for (const { key: userId, after } of userChanges) {
    if (after !== undefined && after > power) {
      return rejected(later(9, '.1'), `${userId} would have more power than the sender`);
    }
  }

  // .10 (.11)
  return allowed(later(10));
}

interface Change {
  readonly key: string;
  /** Undefined: the entry is being added. */
  readonly before: number | undefined;
  /** Undefined: the entry is being removed. */
  readonly after: number | undefined;
}

/** The entries that are added to, changed in or removed from an object of levels. */
function changes(before: JsonValue | undefined, after: JsonValue | undefined): Change[] {
  const [old, now] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .map((key) => ({ key, before: own(old, key), after: own(now, key) }))
    .filter((change) => change.before !== change.after);
}

function own(object: JsonObject, key: string): number | undefined {
  return Object.hasOwn(object, key) ? integer(object[key]) : undefined;
}

function integer(value: JsonValue | undefined): number | undefined {
  return isInteger(value) ? value : undefined;
}

function isInteger(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}

function isLevels(value: JsonValue | undefined): value is JsonObject {
  return isObject(value) && Object.values(value).every(isInteger);
}
