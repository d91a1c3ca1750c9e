import assert from 'node:assert/strict';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import { checkPdu } from '../../protocol/event-format.ts';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { maxJsonDepth, parseJson } from '../../protocol/json.ts';
import type { RoomVersion, RoomVersionId } from '../../protocol/room-versions.ts';
import { signEvent, signingKeyFromSeed } from '../../protocol/signing.ts';
import { allVersions, pduWith, roomIdIn } from '../support/pdus.ts';

/** What is wrong with an event, or '' for nothing. */
function objection(version: RoomVersion, changes: Readonly<Record<string, unknown>>): string {
  const checked = checkPdu(pduWith(version, changes), version);
  return checked.ok ? '' : checked.reason;
}

function nested(depth: number): JsonObject {
  let object: JsonObject = {};
  for (let level = 1; level < depth; level += 1) object = { a: object };
  return object;
}

function ids(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `$${index}`);
}

const everywhere: readonly RoomVersionId[] = ['10', '11', '12'];

interface FormatCase {
  readonly name: string;
  readonly change: Readonly<Record<string, unknown>>;
  /** What is said of it; nothing where the event is in order. */
  readonly says?: RegExp;
  readonly versions?: readonly RoomVersionId[];
}

const cases: readonly FormatCase[] = [
  { name: 'as it is', change: {} },
  { name: 'a type of its own', change: { type: 'org.example.thing' } },
  { name: 'an empty type', change: { type: '' } },
  { name: 'a type of 255 bytes', change: { type: 'é'.repeat(127).concat('x') } },
  { name: 'a type of 256 bytes', change: { type: 'é'.repeat(128) }, says: /type longer than 255 bytes/ },
  { name: 'a type of 256 ASCII characters', change: { type: 'x'.repeat(256) }, says: /type longer than 255/ },
  { name: 'no type', change: { type: undefined }, says: /without a type/ },
  { name: 'a type that is no text', change: { type: 1 }, says: /without a type/ },

  { name: 'a sender of the historical grammar', change: { sender: '@Ann Übel:acme.test' } },
  { name: 'a sender of 255 bytes', change: { sender: `@${'é'.repeat(122)}:acme.test` } },
  {
    name: 'a sender of 256 bytes',
    change: { sender: `@${'é'.repeat(122)}x:acme.test` },
    says: /valid sender/,
  },
  { name: 'no sender', change: { sender: undefined }, says: /valid sender/ },
  { name: 'a sender that is no text', change: { sender: {} }, says: /valid sender/ },
  { name: 'a sender without server', change: { sender: '@ann' }, says: /valid sender/ },
  { name: 'a sender with an invalid server', change: { sender: '@ann:a_b' }, says: /valid sender/ },

  { name: 'no room_id', change: { room_id: undefined }, says: /without a room_id/ },
  {
    name: 'a create event without room_id',
    change: { type: 'm.room.create', room_id: undefined },
    says: /without a room_id/,
    versions: ['10', '11'],
  },
  {
    name: 'a create event without room_id',
    change: { type: 'm.room.create', room_id: undefined },
    versions: ['12'],
  },
  { name: 'a room_id that is no text', change: { room_id: 1 }, says: /valid room_id/ },
  { name: 'a room_id that is no room id', change: { room_id: '#room:acme.test' }, says: /valid room_id/ },
  { name: 'a room_id with a server', change: { room_id: '!r:acme.test' }, versions: ['10', '11'] },
  {
    name: 'a room_id with a server',
    change: { room_id: '!r:acme.test' },
    says: /valid room_id/,
    versions: ['12'],
  },
  {
    name: 'a room_id that is a hash',
    change: { room_id: `!${'A'.repeat(43)}` },
    says: /valid room_id/,
    versions: ['10', '11'],
  },
  { name: 'a room_id that is a hash', change: { room_id: `!${'A'.repeat(43)}` }, versions: ['12'] },
  {
    name: 'a room_id of 255 bytes',
    change: { room_id: `!${'é'.repeat(122)}:acme.test` },
    versions: ['10', '11'],
  },
  {
    name: 'a room_id of 256 bytes',
    change: { room_id: `!${'é'.repeat(122)}x:acme.test` },
    says: /valid room_id/,
  },

  { name: 'an empty state_key', change: { state_key: '' } },
  { name: 'a state_key with a NUL', change: { state_key: '\0' } },
  { name: 'a state_key of 255 bytes', change: { state_key: 'é'.repeat(127).concat('x') } },
  {
    name: 'a state_key of 256 bytes',
    change: { state_key: '日'.repeat(85).concat('x') },
    says: /state_key longer than 255 bytes/,
  },
  {
    name: 'a state_key that is no text',
    change: { state_key: null },
    says: /state_key that is not a string/,
  },

  { name: 'no content', change: { content: undefined }, says: /without content/ },
  { name: 'a list as content', change: { content: [] }, says: /without content/ },
  { name: 'null as content', change: { content: null }, says: /without content/ },
  { name: 'an empty content', change: { content: {} } },

  { name: 'a depth of zero', change: { depth: 0 } },
  { name: 'the largest depth', change: { depth: 2 ** 53 - 1 } },
  { name: 'a larger depth', change: { depth: 2 ** 53 }, says: /valid depth/ },
  { name: 'a negative depth', change: { depth: -1 }, says: /valid depth/ },
  { name: 'no depth', change: { depth: undefined }, says: /valid depth/ },
  { name: 'a depth that is no number', change: { depth: '1' }, says: /valid depth/ },

  { name: 'a time before 1970', change: { origin_server_ts: -1 } },
  { name: 'the latest time', change: { origin_server_ts: 2 ** 53 - 1 } },
  { name: 'a time that is no integer', change: { origin_server_ts: 1.5 }, says: /origin_server_ts/ },
  { name: 'a later time', change: { origin_server_ts: 2 ** 53 }, says: /origin_server_ts/ },
  { name: 'no time', change: { origin_server_ts: undefined }, says: /origin_server_ts/ },

  { name: 'no previous events', change: { prev_events: [] } },
  { name: '20 previous events', change: { prev_events: ids(20) } },
  { name: '21 previous events', change: { prev_events: ids(21) }, says: /valid prev_events/ },
  { name: 'prev_events missing', change: { prev_events: undefined }, says: /valid prev_events/ },
  {
    name: 'a previous event that is no text',
    change: { prev_events: [['$a', {}]] },
    says: /valid prev_events/,
  },
  { name: 'a previous event that is no id', change: { prev_events: ['a'] }, says: /valid prev_events/ },
  { name: 'a previous event id of 255 bytes', change: { prev_events: [`$${'é'.repeat(127)}`] } },
  {
    name: 'a previous event id of 256 bytes',
    change: { prev_events: [`$${'é'.repeat(127)}x`] },
    says: /valid prev_events/,
  },
  { name: '10 auth events', change: { auth_events: ids(10) } },
  { name: '11 auth events', change: { auth_events: ids(11) }, says: /valid auth_events/ },
  { name: 'auth_events missing', change: { auth_events: undefined }, says: /valid auth_events/ },
  { name: 'auth_events that are no list', change: { auth_events: '$a' }, says: /valid auth_events/ },

  { name: 'hashes of several kinds', change: { hashes: { sha256: 'x', sha512: 'y' } } },
  { name: 'no hashes', change: { hashes: undefined }, says: /content hash/ },
  { name: 'no hash that we know', change: { hashes: { sha512: 'x' } }, says: /content hash/ },
  { name: 'a hash that is no text', change: { hashes: { sha256: 1 } }, says: /content hash/ },
  { name: 'hashes that are a list', change: { hashes: ['sha256'] }, says: /content hash/ },

  { name: 'no signature in signatures', change: { signatures: {} } },
  { name: 'a server without signatures', change: { signatures: { 'acme.test': {} } } },
  { name: 'no signatures', change: { signatures: undefined }, says: /valid signatures/ },
  { name: 'signatures that are a list', change: { signatures: [] }, says: /valid signatures/ },
  {
    name: 'signatures of a server that are a text',
    change: { signatures: { 'acme.test': 'x' } },
    says: /valid signatures/,
  },
  {
    name: 'a signature that is no text',
    change: { signatures: { 'acme.test': { 'ed25519:1': 1 } } },
    says: /valid signatures/,
  },

  { name: 'unsigned data', change: { unsigned: { age: 4612 } } },
  { name: 'unsigned data that is no object', change: { unsigned: [] }, says: /unsigned data/ },
  { name: 'a redacts', change: { type: 'm.room.redaction', redacts: '$some-old_event' } },
  { name: 'a redacts that is no text', change: { redacts: 1 }, says: /redacts/, versions: ['10'] },
  { name: 'a redacts that is no text', change: { redacts: 1 }, versions: ['11', '12'] },
  { name: 'keys that nobody knows', change: { origin: 'acme.test', 'org.example': [null], event_id: '$id' } },

  { name: 'content as deep as an event may be', change: { content: nested(127) } },
  { name: 'content one level deeper', change: { content: nested(128) }, says: /canonical form: .*deep/ },
  { name: 'a fraction', change: { content: { a: 0.5 } }, says: /canonical form/ },
  { name: 'half of a surrogate pair', change: { content: { a: '\ud800' } }, says: /canonical form/ },
];

