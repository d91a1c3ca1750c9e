import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { redact, redactContent, survivesRedaction } from '../../protocol/redaction.ts';
import type { RoomVersionId } from '../../protocol/room-versions.ts';
import { jsonObjects, texts } from '../support/json-values.ts';
import { allVersions, pduWith } from '../support/pdus.ts';

/** The keys of an event that outlive its redaction, as the room versions list them. */
const keptOfEvent: Readonly<Record<RoomVersionId, string>> = {
  '10': `event_id type room_id sender state_key content hashes signatures depth prev_events prev_state auth_events
         origin origin_server_ts membership`,
  '11': `event_id type room_id sender state_key content hashes signatures depth prev_events auth_events
         origin_server_ts`,
  '12': `event_id type room_id sender state_key content hashes signatures depth prev_events auth_events
         origin_server_ts`,
};

/** The keys of the content that do, by event type; "all" for everything. Types that are not here keep nothing. */
const keptOfContent: Readonly<Record<RoomVersionId, Readonly<Record<string, string>>>> = {
  '10': {
    'm.room.member': 'membership join_authorised_via_users_server',
    'm.room.create': 'creator',
    'm.room.join_rules': 'join_rule allow',
    'm.room.power_levels': 'ban events events_default kick redact state_default users users_default',
    'm.room.history_visibility': 'history_visibility',
  },
  '11': {
    'm.room.member': 'membership join_authorised_via_users_server third_party_invite',
    'm.room.create': 'all',
    'm.room.join_rules': 'join_rule allow',
    'm.room.power_levels': 'ban events events_default invite kick redact state_default users users_default',
    'm.room.history_visibility': 'history_visibility',
    'm.room.redaction': 'redacts',
  },
  '12': {
    'm.room.member': 'membership join_authorised_via_users_server third_party_invite',
    'm.room.create': 'all',
    'm.room.join_rules': 'join_rule allow',
    'm.room.power_levels': 'ban events events_default invite kick redact state_default users users_default',
    'm.room.history_visibility': 'history_visibility',
    'm.room.redaction': 'redacts',
  },
};

const typesThatKeepNothing = [
  'm.room.message',
  'm.room.aliases',
  'm.room.name',
  'm.room.topic',
  'm.room.encrypted',
  'm.room.encryption',
  'm.room.server_acl',
  'm.room.third_party_invite',
  'm.room.tombstone',
  'm.room.canonical_alias',
  'm.space.child',
  'm.reaction',
  'M.ROOM.MEMBER',
  'm.room.member ',
  'org.example',
  'toString',
  '__proto__',
  '',
];

const wholeEvent: Readonly<Record<string, JsonValue>> = {
  event_id: '$id',
  type: 'm.room.message',
  room_id: '!room:acme.test',
  sender: '@ann:acme.test',
  state_key: '',
  content: {},
  hashes: { sha256: 'hash', other: 'hash' },
  signatures: { 'acme.test': { 'ed25519:1': 'signature' } },
  depth: 3,
  prev_events: ['$p'],
  prev_state: ['$s'],
  auth_events: ['$a'],
  origin: 'acme.test',
  origin_server_ts: 5,
  membership: 'join',
  // What no version keeps.
  unsigned: { age: 1 },
  age_ts: 1,
  redacts: '$r',
  'org.example': { a: 1 },
  destinations: ['bolt.test'],
};

/** Every key that some type keeps, and some that none does. */
const wholeContent: Readonly<Record<string, JsonValue>> = {
  membership: 'invite',
  join_authorised_via_users_server: '@bea:acme.test',
  third_party_invite: { signed: { token: 't', mxid: '@c:acme.test' }, display_name: 'Cy' },
  displayname: 'Ann',
  avatar_url: 'mxc://acme.test/a',
  reason: 'because',
  creator: '@ann:acme.test',
  'm.federate': false,
  room_version: '10',
  predecessor: { room_id: '!old:acme.test' },
  additional_creators: ['@dan:acme.test'],
  type: 'm.space',
  join_rule: 'restricted',
  allow: [{ type: 'm.room_membership', room_id: '!other:acme.test' }],
  ban: 1,
  events: { 'm.room.name': 2 },
  events_default: 3,
  invite: 4,
  kick: 5,
  redact: 6,
  state_default: 7,
  users: { '@ann:acme.test': 100 },
  users_default: 8,
  notifications: { room: 50 },
  history_visibility: 'joined',
  redacts: '$r',
  body: 'Hello',
  msgtype: 'm.text',
  aliases: ['#a:acme.test'],
  deny: ['evil.test'],
  allow_ip_literals: false,
  algorithm: 'm.megolm.v1.aes-sha2',
};

