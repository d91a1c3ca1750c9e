import assert from 'node:assert/strict';
import { judgeStatements, type KnownKeys } from '../../federation/keys/judge-statements.ts';
import { emptyRecord, readRecord, recordFor, recordText } from '../../federation/keys/key-record.ts';
import { readRecoveryKey, recoveryKeyText } from '../../federation/keys/recovery-key.ts';
import {
  type KeyStatement,
  makeStatement,
  parseStatement,
  readStatementText,
  statementText,
} from '../../federation/keys/statement.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { type SigningKey, signingKeyFromSeed, signJson } from '../../protocol/signing.ts';

const serverName = 'bolt.example';
const now = Date.UTC(2026, 10, 1);
const keyOf = (name: string, seed: number): SigningKey =>
  signingKeyFromSeed(`ed25519:${name}`, Buffer.alloc(32, seed));
const [k1, k2, k3, thief, recovery] = [
  keyOf('k1', 1),
  keyOf('k2', 2),
  keyOf('k3', 3),
  keyOf('thief', 4),
  keyOf('recovery', 5),
];

function known(overrides: Partial<KnownKeys> = {}): KnownKeys {
  return {
    serverName,
    verifyKeys: new Map([[k1.keyId, { key: k1.publicKey }]]),
    revokedKeys: new Map(),
    recoveryKeys: new Map([[recovery.keyId, recovery.publicKey]]),
    keysSince: now - 1000,
    ...overrides,
  };
}

function statement(
  key: SigningKey,
  voucher: SigningKey,
  options: { ts?: number; isCompromised?: boolean; serverName?: string } = {},
): KeyStatement {
  return makeStatement({ serverName, key, voucher, ts: now - 10, ...options });
}

/** What becomes of each statement, in the order of their times. */
function verdicts(keys: KnownKeys | undefined, ...statements: KeyStatement[]): string[] {
  return judgeStatements(keys, statements, { now, dummyKey: thief.publicKey }).map((verdict) =>
    verdict.kind === 'refused' ? verdict.reason : verdict.kind === 'new' ? `new by ${verdict.by}` : 'known',
  );
}

