import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { Pdu, UnsignedPdu } from '../../protocol/event.ts';
import { contentHash, eventIdOf, referenceHash, roomIdOf, without } from '../../protocol/hashing.ts';
import { type JsonObject, parseJson } from '../../protocol/json.ts';
import { redact } from '../../protocol/redaction.ts';
import { addSignature, signEvent, signingKeyFromSeed } from '../../protocol/signing.ts';
import { jsonObjects } from '../support/json-values.ts';
import { allVersions, pduWith, roomIdIn } from '../support/pdus.ts';

const key = signingKeyFromSeed('ed25519:1', Buffer.alloc(32, 3));
const types = fc.constantFrom(
  'm.room.message',
  'm.room.member',
  'm.room.create',
  'm.room.power_levels',
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.redaction',
  '__proto__',
);

/** The hash of a text that was written by hand. */
function sha256(text: string, encoding: 'base64' | 'base64url'): string {
  return createHash('sha256').update(text).digest(encoding).replace('=', '');
}

describe('The content hash', () => {
  it('is over the canonical event without unsigned, signatures and hashes', () => {
    const event = {
      type: 'm.room.message',
      content: { body: 'ä', 'org.example': 2 },
      unsigned: { age: 1 },
      signatures: { 'acme.test': {} },
      hashes: { md5: 'x' },
      depth: 3,
    };
    // Not a whole event: the hash does not care.
    const hash = contentHash(event as JsonObject as Pdu);
    assert.equal(
      hash,
      sha256('{"content":{"body":"ä","org.example":2},"depth":3,"type":"m.room.message"}', 'base64'),
    );
    assert.match(hash, /^[A-Za-z0-9+/]{43}$/);
  });

  it('covers keys that nobody knows, __proto__ among them', () => {
    const of = (text: string): string => contentHash(parseJson(text) as JsonObject as Pdu);
    const hashes = ['{"a":1}', '{"a":1,"b":2}', '{"a":1,"__proto__":{}}', '{"a":1,"__proto__":{"c":1}}'].map(
      of,
    );
    assert.equal(new Set(hashes).size, 4);
    assert.equal(hashes[3], sha256('{"__proto__":{"c":1},"a":1}', 'base64'));
  });
});

describe('The reference hash', () => {
  for (const version of allVersions) {
    it(`is over the redacted event without signatures and unsigned, in version ${version.id}`, () => {
      const pdu = pduWith(version, {
        origin: 'acme.test',
        unsigned: { age: 1 },
        age_ts: 5,
        'org.example': 1,
        content: { body: 'gone' },
      });
      const origin = version.id === '10' ? '"origin":"acme.test",' : '';
      const text =
        '{"auth_events":["$create","$member"],"content":{},"depth":12,' +
        '"hashes":{"sha256":"thishashcoversallfieldsincasethisisredacted"},' +
        `${origin}"origin_server_ts":1700000000000,"prev_events":["$prev"],"room_id":"${roomIdIn(version)}",` +
        '"sender":"@ann:acme.test","type":"m.room.message"}';
      assert.equal(referenceHash(pdu, version), sha256(text, 'base64url'));
      assert.equal(eventIdOf(pdu, version), `$${sha256(text, 'base64url')}`);
    });

    it(`is URL-safe and 43 digits long in version ${version.id}`, () => {
      for (let depth = 0; depth < 50; depth += 1)
        assert.match(eventIdOf(pduWith(version, { depth }), version), /^\$[A-Za-z0-9_-]{43}$/);
    });
  }
});

describe('The event id', () => {
  for (const version of allVersions) {
    it(`stays under signatures, unsigned data and redaction, in version ${version.id}`, () => {
      fc.assert(
        fc.property(types, jsonObjects, jsonObjects, jsonObjects, (type, content, unsigned, extra) => {
          const { hashes: _hashes, signatures: _signatures, ...draft } = pduWith(version, { type, content });
          // Keys of the event itself win over those at random.
          const { pdu, eventId } = signEvent(
            { ...extra, ...draft } as UnsignedPdu,
            version,
            'acme.test',
            key,
          );
          assert.equal(eventIdOf(pdu, version), eventId);
          assert.equal(eventIdOf({ ...pdu, unsigned }, version), eventId);
          assert.equal(eventIdOf({ ...pdu, signatures: {} }, version), eventId);
          assert.equal(eventIdOf(addSignature(pdu, version, 'bolt.test', key), version), eventId);
          assert.equal(eventIdOf(redact(pdu, version), version), eventId);
          assert.equal(eventIdOf(parseJson(canonicalJson(pdu)) as Pdu, version), eventId);
        }),
        { numRuns: 60 },
      );
    });

    it(`changes with everything else, in version ${version.id}`, () => {
      const id = eventIdOf(pduWith(version), version);
      const changes: readonly JsonObject[] = [
        { type: 'm.other' },
        { sender: '@bea:acme.test' },
        { room_id: '!other:acme.test' },
        { state_key: '' },
        { depth: 13 },
        { origin_server_ts: 1 },
        { prev_events: [] },
        { auth_events: ['$member', '$create'] },
        { hashes: { sha256: 'other' } },
        { event_id: '$id' },
      ];
      for (const change of changes)
        assert.notEqual(eventIdOf(pduWith(version, change), version), id, JSON.stringify(change));
    });

    it(`does not hang on the content but by its hash, in version ${version.id}`, () => {
      const id = eventIdOf(pduWith(version), version);
      assert.equal(eventIdOf(pduWith(version, { content: { body: 'other' } }), version), id);
    });
  }
});

describe('The room id', () => {
  for (const version of allVersions) {
    const isHash = version.id === '12';
    it(`${isHash ? 'is the id of the create event with another sigil' : 'is what the create event says'} in version ${version.id}`, () => {
      const create = pduWith(version, {
        type: 'm.room.create',
        state_key: '',
        content: { room_version: version.id },
        prev_events: [],
        auth_events: [],
        depth: 1,
        room_id: isHash ? undefined : '!made:acme.test',
      });
      const expected = isHash ? `!${eventIdOf(create, version).slice(1)}` : '!made:acme.test';
      assert.equal(roomIdOf(create, version), expected);
    });
  }

  it('is empty where a create event of version 11 lacks it', () => {
    const v11 = allVersions.find(({ id }) => id === '11');
    assert.ok(v11);
    assert.equal(roomIdOf(pduWith(v11, { room_id: undefined }), v11), '');
  });
});

describe('An object without some of its keys', () => {
  it('is a copy with all others, __proto__ among them', () => {
    const object = parseJson('{"a":1,"__proto__":{"x":1},"b":2}') as JsonObject;
    assert.equal(canonicalJson(without(object, ['a'])), '{"__proto__":{"x":1},"b":2}');
    assert.equal(canonicalJson(without(object, ['__proto__', 'none'])), '{"a":1,"b":2}');
    assert.equal(canonicalJson(object), '{"__proto__":{"x":1},"a":1,"b":2}');
  });
});
