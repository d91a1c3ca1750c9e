import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { encodeBase64 } from '../../protocol/base64.ts';
import { isReducedScalar, isValidPoint } from '../../protocol/ed25519-encoding.ts';
import { generateSigningKey, signingKeyFromSeed, verifyEd25519 } from '../../protocol/signing.ts';
import {
  add,
  basePoint,
  decodeNumber,
  encodeNumber,
  encodePoint,
  fieldPrime,
  groupOrder,
  multiply,
  neutral,
  type Point,
  pointAt,
  pointOfOrderEight,
} from '../support/ed25519-points.ts';

/** RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature. */
const rfcVectors = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const;

/** What tweetnacl says; it throws for keys and signatures of a wrong length. */
function oracle(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  try {
    return nacl.sign.detached.verify(message, signature, key);
  } catch {
    return false;
  }
}

function challenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return decodeNumber(createHash('sha512').update(r).update(key).update(message).digest()) % groupOrder;
}

const secret = 0x1234_5678_9abc_def0n;
const nonce = 0x0fed_cba9_8765_4321n;
const honestKey = encodePoint(multiply(basePoint, secret));
const honestR = encodePoint(multiply(basePoint, nonce));
const message = Buffer.from('a message');

function signatureOf(r: Uint8Array, s: bigint): Buffer {
  return Buffer.concat([r, encodeNumber(s)]);
}

/** S of an honest signer who knows the secret of the key and the nonce of R. */
function response(r: Uint8Array, key: Uint8Array, text: Uint8Array, rNonce: bigint): bigint {
  return (rNonce + challenge(r, key, text) * secret) % groupOrder;
}

interface EdgeCase {
  readonly name: string;
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  readonly accepted: boolean;
  /** What tweetnacl says, which checks neither S nor the points; where it is not told it says the same. */
  readonly tweetnacl?: boolean;
}

const small = pointOfOrderEight();
/** The eight points whose multiples end at the neutral point, which is the first of them. */
const smallPoints: readonly Point[] = Array.from({ length: 8 }, (_, factor) =>
  multiply(small, BigInt(factor)),
);
/** The second encodings of the points of small order: y is not reduced, or an x of zero has a sign. */
const otherEncodings: readonly (readonly [string, Buffer])[] = [
  ['y = p', encodeNumber(fieldPrime)],
  ['y = p with a sign', encodeNumber(signed(fieldPrime))],
  ['y = p + 1', encodeNumber(fieldPrime + 1n)],
  ['y = p + 1 with a sign', encodeNumber(signed(fieldPrime + 1n))],
  ['y = 1 with a sign', encodeNumber(signed(1n))],
  ['y = -1 with a sign', encodeNumber(signed(fieldPrime - 1n))],
];

function signed(y: bigint): bigint {
  return y | (1n << 255n);
}

function flipSign(point: Uint8Array): Buffer {
  return encodeNumber(decodeNumber(point) ^ (1n << 255n));
}

function firstY(wanted: (point: Point | undefined) => boolean): bigint {
  for (let y = 2n; ; y += 1n) if (wanted(pointAt(y))) return y;
}

const s = response(honestR, honestKey, message, nonce);
const noPoint = encodeNumber(firstY((point) => point === undefined));
const honest = { key: honestKey, message };

const alteredCases: readonly EdgeCase[] = [
  { name: 'an honest signature', ...honest, signature: signatureOf(honestR, s), accepted: true },
  {
    name: 'S + L, which means the same as S',
    ...honest,
    signature: signatureOf(honestR, s + groupOrder),
    accepted: false,
    tweetnacl: true,
  },
  {
    name: 'S + 2L',
    ...honest,
    signature: signatureOf(honestR, s + 2n * groupOrder),
    accepted: false,
    tweetnacl: true,
  },
  { name: 'L - S', ...honest, signature: signatureOf(honestR, groupOrder - s), accepted: false },
  { name: 'S of zero', ...honest, signature: signatureOf(honestR, 0n), accepted: false },
  { name: 'S of ones', ...honest, signature: signatureOf(honestR, 2n ** 256n - 1n), accepted: false },
  { name: 'R of ones', ...honest, signature: signatureOf(encodeNumber(2n ** 256n - 1n), s), accepted: false },
  { name: 'R with the other sign', ...honest, signature: signatureOf(flipSign(honestR), s), accepted: false },
  { name: 'R that is no point', ...honest, signature: signatureOf(noPoint, s), accepted: false },
  { name: 'another R', ...honest, signature: signatureOf(honestKey, s), accepted: false },
  {
    name: 'a key with the other sign',
    key: flipSign(honestKey),
    message,
    signature: signatureOf(honestR, s),
    accepted: false,
  },
  {
    name: 'a key that is no point',
    key: noPoint,
    message,
    signature: signatureOf(honestR, s),
    accepted: false,
  },
  { name: 'another key', key: honestR, message, signature: signatureOf(honestR, s), accepted: false },
  {
    name: 'another message',
    key: honestKey,
    message: Buffer.from('a massage'),
    signature: signatureOf(honestR, s),
    accepted: false,
  },
  {
    name: 'no message',
    key: honestKey,
    message: Buffer.alloc(0),
    signature: signatureOf(honestR, s),
    accepted: false,
  },
];