describe('key statements', () => {
  it('prove a new key by the pinned one, and by the recovery key', () => {
    assert.deepEqual(verdicts(known(), statement(k2, k1)), ['new by old-key']);
    assert.deepEqual(verdicts(known(), statement(k2, recovery)), ['new by recovery-key']);
    assert.deepEqual(verdicts(known(), statement(k2, recovery, { isCompromised: true })), [
      'new by recovery-key',
    ]);
  });

  it('prove a chain of keys to who missed some, in whatever order they arrive', () => {
    const chain = [statement(k3, k2, { ts: now - 5 }), statement(k2, k1, { ts: now - 9 })];
    assert.deepEqual(verdicts(known(), ...chain), ['new by old-key', 'new by old-key']);
    // Who knows the middle one already takes the last step only.
    const middle = known({ verifyKeys: new Map([[k2.keyId, { key: k2.publicKey }]]) });
    assert.deepEqual(verdicts(middle, ...chain), ['known', 'new by old-key']);
  });

  it('are refused from a key that is unknown, has ended or was revoked', () => {
    assert.deepEqual(verdicts(known(), statement(k2, thief)), ['unknown-voucher']);
    const ended = known({ verifyKeys: new Map([[k1.keyId, { key: k1.publicKey, validUntil: now - 1 }]]) });
    // The time that the statement claims is the thief's to choose.
    assert.deepEqual(verdicts(ended, statement(k2, k1, { ts: now - 10 })), ['voucher-ended']);
    assert.deepEqual(verdicts(known({ revokedKeys: new Map([[k1.keyId, now]]) }), statement(k2, k1)), [
      'voucher-revoked',
    ]);
  });

  it('are refused for a key that was revoked, or under an id that is another key’s', () => {
    assert.deepEqual(verdicts(known({ revokedKeys: new Map([[k2.keyId, now]]) }), statement(k2, recovery)), [
      'key-revoked',
    ]);
    const impostor = keyOf('k1', 9);
    assert.deepEqual(verdicts(known(), statement(impostor, recovery)), ['key-id-reused']);
  });

  it('are refused when a later word stands: no replay turns the clock back', () => {
    assert.deepEqual(verdicts(known({ keysSince: now - 10 }), statement(k2, k1)), ['overtaken']);
    assert.deepEqual(verdicts(known(), statement(k2, k1, { ts: now + 11 * 60_000 })), ['future']);
    // After a rotation the key before it vouches for nothing, whatever it is dated.
    const chain = [statement(k2, k1, { ts: now - 9 }), statement(thief, k1, { ts: now - 8 })];
    assert.deepEqual(verdicts(known(), ...chain), ['new by old-key', 'voucher-ended']);
  });

  it('need both signatures, and may not be about another server', () => {
    const good = statement(k2, k1);
    const claim = { ...good.json, compromised: false, ts: now - 3 };
    const altered = parseStatement(claim);
    assert.ok(altered);
    assert.deepEqual(verdicts(known(), altered), ['bad-signature']);
    // The old key alone: whoever made it does not hold the new one.
    const { signatures: _, ...body } = good.json;
    const half = signJson(signJson(body as JsonObject, serverName, k1), serverName, {
      ...k2,
      sign: (message) => thief.sign(message),
    });
    const read = parseStatement(half);
    assert.ok(read);
    assert.deepEqual(verdicts(known(), read), ['bad-signature']);
    assert.deepEqual(verdicts(known(), statement(k2, k1, { serverName: 'dock.example' })), [
      'another-server',
    ]);
    assert.deepEqual(verdicts(undefined, good), ['another-server']);
  });

  it('let only the recovery key say that the others are compromised', () => {
    assert.deepEqual(verdicts(known(), statement(k2, k1, { isCompromised: true })), [
      'compromised-without-recovery',
    ]);
    // What the thief rotated to falls with the rest.
    const [first, second] = judgeStatements(
      known(),
      [statement(thief, k1, { ts: now - 9 }), statement(k2, recovery, { ts: now - 8, isCompromised: true })],
      { now, dummyKey: k3.publicKey },
    );
    assert.deepEqual([first?.kind, second?.kind], ['new', 'new']);
  });

  it('travel as text, and any altered byte is noticed', () => {
    const text = statementText(statement(k2, k1));
    const read = readStatementText(`\r\n${text.replaceAll('\n', '\r\n')}`);
    assert.ok(typeof read !== 'string');
    assert.deepEqual(verdicts(known(), read), ['new by old-key']);
    const start = text.indexOf('\n\n') + 2;
    for (let index = start; index < text.indexOf('-----END'); index += 1) {
      const byte = String.fromCharCode(text.charCodeAt(index) ^ 1);
      const altered = readStatementText(text.slice(0, index) + byte + text.slice(index + 1));
      if (typeof altered !== 'string')
        assert.notEqual(verdicts(known(), altered)[0], 'new by old-key', `byte ${index}`);
    }
    for (const other of ['', 'hello', text.slice(0, -20)])
      assert.equal(typeof readStatementText(other), 'string');
  });
});

describe('the record of our own keys', () => {
  const record = {
    ...emptyRecord,
    oldKeys: new Map([[k1.keyId, { key: k1.publicKey, validUntil: now }]]),
    statements: [statement(k2, k1)],
    recoveryKey: { keyId: recovery.keyId, key: recovery.publicKey },
  };

  it('is read as it was written, and nothing else is taken for one', () => {
    assert.deepEqual(readRecord(recordText(record)), record);
    for (const text of ['', '[]', '{}', '{"old_keys":{},"statements":[1]}', recordText(record).slice(1)])
      assert.equal(readRecord(text), undefined, text);
  });

  it('forgets a rotation that never came to be', () => {
    assert.deepEqual(recordFor(record, k2.keyId), record);
    const before = recordFor(record, k1.keyId);
    assert.deepEqual([before.statements.length, before.oldKeys.size], [0, 0]);
    assert.deepEqual(before.recoveryKey, record.recoveryKey);
  });
});

describe('the recovery key on paper', () => {
  it('is read back, and a slip of the pen is noticed', () => {
    const text = recoveryKeyText(serverName, recovery);
    const read = readRecoveryKey(`\n${text}`, serverName);
    assert.ok(typeof read !== 'string');
    assert.deepEqual([read.keyId, read.publicKey], [recovery.keyId, recovery.publicKey]);
    assert.match(String(readRecoveryKey(text, 'acme.example')), /of bolt\.example, not of acme\.example/);
    assert.match(
      String(readRecoveryKey(text.replace('BQUFBQ', 'BQUFBR'), serverName)),
      /fingerprint does not fit/,
    );
    assert.match(String(readRecoveryKey('hello', serverName)), /not a recovery key/);
  });
});
