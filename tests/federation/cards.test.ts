import assert from 'node:assert/strict';
import { fingerprint, readFingerprint } from '../../federation/keys/fingerprint.ts';
import { type Card, judgeCard, makeCard, readCard } from '../../federation/partners/card.ts';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import { proposalJson, readProposal } from '../../policy/proposal.ts';
import { encodeBase64 } from '../../protocol/base64.ts';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { signingKeyFromSeed, signJson } from '../../protocol/signing.ts';

const day = 24 * 3600 * 1000;
const issued = Date.UTC(2026, 10, 1);
const key = signingKeyFromSeed('ed25519:a1', Buffer.alloc(32, 7));
const otherKey = signingKeyFromSeed('ed25519:b2', Buffer.alloc(32, 8));

function sample(overrides: Partial<Parameters<typeof makeCard>[0]> = {}): string {
  return makeCard({
    serverName: 'acme.example',
    signingKeys: [key],
    urls: ['wss://chat.acme.example/_archipelago/link/v1'],
    software: { name: 'Archipelago', version: '0.1.0' },
    organization: 'ACME Corp',
    issued,
    ...overrides,
  });
}

function read(text: string, now = issued + day): Card {
  const reading = readCard(text, { now });
  assert.ok(reading.ok, reading.ok ? '' : reading.reason);
  return reading.card;
}