/** With a key of small order anybody can sign one message in eight: R = S·B fits as soon as h·A = 0. */
function smallKeyCase(name: string, key: Buffer): EdgeCase {
  const r = honestR;
  const text = messageWith((candidate) => challenge(r, key, candidate) % 8n === 0n);
  return { name, key, message: text, signature: signatureOf(r, nonce), accepted: false, tweetnacl: true };
}

/**
 * R of small order: the signer has a key with a part of small order, and picks a message so that this part makes R.
 * Two servers that treat the factor eight differently would disagree about such a signature.
 */
function smallRCase(point: Point, index: number): EdgeCase {
  const r = encodePoint(point);
  const key = encodePoint(add(multiply(basePoint, secret), small));
  const text = messageWith((candidate) => (challenge(r, key, candidate) + BigInt(index)) % 8n === 0n);
  const signature = signatureOf(r, (challenge(r, key, text) * secret) % groupOrder);
  return {
    name: `R = ${index} times a point of order 8`,
    key,
    message: text,
    signature,
    accepted: false,
    tweetnacl: true,
  };
}

/** A key with a part of small order, under a message that hides it: nobody can tell, and all accept it. */
function mixedKeyCase(): EdgeCase {
  const key = encodePoint(add(multiply(basePoint, secret), small));
  const text = messageWith((candidate) => challenge(honestR, key, candidate) % 8n === 0n);
  const signature = signatureOf(honestR, response(honestR, key, text, nonce));
  return {
    name: 'a key with a part of small order that does not count',
    key,
    message: text,
    signature,
    accepted: true,
  };
}

/** The first message that makes a challenge as it is wanted. */
function messageWith(wanted: (candidate: Buffer) => boolean): Buffer {
  for (let count = 0; count < 1_000; count += 1) {
    const text = Buffer.from(`message ${count}`);
    if (wanted(text)) return text;
  }
  throw new Error('there is no such message');
}

const smallCases: readonly EdgeCase[] = [
  ...smallPoints.map((point, index) =>
    smallKeyCase(`key = ${index} times a point of order 8`, encodePoint(point)),
  ),
  ...otherEncodings.map(([name, key]) => smallKeyCase(`a key of small order, ${name}`, key)),
  ...smallPoints.map(smallRCase),
  ...otherEncodings.map(([name, r]) => ({
    name: `R of small order, ${name}`,
    ...honest,
    signature: signatureOf(r, response(r, honestKey, message, 0n)),
    accepted: false,
  })),
  mixedKeyCase(),
];

/** The points of large order with a y below 19 have a second encoding, y + p. */
const largeCases: readonly EdgeCase[] = Array.from({ length: 17 }, (_, index) => BigInt(index + 2))
  .filter((y) => pointAt(y) !== undefined)
  .flatMap((y) => [
    {
      name: `key with y = p + ${y}`,
      key: encodeNumber(y + fieldPrime),
      message,
      signature: signatureOf(honestR, s),
      accepted: false,
    },
    {
      name: `R with y = p + ${y}`,
      ...honest,
      signature: signatureOf(encodeNumber(y + fieldPrime), s),
      accepted: false,
    },
  ]);

