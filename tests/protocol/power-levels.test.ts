import assert from 'node:assert/strict';
import type { RoomEvent } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { creatorPower, creatorsOf, PowerLevels } from '../../protocol/power-levels.ts';
import type { RoomVersion } from '../../protocol/room-versions.ts';
import { allVersions, pduWith, roomIdIn } from '../support/pdus.ts';

const creator = '@ann:acme.test';
const second = '@dan:acme.test';
const member = '@bea:bolt.test';

function event(version: RoomVersion, type: string, content: JsonObject): RoomEvent {
  const pdu = pduWith(version, { type, state_key: '', content, sender: creator });
  return { eventId: '$e', roomId: roomIdIn(version), pdu, rejected: false };
}

function levelsOf(
  version: RoomVersion,
  content: JsonObject | undefined,
  create: JsonObject = { creator },
): PowerLevels {
  const levels = content === undefined ? undefined : event(version, 'm.room.power_levels', content);
  return new PowerLevels(event(version, 'm.room.create', create), levels, version);
}

for (const version of allVersions) {
  describe(`Power levels in version ${version.id}`, () => {
    const isPrivileged = version.id === '12';

    it('without their event: the creator has all power, nobody else any; state needs 50', () => {
      const levels = levelsOf(version, undefined);
      assert.equal(levels.userLevel(creator), isPrivileged ? creatorPower : 100);
      assert.equal(levels.userLevel(member), 0);
      assert.equal(levels.eventLevel('m.room.name', true), 50);
      assert.equal(levels.eventLevel('m.room.message', false), 0);
      assert.deepEqual([levels.ban, levels.kick, levels.redact, levels.invite], [50, 50, 50, 0]);
      assert.equal(levels.notificationLevel('room'), 50);
    });

    it('of an empty event: the same, but the creator is like others before version 12', () => {
      const levels = levelsOf(version, {});
      assert.equal(levels.userLevel(creator), isPrivileged ? creatorPower : 0);
      assert.equal(levels.userLevel(member), 0);
      assert.equal(levels.eventLevel('m.room.name', true), 50);
      assert.equal(levels.eventLevel('m.room.message', false), 0);
      assert.deepEqual([levels.ban, levels.kick, levels.redact, levels.invite], [50, 50, 50, 0]);
      assert.equal(levels.notificationLevel('room'), 50);
    });

    it('are what the event says', () => {
      const levels = levelsOf(version, {
        users: { [member]: 42, [creator]: 7 },
        users_default: 3,
        events: { 'm.room.name': 60, 'm.room.message': -1 },
        events_default: 4,
        state_default: 5,
        ban: 6,
        kick: 7,
        redact: 8,
        invite: 9,
        notifications: { room: 10, 'org.example': 11 },
      });
      assert.equal(levels.userLevel(member), 42);
      assert.equal(levels.userLevel(creator), isPrivileged ? creatorPower : 7);
      assert.equal(levels.userLevel('@eve:acme.test'), 3);
      assert.equal(levels.eventLevel('m.room.name', true), 60);
      assert.equal(levels.eventLevel('m.room.name', false), 60);
      assert.equal(levels.eventLevel('m.room.message', false), -1);
      assert.equal(levels.eventLevel('m.room.topic', true), 5);
      assert.equal(levels.eventLevel('m.sticker', false), 4);
      assert.deepEqual([levels.ban, levels.kick, levels.redact, levels.invite], [6, 7, 8, 9]);
      assert.deepEqual([levels.notificationLevel('room'), levels.notificationLevel('org.example')], [10, 11]);
      assert.equal(levels.notificationLevel('other'), 50);
    });

    it('that are no integers, or not where they belong, count as absent', () => {
      const wrong: readonly JsonObject[] = [
        { users: { [member]: '100' }, users_default: 1.5, ban: '0', events: { 'm.room.name': null } },
        { users: [100], users_default: null, ban: [0], events: 'm.room.name' },
        { users: null, ban: 2 ** 53, kick: {}, notifications: 7 },
      ];
      for (const content of wrong) {
        const levels = levelsOf(version, content);
        assert.equal(levels.userLevel(member), 0);
        assert.equal(levels.ban, 50);
        assert.equal(levels.eventLevel('m.room.name', true), 50);
        assert.equal(levels.notificationLevel('room'), 50);
      }
    });

    it('are not taken from what every object inherits', () => {
      const levels = levelsOf(version, { users: {}, events: {} });
      for (const name of ['toString', 'constructor', '__proto__']) {
        assert.equal(levels.userLevel(name), 0);
        assert.equal(levels.eventLevel(name, false), 0);
      }
    });

    it('without the create event give nobody any power', () => {
      const levels = new PowerLevels(undefined, undefined, version);
      assert.equal(levels.userLevel(creator), 0);
    });

    it('know the creators', () => {
      const create = { creator: second, additional_creators: [second, 7, member] };
      const expected = { '10': [second], '11': [creator], '12': [creator, second, member] }[version.id];
      assert.deepEqual(creatorsOf(event(version, 'm.room.create', create), version), expected);
      const plain = { '10': [], '11': [creator], '12': [creator] }[version.id];
      for (const content of [{}, { creator: 7, additional_creators: 'all' }])
        assert.deepEqual(creatorsOf(event(version, 'm.room.create', content), version), plain);
    });

    it('of creators are beyond every number in version 12, whatever the event says', () => {
      const levels = levelsOf(
        version,
        { users: { [second]: -5 } },
        { creator, additional_creators: [second] },
      );
      assert.equal(levels.userLevel(second), isPrivileged ? Number.POSITIVE_INFINITY : -5);
      assert.ok(!isPrivileged || levels.userLevel(second) > Number.MAX_SAFE_INTEGER);
    });
  });
}