function words(list: string): string[] {
  return list.split(/\s+/);
}

function keysOf(object: JsonObject): string[] {
  return Object.keys(object).sort();
}

for (const version of allVersions) {
  describe(`Redaction in version ${version.id}`, () => {
    it('keeps these keys of an event, and no other', () => {
      const redacted = redact(pduWith(version, wholeEvent), version);
      assert.deepEqual(keysOf(redacted), words(keptOfEvent[version.id]).sort());
      for (const key of Object.keys(redacted)) assert.deepEqual(redacted[key], wholeEvent[key], key);
      for (const key of Object.keys(wholeEvent))
        assert.equal(survivesRedaction(key, version), Object.hasOwn(redacted, key), key);
    });

    it('adds no key that is missing', () => {
      const redacted = redact(pduWith(version, { room_id: undefined }), version);
      assert.deepEqual(
        keysOf(redacted),
        words('auth_events content depth hashes origin_server_ts prev_events sender signatures type'),
      );
    });

    for (const [type, list] of Object.entries(keptOfContent[version.id])) {
      it(`keeps of ${type}: ${list}`, () => {
        const content = redact(pduWith(version, { type, content: wholeContent }), version).content;
        const expected = list === 'all' ? Object.keys(wholeContent) : words(list);
        assert.deepEqual(keysOf(content), expected.sort());
        for (const key of expected)
          if (key !== 'third_party_invite') assert.deepEqual(content[key], wholeContent[key], key);
        assert.deepEqual(redactContent(type, wholeContent, version), content);
        assert.deepEqual(redactContent(type, {}, version), {});
      });
    }

    for (const type of typesThatKeepNothing) {
      it(`keeps nothing of the content of ${JSON.stringify(type)}`, () => {
        assert.deepEqual(redact(pduWith(version, { type, content: wholeContent }), version).content, {});
      });
    }

    if (version.id === '10') {
      it('keeps nothing of the content of m.room.redaction, and its redacts neither', () => {
        const redaction = pduWith(version, {
          type: 'm.room.redaction',
          content: wholeContent,
          redacts: '$r',
        });
        const redacted = redact(redaction, version);
        assert.deepEqual(redacted.content, {});
        assert.equal(redacted.redacts, undefined);
      });
    } else {
      it('keeps of a third-party invite the key and what is signed, whatever else is under it', () => {
        const invites: readonly (readonly [JsonValue, JsonObject])[] = [
          [{ signed: { token: 't' }, display_name: 'C' }, { third_party_invite: { signed: { token: 't' } } }],
          [{ signed: 'anything' }, { third_party_invite: { signed: 'anything' } }],
          [{ display_name: 'C' }, { third_party_invite: {} }],
          [{}, { third_party_invite: {} }],
          ['text', {}],
          [['signed'], {}],
          [null, {}],
        ];
        for (const [third_party_invite, expected] of invites)
          assert.deepEqual(redactContent('m.room.member', { third_party_invite }, version), expected);
      });
    }

    it('keeps values as they are, whatever their type', () => {
      for (const value of [null, 0, '', false, [], {}])
        assert.deepEqual(redactContent('m.room.member', { membership: value }, version), {
          membership: value,
        });
    });

    it('changes nothing of the event that it is given', () => {
      const pdu = pduWith(version, { ...wholeEvent, type: 'm.room.member', content: wholeContent });
      const before = canonicalJson(pdu);
      redact(pdu, version);
      assert.equal(canonicalJson(pdu), before);
    });

    it('twice is as once, for every event', () => {
      const types = fc.oneof(
        fc.constantFrom(...Object.keys(keptOfContent[version.id]), 'm.room.redaction'),
        texts,
      );
      const contents = fc
        .tuple(fc.subarray(Object.entries(wholeContent)), jsonObjects)
        .map(([known, others]) => ({ ...Object.fromEntries(known), ...others }));
      fc.assert(
        fc.property(types, contents, jsonObjects, (type, content, extra) => {
          const once = redact(pduWith(version, { ...extra, type, content }), version);
          assert.deepEqual(redact(once, version), once);
        }),
        { numRuns: 150 },
      );
    });
  });
}