describe('Ed25519', () => {
  for (const [seed, key, text, signature] of rfcVectors) {
    it(`signs and verifies as RFC 8032 says, a message of ${text.length / 2} bytes`, () => {
      const signing = signingKeyFromSeed('ed25519:1', Buffer.from(seed, 'hex'));
      assert.equal(signing.publicKey, encodeBase64(Buffer.from(key, 'hex')));
      assert.equal(signing.sign(Buffer.from(text, 'hex')).toString('hex'), signature);
      for (const form of [Buffer.from(key, 'hex'), signing.publicKey])
        assert.ok(verifyEd25519(form, Buffer.from(text, 'hex'), Buffer.from(signature, 'hex')));
    });
  }

  it('makes keys from the randomness that it is given', () => {
    const asked: number[] = [];
    const random = {
      bytes: (length: number) => {
        asked.push(length);
        return Buffer.from(rfcVectors[0][0], 'hex');
      },
    };
    const key = generateSigningKey('ed25519:a', random);
    assert.deepEqual(asked, [32]);
    assert.equal(key.keyId, 'ed25519:a');
    assert.equal(key.publicKey, encodeBase64(Buffer.from(rfcVectors[0][1], 'hex')));
  });

  it('takes no seed of another length', () => {
    for (const length of [0, 31, 33, 64])
      assert.throws(() => signingKeyFromSeed('ed25519:1', Buffer.alloc(length)));
  });

  describe('edge cases, beside what tweetnacl says', () => {
    for (const edge of [...alteredCases, ...smallCases, ...largeCases]) {
      const theirs = edge.tweetnacl ?? edge.accepted;
      const says = edge.accepted ? 'accepted' : 'refused';
      it(`${edge.name}: ${says}${theirs === edge.accepted ? '' : ', unlike by tweetnacl'}`, () => {
        assert.equal(verifyEd25519(edge.key, edge.message, edge.signature), edge.accepted);
        assert.equal(verifyEd25519(encodeBase64(edge.key), edge.message, edge.signature), edge.accepted);
        assert.equal(oracle(edge.key, edge.message, edge.signature), theirs);
      });
    }
  });

  it('has eight points of small order, of which each is in the table as key and as R', () => {
    const encodings = new Set(smallPoints.map((point) => encodePoint(point).toString('hex')));
    assert.equal(encodings.size, 8);
    for (const point of smallPoints) assert.deepEqual(multiply(point, 8n), neutral);
  });

  it('refuses keys and signatures of a wrong length, and keys that are not Base64', () => {
    const signature = signatureOf(honestR, s);
    const wrongKeys = [
      honestKey.subarray(1),
      Buffer.concat([honestKey, Buffer.of(0)]),
      Buffer.alloc(0),
      encodeBase64(honestKey).slice(1),
      `${encodeBase64(honestKey)}!`,
      '',
    ];
    for (const key of wrongKeys) {
      assert.equal(verifyEd25519(key, message, signature), false);
      assert.equal(typeof key !== 'string' && oracle(key, message, signature), false);
    }
    for (const wrong of [
      Buffer.alloc(0),
      signature.subarray(1),
      signature.subarray(0, 63),
      Buffer.concat([signature, Buffer.of(0)]),
    ]) {
      assert.equal(verifyEd25519(honestKey, message, wrong), false);
      assert.equal(oracle(honestKey, message, wrong), false);
    }
  });

  it('agrees with tweetnacl on the signatures of both, for every key and message', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ maxLength: 200 }),
        (seed, text) => {
          const ours = signingKeyFromSeed('ed25519:1', seed);
          const theirs = nacl.sign.keyPair.fromSeed(seed);
          const signature = ours.sign(text);
          assert.deepEqual(new Uint8Array(signature), nacl.sign.detached(text, theirs.secretKey));
          assert.ok(verifyEd25519(theirs.publicKey, text, signature));
          assert.ok(oracle(theirs.publicKey, text, signature));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('agrees with tweetnacl that bytes at random are no signature', () => {
    const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
      fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(bytes(32), bytes(64), fc.uint8Array({ maxLength: 20 }), (key, signature, text) => {
        assert.equal(verifyEd25519(key, text, signature), false);
        assert.equal(oracle(key, text, signature), false);
      }),
      { numRuns: 30 },
    );
  });

  it('verifies nothing of which one bit was changed: of the signature, the key or the message', () => {
    const signature = signatureOf(honestR, s);
    const flipped = (bytes: Uint8Array, bit: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return copy;
    };
    for (let bit = 0; bit < 512; bit += 1)
      assert.equal(
        verifyEd25519(honestKey, message, flipped(signature, bit)),
        false,
        `signature, bit ${bit}`,
      );
    for (let bit = 0; bit < 256; bit += 1)
      assert.equal(verifyEd25519(flipped(honestKey, bit), message, signature), false, `key, bit ${bit}`);
    for (let bit = 0; bit < message.length * 8; bit += 1)
      assert.equal(verifyEd25519(honestKey, flipped(message, bit), signature), false, `message, bit ${bit}`);
  });
});

describe('The scalar of a signature', () => {
  const cases: readonly (readonly [string, bigint, boolean])[] = [
    ['0', 0n, true],
    ['1', 1n, true],
    ['2^252 - 1', 2n ** 252n - 1n, true],
    ['2^252', 2n ** 252n, true],
    ['L - 1', groupOrder - 1n, true],
    ['L', groupOrder, false],
    ['L + 1', groupOrder + 1n, false],
    ['2^252 + 2^251', 2n ** 252n + 2n ** 251n, false],
    ['2^253', 2n ** 253n, false],
    ['2^255', 2n ** 255n, false],
    ['2^256 - 1', 2n ** 256n - 1n, false],
  ];
  for (const [name, value, reduced] of cases) {
    it(`${reduced ? 'may be' : 'must not be'} ${name}`, () => {
      assert.equal(isReducedScalar(encodeNumber(value)), reduced);
    });
  }
});

describe('The encoding of a point', () => {
  const cases: readonly (readonly [string, bigint, boolean])[] = [
    ['p - 2', fieldPrime - 2n, true],
    ['p + 2', fieldPrime + 2n, false],
    ['2^255 - 1', 2n ** 255n - 1n, false],
    ['2^255 - 2^247 - 1', 2n ** 255n - 2n ** 247n - 1n, true],
    ['p - 2 with a sign', signed(fieldPrime - 2n), true],
    ['p + 2 with a sign', signed(fieldPrime + 2n), false],
  ];
  for (const [name, value, valid] of cases) {
    it(`${valid ? 'may have' : 'must not have'} y = ${name}`, () => {
      assert.equal(isValidPoint(encodeNumber(value)), valid);
    });
  }

  it('is none of a point of small order, in whatever encoding', () => {
    for (const bytes of [...smallPoints.map(encodePoint), ...otherEncodings.map(([, encoded]) => encoded)])
      assert.equal(isValidPoint(bytes), false);
  });
});
