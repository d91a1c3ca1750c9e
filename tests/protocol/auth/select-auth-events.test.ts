import assert from 'node:assert/strict';
import { selectAuthEvents } from '../../../protocol/auth/select-auth-events.ts';
import type { JsonObject } from '../../../protocol/json.ts';
import type { RoomVersionId } from '../../../protocol/room-versions.ts';
import { alice, bob, carol, versionOf } from '../../support/auth-room.ts';

const levels = 'm.room.power_levels|';
const rules = 'm.room.join_rules|';
const member = (userId: string): string => `m.room.member|${userId}`;
const thirdParty = (token: string): string => `m.room.third_party_invite|${token}`;

function selected(
  version: RoomVersionId,
  type: string,
  sender: string,
  content: JsonObject,
  stateKey?: string,
): string[] {
  const event = { type, sender, content, ...(stateKey === undefined ? {} : { state_key: stateKey }) };
  return selectAuthEvents(event, versionOf(version)).map((key) => `${key.type}|${key.stateKey}`);
}

for (const version of ['10', '11', '12'] as const) {
  describe(`the auth events of an event in room version ${version}`, () => {
    // From version 12 the room id implies the create event, which is never among them.
    const create = version === '12' ? [] : ['m.room.create|'];
    const select = (type: string, sender: string, content: JsonObject, stateKey?: string) =>
      selected(version, type, sender, content, stateKey).sort();
    const selectMember = (sender: string, target: string, content: JsonObject) =>
      select('m.room.member', sender, content, target);
    const always = [...create, levels, member(alice)];
    const are = (actual: string[], expected: readonly string[]) =>
      assert.deepEqual(actual, [...expected].sort());

    it('are none for the create event', () => {
      are(select('m.room.create', alice, {}, ''), []);
    });

    it('are the power levels and the membership of the sender, whatever the event', () => {
      are(select('m.room.message', alice, { body: 'x' }), always);
      are(select('m.room.power_levels', alice, {}, ''), always);
      are(select('m.room.join_rules', alice, {}, ''), always);
      are(select('m.room.third_party_invite', alice, {}, 'token'), always);
      are(select('m.room.redaction', alice, { redacts: '$x' }), always);
      are(select('org.example.status', alice, { membership: 'join' }, alice), always);
    });

    it('hold the membership of the target too, once', () => {
      are(selectMember(alice, bob, { membership: 'leave' }), [...always, member(bob)]);
      are(selectMember(alice, bob, { membership: 'ban' }), [...always, member(bob)]);
      are(selectMember(alice, alice, { membership: 'leave' }), always);
    });

    it('hold the join rules for a join, an invite and a knock, and not for a leave or a ban', () => {
      are(selectMember(alice, alice, { membership: 'join' }), [...always, rules]);
      are(selectMember(alice, alice, { membership: 'knock' }), [...always, rules]);
      are(selectMember(alice, bob, { membership: 'invite' }), [...always, rules, member(bob)]);
      are(selectMember(alice, alice, { membership: 'org.example' }), always);
    });

    it('hold the third party invite that an invite redeems', () => {
      const invite = (third_party_invite: JsonObject[string], membership = 'invite') =>
        selectMember(alice, bob, { membership, third_party_invite });
      const plain = [...always, rules, member(bob)];
      are(invite({ signed: { token: 'abc' } }), [...plain, thirdParty('abc')]);
      are(invite({ signed: { token: 7 } }), plain);
      are(invite({ signed: 'abc' }), plain);
      are(invite(null), plain);
      are(invite({ signed: { token: 'abc' } }, 'leave'), [...always, member(bob)]);
    });

    it('hold the membership of the user who vouches for a join, once', () => {
      const vouched = (authoriser: JsonObject[string], membership = 'join') =>
        selectMember(alice, alice, { membership, join_authorised_via_users_server: authoriser });
      are(vouched(carol), [...always, rules, member(carol)]);
      are(vouched(alice), [...always, rules]);
      are(vouched(7), [...always, rules]);
      are(vouched(carol, 'leave'), always);
      are(vouched(carol, 'knock'), [...always, rules]);
    });

    it('take a member event without a state key as one about nobody', () => {
      are(select('m.room.member', alice, { membership: 'join' }), [...always, rules]);
    });
  });
}
