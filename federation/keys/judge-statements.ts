import { type KeyStatement, verifyStatement } from './statement.ts';

/** So far the clock of a partner may be ahead of ours. */
const clockSkewMs = 10 * 60_000;

/** What is known of a partner's keys when it says that it has another one. */
export interface KnownKeys {
  readonly serverName: string;
  /** Pinned keys (unpadded Base64), and until when (milliseconds) those signed that have ended. */
  readonly verifyKeys: ReadonlyMap<string, { readonly key: string; readonly validUntil?: number }>;
  readonly revokedKeys: ReadonlyMap<string, number>;
  readonly recoveryKeys: ReadonlyMap<string, string>;
  /** What is older than this (milliseconds) was overtaken: the last statement that was taken, and the card in force. */
  readonly keysSince: number;
}

export type StatementRefusal =
  | 'another-server'
  | 'unknown-voucher'
  | 'voucher-ended'
  | 'voucher-revoked'
  | 'bad-signature'
  | 'key-revoked'
  | 'key-id-reused'
  | 'overtaken'
  | 'future'
  | 'compromised-without-recovery';

export type StatementVerdict =
  | { readonly kind: 'new'; readonly statement: KeyStatement; readonly by: 'old-key' | 'recovery-key' }
  /** The key is in use already. */
  | { readonly kind: 'known'; readonly statement: KeyStatement }
  | { readonly kind: 'refused'; readonly statement: KeyStatement; readonly reason: StatementRefusal };

/**
 * Judges statements in the order in which they were made: each may be vouched for by the key of the one before it.
 * Every signature is verified whatever else is wrong, against `dummyKey` where nothing is pinned, so that the time
 * it takes tells nobody what is pinned here.
 */
export function judgeStatements(
  known: KnownKeys | undefined,
  statements: readonly KeyStatement[],
  context: { readonly now: number; readonly dummyKey: string },
): StatementVerdict[] {
  const verdicts: StatementVerdict[] = [];
  let at: KnownKeys | undefined = known;
  for (const statement of [...statements].sort((a, b) => a.ts - b.ts)) {
    const pinned = at?.verifyKeys.get(statement.voucherId)?.key;
    const recovery = at?.recoveryKeys.get(statement.voucherId);
    const signed = verifyStatement(statement, recovery ?? pinned ?? context.dummyKey);
    const verdict = judge(at, statement, signed, context.now);
    verdicts.push(verdict);
    if (at !== undefined && verdict.kind === 'new') at = after(at, statement, context.now);
  }
  return verdicts;
}

function judge(
  known: KnownKeys | undefined,
  statement: KeyStatement,
  signed: { readonly byNewKey: boolean; readonly byVoucher: boolean },
  now: number,
): StatementVerdict {
  const refused = (reason: StatementRefusal): StatementVerdict => ({ kind: 'refused', statement, reason });
  const { serverName, keyId, key, voucherId, ts } = statement;
  if (known === undefined || known.serverName !== serverName) return refused('another-server');
  if (known.revokedKeys.has(keyId)) return refused('key-revoked');
  const pinned = known.verifyKeys.get(keyId);
  if (known.recoveryKeys.has(keyId) || (pinned !== undefined && pinned.key !== key))
    return refused('key-id-reused');
  if (pinned !== undefined && pinned.validUntil === undefined) return { kind: 'known', statement };
  if (ts <= known.keysSince) return refused('overtaken');
  if (ts > now + clockSkewMs) return refused('future');
  const isRecovery = known.recoveryKeys.has(voucherId);
  const voucher = known.verifyKeys.get(voucherId);
  if (!isRecovery) {
    if (voucher === undefined) return refused('unknown-voucher');
    if (known.revokedKeys.has(voucherId)) return refused('voucher-revoked');
    if (voucher.validUntil !== undefined && voucher.validUntil < Math.max(now, ts))
      return refused('voucher-ended');
    if (statement.isCompromised) return refused('compromised-without-recovery');
  }
  if (!signed.byNewKey || !signed.byVoucher) return refused('bad-signature');
  return { kind: 'new', statement, by: isRecovery ? 'recovery-key' : 'old-key' };
}

/** What is known once a statement was taken. */
function after(known: KnownKeys, statement: KeyStatement, now: number): KnownKeys {
  const verifyKeys = new Map(known.verifyKeys);
  const revokedKeys = new Map(known.revokedKeys);
  for (const [keyId, { key, validUntil }] of known.verifyKeys) {
    if (keyId === statement.keyId) continue;
    verifyKeys.set(keyId, { key, validUntil: Math.min(validUntil ?? statement.ts, statement.ts) });
    if (statement.isCompromised) revokedKeys.set(keyId, now);
  }
  verifyKeys.set(statement.keyId, { key: statement.key });
  return { ...known, verifyKeys, revokedKeys, keysSince: statement.ts };
}
