import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeBase64 } from '../../protocol/base64.ts';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { UnsignedPdu } from '../../protocol/event.ts';
import { isObject, JsonError, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import {
  addSignature,
  jsonSignature,
  signEvent,
  signingKeyFromSeed,
  signJson,
  verifyEventSignature,
  verifyJson,
} from '../../protocol/signing.ts';
import { jsonObjects } from '../support/json-values.ts';
import { allVersions, pduWith } from '../support/pdus.ts';

/** The key of the appendices' test vectors. */
const seed = Buffer.from('YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1', 'base64');
const key = signingKeyFromSeed('ed25519:1', seed);
const other = signingKeyFromSeed('ed25519:other', Buffer.alloc(32, 1));

/** Of the appendices, "JSON Signing". */
const jsonVectors: readonly (readonly [JsonObject, string])[] = [
  [{}, 'K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ'],
  [
    { one: 1, two: 'Two' },
    'KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw',
  ],
];

/** Of the appendices, "Event Signing": the event, its content hash and the signature. */
const eventVectors: readonly (readonly [string, JsonObject, string, string])[] = [
  [
    'a minimal event',
    {
      room_id: '!x:domain',
      sender: '@a:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      signatures: {},
      hashes: {},
      type: 'X',
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 3,
      unsigned: { age_ts: 1000000 },
    },
    '5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos',
    'KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg',
  ],
  [
    'an event with content that a redaction takes away',
    {
      content: { body: 'Here is the message content' },
      event_id: '$0:domain',
      origin: 'domain',
      origin_server_ts: 1000000,
      type: 'm.room.message',
      room_id: '!r:domain',
      sender: '@u:domain',
      signatures: {},
      unsigned: { age_ts: 1000000 },
    },
    'onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g',
    'Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA',
  ],
];

function verifies(object: JsonObject, name = 'domain', signing = key): boolean {
  return verifyJson(object, name, signing.keyId, signing.publicKey);
}

describe('Signing JSON', () => {
  for (const [object, signature] of jsonVectors) {
    it(`gives the specification's signature of ${JSON.stringify(object)}`, () => {
      assert.equal(jsonSignature(object, key), signature);
      const signed = signJson(object, 'domain', key);
      assert.deepEqual(signed, { ...object, signatures: { domain: { 'ed25519:1': signature } } });
      assert.ok(verifies(signed));
    });
  }

  it('leaves out what is not signed, and keeps it', () => {
    const signed = signJson<JsonObject>({ one: 1, two: 'Two', unsigned: { age: 7 } }, 'domain', key);
    assert.deepEqual(signed['unsigned'], { age: 7 });
    assert.equal(JSON.stringify(signed['signatures']).includes(jsonVectors[1]?.[1] ?? '?'), true);
    assert.ok(verifies({ ...signed, unsigned: { age: 8 } }));
    assert.equal(verifies({ ...signed, unsigned_too: 1 }), false);
  });

  it('puts signatures beside each other, of several servers and several keys', () => {
    const second = signingKeyFromSeed('ed25519:2', Buffer.alloc(32, 2));
    let object: JsonObject = { a: 1 };
    object = signJson(object, 'domain', key);
    object = signJson(object, 'domain', second);
    object = signJson(object, 'other.test', other);
    assert.deepEqual(Object.keys(object['signatures'] as JsonObject), ['domain', 'other.test']);
    for (const [name, signing] of [
      ['domain', key],
      ['domain', second],
      ['other.test', other],
    ] as const)
      assert.ok(verifies(object, name, signing));
    assert.equal(verifies(object, 'other.test', key), false);
  });

  it('takes its own signature again for the same key', () => {
    const signed = signJson({ a: 1, signatures: { domain: { 'ed25519:1': 'stale' } } }, 'domain', key);
    assert.ok(verifies(signed));
  });

  it('signs __proto__ like every other key', () => {
    const signed = signJson(parseJson('{"__proto__":{"a":1}}') as JsonObject, 'domain', key);
    assert.ok(verifies(signed));
    assert.equal(verifies(parseJson(canonicalJson(signed).replace('"a":1', '"a":2')) as JsonObject), false);
    assert.equal(
      verifies(parseJson(canonicalJson(signed).replace('"__proto__":{"a":1},', '')) as JsonObject),
      false,
    );
  });

  it('refuses what has no canonical form', () => {
    assert.throws(() => signJson({ a: 0.5 }, 'domain', key), JsonError);
  });

  it('does not verify what is missing, misshapen or not canonical', () => {
    const { signatures: _, ...unsigned } = signJson<JsonObject>({ a: 1 }, 'domain', key);
    const signature = jsonSignature({ a: 1 }, key);
    const wrong: readonly (JsonValue | undefined)[] = [
      undefined,
      null,
      'domain',
      [],
      {},
      { domain: null },
      { domain: 'ed25519:1' },
      { domain: {} },
      { domain: { 'ed25519:2': signature } },
      { domain: { 'ed25519:1': null } },
      { domain: { 'ed25519:1': 7 } },
      { domain: { 'ed25519:1': '' } },
      { domain: { 'ed25519:1': `${signature}!` } },
      { domain: { 'ed25519:1': signature.slice(2) } },
      { 'other.test': { 'ed25519:1': signature } },
    ];
    for (const signatures of wrong)
      assert.equal(verifies(signatures === undefined ? unsigned : { ...unsigned, signatures }), false);
    const signatures = { domain: { 'ed25519:1': signature } };
    assert.ok(verifies({ a: 1, signatures }));
    assert.equal(verifies({ a: 1.5, signatures }), false);
    assert.equal(verifyJson({ a: 1, signatures }, 'toString', 'ed25519:1', key.publicKey), false);
    assert.equal(verifyJson({ a: 1, signatures }, 'domain', 'constructor', key.publicKey), false);
    assert.equal(verifyJson({ a: 1, signatures }, 'domain', 'ed25519:1', 'no key'), false);
  });

  it('verifies for every object, after it went over the wire in any layout', () => {
    fc.assert(
      fc.property(jsonObjects, (object) => {
        const signed = signJson(object, 'domain', key);
        for (const text of [canonicalJson(signed), JSON.stringify(signed, null, 2)])
          assert.ok(verifies(parseJson(text) as JsonObject));
      }),
      { numRuns: 100 },
    );
  });

  /** What a changed text still says: the same bytes of the signature, over the same object. */
  function saysTheSame(text: string, signed: JsonObject): boolean {
    const changed = parseJson(text);
    if (!isObject(changed)) return false;
    const { signatures: theirs, unsigned: _theirs, ...rest } = changed;
    const { signatures: ours, unsigned: _ours, ...expected } = signed;
    return canonicalJson(rest) === canonicalJson(expected) && bytesOf(theirs).equals(bytesOf(ours));
  }

  function bytesOf(signatures: JsonValue | undefined): Buffer {
    const ofServer = isObject(signatures) ? signatures['domain'] : undefined;
    const text = isObject(ofServer) ? ofServer['ed25519:1'] : undefined;
    return (typeof text === 'string' ? decodeBase64(text) : undefined) ?? Buffer.alloc(0);
  }

  it('never verifies a text of which one bit was changed, but for bits that Base64 has to spare', () => {
    const signed = signJson({ a: { b: [1, true, null, 'text'] }, c: 'ä', n: -12 }, 'domain', key);
    const bytes = Buffer.from(canonicalJson(signed));
    let same = 0;
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      let object: JsonValue;
      try {
        object = parseJson(changed);
      } catch {
        continue;
      }
      const isSame = saysTheSame(changed.toString(), signed);
      if (isSame) same += 1;
      assert.equal(verifies(object as JsonObject), isSame, changed.toString());
    }
    assert.ok(same <= 4, `${same} changes of the last digit's spare bits`);
  });

  it('never verifies a text of which any byte was changed, but for one that says the same', () => {
    fc.assert(
      fc.property(jsonObjects, fc.nat(), fc.integer({ min: 1, max: 255 }), (object, place, mask) => {
        const signed = signJson(object, 'domain', key);
        const bytes = Buffer.from(canonicalJson(signed));
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        let changed: JsonValue;
        try {
          changed = parseJson(bytes);
        } catch {
          return;
        }
        assert.equal(isObject(changed) && verifies(changed), saysTheSame(bytes.toString(), signed));
      }),
      { numRuns: 500 },
    );
  });
});

