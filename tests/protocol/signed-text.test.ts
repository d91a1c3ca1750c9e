import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson, canonicalMembers, canonicalText, withMember } from '../../protocol/canonical-json.ts';
import type { UnsignedPdu } from '../../protocol/event.ts';
import { contentHash, eventIdOf } from '../../protocol/hashing.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { roomVersion } from '../../protocol/room-versions.ts';
import { signEvent, signingKeyFromSeed, verifyEventSignature } from '../../protocol/signing.ts';

const key = signingKeyFromSeed('ed25519:1', new Uint8Array(32).fill(7));
const keys = fc.oneof(fc.string({ maxLength: 3 }), fc.string({ unit: 'grapheme', maxLength: 3 }));
const value = fc.oneof(fc.integer(), fc.boolean(), fc.string({ unit: 'grapheme', maxLength: 5 }));
const objects = fc
  .dictionary(keys, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 6 })
  .filter((object) => !Object.hasOwn(object, '__proto__') && canonicalises(object));

function canonicalises(object: object): boolean {
  try {
    return canonicalJson(object as JsonObject) !== '';
  } catch {
    return false;
  }
}

describe('The canonical text that is put together from members', () => {
  it('is the canonical form of the object', () => {
    fc.assert(
      fc.property(objects, (object) => {
        const json = object as JsonObject;
        assert.equal(canonicalText(canonicalMembers(json)), canonicalJson(json));
      }),
      { numRuns: 300 },
    );
  });

  it('has a member that is added at its place, also among keys beyond the BMP', () => {
    fc.assert(
      fc.property(objects, keys, (object, added) => {
        fc.pre(added !== '__proto__' && canonicalises({ [added]: 1 }));
        const { [added]: _, ...rest } = object as JsonObject;
        const text = canonicalText(withMember(canonicalMembers(rest), added, 1));
        assert.equal(text, canonicalJson({ ...rest, [added]: 1 }));
      }),
      { numRuns: 300 },
    );
    const text = canonicalText(withMember(canonicalMembers({ '\uffff': 1 }), '\u{10000}', 2));
    assert.equal(text, canonicalJson({ '\uffff': 1, '\u{10000}': 2 }));
  });
});

describe('Signing an event', () => {
  const contents: readonly (readonly [string, JsonObject])[] = [
    ['m.room.message', { body: 'ä\u{1f600}', msgtype: 'm.text', nested: { b: [1], a: null } }],
    ['m.room.member', { membership: 'join', displayname: 'Ann' }],
    ['m.room.power_levels', { users: { '@a:acme.test': 100 }, invite: 0, more: 'cut' }],
    ['m.room.redaction', { redacts: '$x', reason: 'cut' }],
    ['toString', { constructor: 'x' }],
  ];
  for (const id of ['10', '11', '12'] as const) {
    it(`gives the canonical text, the content hash, the id and a valid signature in version ${id}`, () => {
      const version = roomVersion(id);
      assert.ok(version);
      for (const [type, content] of contents) {
        const draft: UnsignedPdu = {
          type,
          content,
          sender: '@a:acme.test',
          room_id: '!r:acme.test',
          prev_events: ['$p'],
          auth_events: [],
          depth: 7,
          origin_server_ts: 1,
          toString: 'an own key that every object has already',
        };
        const { pdu, eventId, json } = signEvent(draft, version, 'acme.test', key);
        assert.equal(json, canonicalJson(pdu));
        assert.equal(pdu.hashes.sha256, contentHash(pdu));
        assert.equal(eventId, eventIdOf(pdu, version));
        assert.ok(verifyEventSignature(pdu, version, 'acme.test', key.keyId, key.publicKey));
      }
    });
  }
});
