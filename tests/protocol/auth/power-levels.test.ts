import assert from 'node:assert/strict';
import { authorize } from '../../../protocol/auth/authorize.ts';
import type { JsonObject, JsonValue } from '../../../protocol/json.ts';
import { creatorPower, creatorsOf, PowerLevels } from '../../../protocol/power-levels.ts';
import { AuthRoom, alice, bob, carol, mod } from '../../support/auth-room.ts';

for (const version of ['10', '11', '12'] as const) {
  describe(`power levels in room version ${version}`, () => {
    const levelsOf = (content: JsonObject | undefined, create: JsonObject = {}): PowerLevels => {
      const room = new AuthRoom(version, create);
      const event = content === undefined ? undefined : room.powerLevelsEvent(alice, content);
      return new PowerLevels(room.create, event, room.version);
    };

    it('have the defaults of the specification, with a power levels event and without', () => {
      for (const levels of [levelsOf({}), levelsOf(undefined)]) {
        assert.deepEqual(
          [levels.ban, levels.kick, levels.redact, levels.invite, levels.notificationLevel('room')],
          [50, 50, 50, 0, 50],
        );
        assert.deepEqual([levels.eventLevel('x', true), levels.eventLevel('x', false)], [50, 0]);
        assert.equal(levels.userLevel(bob), 0);
      }
    });

    it('are those of the event', () => {
      const levels = levelsOf({
        ban: 1,
        kick: 2,
        redact: 3,
        invite: 4,
        state_default: 5,
        events_default: 6,
        users_default: 7,
        events: { x: 8 },
        users: { [mod]: -9 },
        notifications: { room: 10 },
      });
      assert.deepEqual([levels.ban, levels.kick, levels.redact, levels.invite], [1, 2, 3, 4]);
      assert.deepEqual([levels.eventLevel('y', true), levels.eventLevel('y', false)], [5, 6]);
      assert.deepEqual([levels.eventLevel('x', true), levels.eventLevel('x', false)], [8, 8]);
      assert.deepEqual([levels.userLevel(bob), levels.userLevel(mod)], [7, -9]);
      assert.deepEqual([levels.notificationLevel('room'), levels.notificationLevel('other')], [10, 50]);
    });

    it('give the creator 100 without an event, and more than any number from version 12 on', () => {
      const power = version === '12' ? creatorPower : 100;
      assert.equal(levelsOf(undefined).userLevel(alice), power);
      assert.equal(levelsOf({ users_default: 3 }).userLevel(alice), version === '12' ? creatorPower : 3);
      assert.ok(creatorPower > Number.MAX_SAFE_INTEGER);
    });

    it('take what is no integer for absent', () => {
      for (const value of ['60', 60.5, null, [60], { x: 60 }, 2 ** 53] as JsonValue[]) {
        const levels = levelsOf({
          ban: value,
          events: { x: value },
          users: { [bob]: value },
          users_default: 5,
          notifications: value,
        });
        assert.deepEqual(
          [levels.ban, levels.eventLevel('x', true), levels.userLevel(bob), levels.notificationLevel('room')],
          [50, 50, 5, 50],
        );
      }
    });

    it('do not take names of JavaScript for entries', () => {
      const levels = levelsOf({ users: {}, events: {} });
      assert.equal(levels.userLevel('constructor'), 0);
      assert.equal(levels.eventLevel('toString', true), 50);
    });

    it('give nobody anything where there is no create event', () => {
      const levels = new PowerLevels(undefined, undefined, new AuthRoom(version).version);
      assert.equal(levels.userLevel(alice), 0);
      assert.equal(levels.eventLevel('x', true), 50);
    });

    it('are judged by nobody where the state has no create event', () => {
      const room = new AuthRoom(version);
      const event = room.event('m.room.message', alice, {});
      const verdict = authorize(event, { get: () => undefined }, room.version, { isSignedBy: () => true });
      assert.deepEqual([verdict.allowed, verdict.rule], [false, version === '12' ? '2' : '2.4']);
    });
  });
}

describe('the creators of a room', () => {
  const creators = (version: '10' | '11' | '12', content: JsonObject): string[] => {
    const room = new AuthRoom(version, content);
    return creatorsOf(room.create, room.version);
  };

  it('are in version 10 whom the content names, and nobody if it names none', () => {
    assert.deepEqual(creators('10', { creator: bob }), [bob]);
    assert.deepEqual(creators('10', { creator: 5 }), []);
  });

  it('are in version 11 the sender, whatever the content says', () => {
    assert.deepEqual(creators('11', { creator: bob, additional_creators: [carol] }), [alice]);
  });

  it('are in version 12 the sender and the additional creators', () => {
    assert.deepEqual(creators('12', { creator: bob, additional_creators: [carol] }), [alice, carol]);
    assert.deepEqual(creators('12', {}), [alice]);
    assert.deepEqual(creators('12', { additional_creators: 'x' }), [alice]);
  });
});