describe('Signing events', () => {
  // The vectors are of an old version, whose redaction keeps what that of version 10 keeps.
  const [v10] = allVersions;
  assert.ok(v10?.id === '10');

  for (const [name, event, sha256, signature] of eventVectors) {
    it(`gives the specification's hash and signature of ${name}`, () => {
      // These events lack keys that events of version 10 have.
      const signed = signEvent(event as UnsignedPdu, v10, 'domain', key);
      assert.deepEqual(signed.pdu, {
        ...event,
        hashes: { sha256 },
        signatures: { domain: { 'ed25519:1': signature } },
      });
      assert.equal(signed.json, canonicalJson(signed.pdu));
      assert.ok(verifyEventSignature(signed.pdu, v10, 'domain', 'ed25519:1', key.publicKey));
    });
  }

  for (const version of allVersions) {
    describe(`in version ${version.id}`, () => {
      const { hashes: _hashes, signatures: _signatures, ...draft } = pduWith(version);
      const { pdu } = signEvent(draft as UnsignedPdu, version, 'acme.test', key);
      const verify = (event: JsonObject): boolean =>
        verifyEventSignature({ ...pdu, ...event }, version, 'acme.test', key.keyId, key.publicKey);

      it('covers what a redaction keeps, and the hash of the content', () => {
        const changes: readonly JsonObject[] = [
          { type: 'm.room.other' },
          { room_id: '!other:acme.test' },
          { sender: '@eve:acme.test' },
          { state_key: '' },
          { hashes: { sha256: 'other' } },
          { depth: 13 },
          { prev_events: [] },
          { auth_events: [] },
          { origin_server_ts: 0 },
          { event_id: '$id' },
        ];
        for (const change of changes) assert.equal(verify(change), false, JSON.stringify(change));
      });

      it('does not cover what a redaction takes away: the hash does', () => {
        const changes: readonly JsonObject[] = [
          {},
          { content: { body: 'Bye' } },
          { unsigned: { age: 1 } },
          { 'org.example': 1 },
          { signatures: { ...pdu.signatures, 'bolt.test': { 'ed25519:2': 'theirs' } } },
        ];
        for (const change of changes) assert.ok(verify(change), JSON.stringify(change));
      });

      it('has a second signature beside the first', () => {
        const both = addSignature(pdu, version, 'bolt.test', other);
        assert.ok(verifyEventSignature(both, version, 'acme.test', key.keyId, key.publicKey));
        assert.ok(verifyEventSignature(both, version, 'bolt.test', other.keyId, other.publicKey));
        assert.deepEqual(both.signatures['acme.test'], pdu.signatures['acme.test']);
        assert.equal(verifyEventSignature(pdu, version, 'bolt.test', other.keyId, other.publicKey), false);
      });

      it('signs no event that is nested too deep or has no canonical form', () => {
        let content: JsonObject = {};
        for (let depth = 0; depth < 127; depth += 1) content = { a: content };
        assert.throws(
          () => signEvent({ ...draft, content } as UnsignedPdu, version, 'acme.test', key),
          (error) => error instanceof JsonError && error.code === 'M_BAD_JSON',
        );
        assert.throws(
          () => signEvent({ ...draft, content: { a: 0.5 } } as UnsignedPdu, version, 'acme.test', key),
          JsonError,
        );
      });
    });
  }
});