for (const version of allVersions) {
  describe(`The event format of version ${version.id}`, () => {
    for (const { name, change, says, versions = everywhere } of cases) {
      if (!versions.includes(version.id)) continue;
      it(`${says === undefined ? 'takes' : 'refuses'} ${name}`, () => {
        assert.match(objection(version, change), says ?? /^$/);
      });
    }

    it('hands back the event itself', () => {
      const pdu = pduWith(version);
      const checked = checkPdu(pdu, version);
      assert.ok(checked.ok);
      assert.equal(checked.pdu, pdu);
    });

    it('refuses what is no object', () => {
      for (const value of [null, [], 'event', 7, true]) {
        const checked = checkPdu(value, version);
        assert.match(checked.ok ? '' : checked.reason, /not an object/);
      }
    });

    /** An event of exactly so many bytes: the body fills it up. */
    function ofBytes(bytes: number, rest: Readonly<Record<string, unknown>>): JsonObject {
      const empty = pduWith(version, { ...rest, content: { body: '' } });
      const size = bytes - Buffer.byteLength(canonicalJson(empty));
      const body = 'é'.repeat(Math.floor(size / 2)) + (size % 2 === 1 ? 'x' : '');
      const pdu = pduWith(version, { ...rest, content: { body } });
      assert.equal(Buffer.byteLength(canonicalJson(pdu)), bytes);
      return pdu;
    }

    const sizes: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
      ['plain', {}],
      [
        'with many signatures',
        { signatures: { 'acme.test': Object.fromEntries(ids(100).map((id) => [id, 'x'.repeat(86)])) } },
      ],
      ['with unsigned data', { unsigned: { much: 'x'.repeat(5_000) } }],
    ];
    for (const [name, rest] of sizes) {
      it(`takes an event of 65,536 bytes and none of 65,537, ${name}`, () => {
        assert.ok(checkPdu(ofBytes(65_536, rest), version).ok);
        const checked = checkPdu(ofBytes(65_537, rest), version);
        assert.match(checked.ok ? '' : checked.reason, /larger than 65536 bytes/);
      });
    }

    it('counts bytes as they are escaped in canonical form', () => {
      const size = (char: string): number =>
        Buffer.byteLength(canonicalJson(pduWith(version, { content: { body: char.repeat(20_000) } })));
      assert.ok(size('x') < 65_536);
      assert.match(objection(version, { content: { body: '\u0001'.repeat(20_000) } }), /larger/);
      assert.match(objection(version, { content: { body: '\n'.repeat(40_000) } }), /larger/);
      assert.equal(objection(version, { content: { body: 'x'.repeat(60_000) } }), '');
    });

    it('takes what signing makes, also after it went over the wire among others', () => {
      const {
        hashes: _hashes,
        signatures: _signatures,
        ...draft
      } = pduWith(version, { content: nested(127) });
      const key = signingKeyFromSeed('ed25519:1', Buffer.alloc(32, 9));
      const { json } = signEvent(draft, version, 'acme.test', key);
      // As deep as what a request is signed over.
      const wire = parseJson(`{"content":{"pdus":[${json}]}}`) as { content: { pdus: JsonValue[] } };
      assert.ok(checkPdu(wire.content.pdus[0] ?? null, version).ok);
      assert.ok(canonicalJson(wire).length > 0);
      assert.ok(maxJsonDepth >= 128 + 3);
    });

    it('knows the room ids of its version', () => {
      assert.equal(objection(version, { room_id: roomIdIn(version) }), '');
    });
  });
}