describe('partner cards', () => {
  it('carry what a partner needs', () => {
    const card = read(
      sample({ oldVerifyKeys: new Map([['ed25519:a0', { key: otherKey.publicKey, validUntil: 5 }]]) }),
    );
    assert.equal(card.serverName, 'acme.example');
    assert.deepEqual([...card.verifyKeys], [['ed25519:a1', key.publicKey]]);
    assert.deepEqual([...card.oldVerifyKeys], [['ed25519:a0', { key: otherKey.publicKey, validUntil: 5 }]]);
    assert.deepEqual(card.urls, ['wss://chat.acme.example/_archipelago/link/v1']);
    assert.equal(card.dial, 'both');
    assert.equal(card.organization, 'ACME Corp');
    assert.equal(card.expires, issued + 30 * day);
    assert.equal(card.fingerprint, fingerprint(key.publicKey));
  });

  it('carry the recovery key and the policy that they propose', () => {
    const recoveryKey = { keyId: 'ed25519:recovery_1', key: otherKey.publicKey };
    const policy = proposalJson({
      ...defaultPartnerPolicy,
      allowLocal: [{ user: '@secret:acme.example' }],
      files: { direction: 'outbound', maxSize: 5 },
    });
    const text = sample({ recoveryKey, policy });
    const card = read(text);
    assert.deepEqual(card.recoveryKey, recoveryKey);
    assert.ok(text.includes(`Recovery:    ${fingerprint(otherKey.publicKey)} (ed25519:recovery_1)\n`));
    const proposal = readProposal(card.policy);
    assert.equal(proposal?.allowLocal, 'some');
    assert.deepEqual(proposal?.files, { direction: 'outbound', maxSize: 5 });
    // Who of ours is meant is nobody else's business.
    assert.ok(!JSON.stringify(card.policy).includes('secret'));
    assert.equal(readProposal({}), undefined);
  });

  it('of a newer program are taken where it only adds to the signed part, and not of a newer version', () => {
    const signed = (changes: JsonObject): string => {
      const text = sample();
      const body = text.slice(text.indexOf('\n\n') + 2, text.indexOf('-----END')).replace(/\n/g, '');
      const { signatures: _, ...json } = JSON.parse(Buffer.from(body, 'base64').toString('utf8'));
      const anew = signJson({ ...json, ...changes }, 'acme.example', key);
      const lines = encodeBase64(Buffer.from(canonicalJson(anew))).match(/.{1,72}/g) ?? [];
      return `${text.slice(0, text.indexOf('\n\n') + 2)}${lines.join('\n')}\n-----END ARCHIPELAGO PARTNER CARD-----\n`;
    };
    read(signed({ hologram: { colours: [1, 2] }, policy: { telepathy: 'deny', files: { smell: true } } }));
    const newer = readCard(signed({ card_version: 2 }), { now: issued });
    assert.match(newer.ok ? '' : newer.reason, /version that this program does not know: .* updated/);
  });

  it('show people the fingerprint that the keys have', () => {
    assert.ok(sample().includes(fingerprint(key.publicKey)));
  });

  it('survive what mail programs do to line ends', () => {
    read(`\r\n${sample().replace(/\n/g, '\r\n')}\r\n`);
  });

  it('with a mail around them are not called cut off: what is to be taken away is said', () => {
    for (const text of [`Hello,\n${sample()}`, `${sample()}\n-- \nBo, Bolt Ltd\n`]) {
      const reading = readCard(text, { now: issued + day });
      assert.match(reading.ok ? '' : reading.reason, /^There is other text around the card: leave only/);
    }
    const cut = readCard(sample().slice(0, 300), { now: issued + day });
    assert.match(cut.ok ? '' : cut.reason, /^The card is cut off/);
  });

  it('are refused when any one byte was altered, wherever it stands', () => {
    const text = sample();
    for (let index = 0; index < text.trimEnd().length; index++) {
      const byte = text.charCodeAt(index);
      const altered = text.slice(0, index) + String.fromCharCode(byte ^ 1) + text.slice(index + 1);
      const reading = readCard(altered, { now: issued + day });
      assert.ok(!reading.ok, `byte ${index} (${JSON.stringify(text[index])}) was altered and not noticed`);
      assert.ok(reading.reason.length > 10);
    }
  });

  it('are refused when the readable part belongs to another card', () => {
    const mine = sample().split('\n');
    const theirs = sample({ serverName: 'evil.example' }).split('\n');
    const mixed = [...mine.slice(0, mine.indexOf('')), ...theirs.slice(theirs.indexOf(''))].join('\n');
    const reading = readCard(mixed, { now: issued + day });
    assert.ok(!reading.ok);
    assert.match(reading.reason, /altered/);
  });

  it('are refused when they expired, and say when', () => {
    const reading = readCard(sample(), { now: issued + 30 * day });
    assert.ok(!reading.ok);
    assert.match(reading.reason, /expired on 2026-12-01/);
    read(sample(), issued + 30 * day - 1);
  });

  it('need the signature of every key they name', () => {
    const two = sample({ signingKeys: [key, otherKey] });
    assert.equal(read(two).verifyKeys.size, 2);
    const body = two.slice(two.indexOf('\n\n') + 2, two.indexOf('-----END')).replace(/\n/g, '');
    const json = JSON.parse(Buffer.from(body, 'base64').toString('utf8'));
    delete json.signatures['acme.example']['ed25519:b2'];
    const stripped = Buffer.from(JSON.stringify(json)).toString('base64').replace(/=+$/, '');
    const reading = readCard(
      `${two.slice(0, two.indexOf('\n\n') + 2)}${stripped}\n-----END ARCHIPELAGO PARTNER CARD-----\n`,
      {
        now: issued,
      },
    );
    assert.ok(!reading.ok);
    assert.match(reading.reason, /ed25519:b2/);
  });

  it('are told from other files with a reason', () => {
    for (const text of ['', 'hello', '-----BEGIN ARCHIPELAGO PARTNER CARD-----', sample().slice(0, -40)])
      assert.ok(!readCard(text, { now: issued }).ok, text);
  });

  it('are judged by the one in force', () => {
    const card = read(sample());
    const keys = new Map([['ed25519:a1', key.publicKey]]);
    assert.equal(judgeCard(card, undefined).kind, 'new');
    assert.equal(judgeCard(card, { issued, verifyKeys: keys }).kind, 'same');
    assert.equal(judgeCard(card, { issued: issued - day, verifyKeys: keys }).kind, 'newer');
    assert.equal(judgeCard(card, { verifyKeys: keys }).kind, 'newer');
    assert.equal(judgeCard(card, { issued: issued + 1, verifyKeys: keys }).kind, 'older');
    const others = new Map([['ed25519:a1', otherKey.publicKey]]);
    const judgement = judgeCard(card, { issued: issued - day, verifyKeys: others });
    assert.equal(judgement.kind, 'other-keys');
    assert.match('reason' in judgement ? judgement.reason : '', /--replace-keys/);
    // A thief of the signing key issues a card with a recovery key of theirs.
    const stolen = read(sample({ recoveryKey: { keyId: 'ed25519:r2', key: otherKey.publicKey } }));
    const pinned = { issued: issued - day, verifyKeys: keys };
    const recoveryKeys = new Map([['ed25519:r1', key.publicKey]]);
    assert.equal(judgeCard(stolen, { ...pinned, recoveryKeys }).kind, 'other-keys');
    assert.equal(judgeCard(stolen, { ...pinned, recoveryKeys: new Map() }).kind, 'newer');
  });
});

describe('fingerprints', () => {
  const text = fingerprint(key.publicKey);

  it('are 30 digits in groups of five and differ from key to key', () => {
    assert.match(text, /^\d{5}( \d{5}){5}$/);
    assert.notEqual(text, fingerprint(otherKey.publicKey));
  });

  it('notice every single wrong digit and every swap of neighbours', () => {
    const plain = text.replaceAll(' ', '');
    assert.equal(readFingerprint(plain), text);
    assert.equal(readFingerprint(text.replaceAll(' ', '-')), text);
    for (let index = 0; index < 30; index++) {
      const wrong = (Number(plain[index]) + 1) % 10;
      assert.equal(readFingerprint(plain.slice(0, index) + wrong + plain.slice(index + 1)), undefined);
      const swapped =
        plain.slice(0, index) + plain.charAt(index + 1) + plain.charAt(index) + plain.slice(index + 2);
      if (index < 29 && swapped !== plain) assert.equal(readFingerprint(swapped), undefined);
    }
  });
});
