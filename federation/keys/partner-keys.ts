import type { Logger } from 'pino';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';
import type { KeyEvidence, KeyRotations } from '../link/link-manager.ts';
import type { PartnerActions } from '../partners/actions.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import { fingerprint } from './fingerprint.ts';
import { judgeStatements, type StatementVerdict } from './judge-statements.ts';
import type { OwnKeys } from './own-keys.ts';
import { type KeyStatement, parseStatement } from './statement.ts';

/** A key that a partner showed and that nothing proves: the link is stopped until an admin decides. */
export interface WrongKey {
  readonly keyId: string;
  /** Unpadded Base64. */
  readonly key: string;
  /** When it was seen last, and how often (milliseconds). */
  readonly ts: number;
  readonly times: number;
  /** A statement proves it, and our configuration wants the admin's word all the same (`rotation: manual`). */
  readonly isAnnounced: boolean;
}

/** What the notice of a rotation is called on the link. */
export const rotationNotice = 'key_rotation';

/** A key is noted in the audit log once in this time; the log of the island has each occurrence. */
const auditEveryMs = 60 * 60_000;

/** Decides on the keys that partners show: taken over, where a pinned one vouches for it, else an alarm. */
export class PartnerKeys implements KeyRotations {
  readonly #own: OwnKeys;
  readonly #partners: PartnerRegistry;
  readonly #actions: PartnerActions;
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #wrong = new Map<string, WrongKey>();
  readonly #audited = new Map<string, number>();

  constructor(deps: {
    own: OwnKeys;
    partners: PartnerRegistry;
    actions: PartnerActions;
    db: Database;
    clock: Clock;
    log: Logger;
  }) {
    this.#own = deps.own;
    this.#partners = deps.partners;
    this.#actions = deps.actions;
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  own(): readonly JsonObject[] {
    return this.#own.statements.map((statement) => statement.json);
  }

  proves(serverName: string, evidence: KeyEvidence): boolean {
    const isProved = provesKey(this.#judge(serverName, readAll(evidence.statements)), evidence);
    return isProved && this.#partners.get(serverName)?.rotation === 'signed';
  }

  async accept(serverName: string, evidence: KeyEvidence): Promise<boolean> {
    if (!this.proves(serverName, evidence)) return this.#isPinned(serverName, evidence);
    await this.#take(serverName, readAll(evidence.statements));
    return this.#isPinned(serverName, evidence);
  }

  unannounced(serverName: string, evidence: KeyEvidence): void {
    const now = this.#clock.now();
    const { keyId, key } = evidence;
    const verdicts = this.#judge(serverName, readAll(evidence.statements));
    const isAnnounced = provesKey(verdicts, evidence);
    const before = this.#wrong.get(serverName);
    const times = before?.key === key ? before.times + 1 : 1;
    this.#wrong.set(serverName, { keyId, key, ts: now, times, isAnnounced });
    if (now - (this.#audited.get(serverName) ?? Number.NEGATIVE_INFINITY) < auditEveryMs && times > 1) return;
    this.#audited.set(serverName, now);
    const refusal = verdicts.findLast((verdict) => verdict.kind === 'refused');
    this.#db.audit.record({
      action: 'link.wrong-key',
      outcome: 'denied',
      actor: serverName,
      subject: serverName,
      detail: {
        shown: { key_id: keyId, fingerprint: fingerprint(key) },
        pinned: this.#pinned(serverName),
        announced: isAnnounced,
        ...(refusal?.kind === 'refused' ? { statement: refusal.reason } : {}),
      },
    });
  }

  /** A partner tells over its link that it has a new key. */
  async heard(serverName: string, json: JsonValue | undefined): Promise<void> {
    const statements = readAll(Array.isArray(json) ? json : []);
    const last = this.#judge(serverName, statements).at(-1);
    if (last === undefined || last.kind === 'known') return;
    if (last.kind === 'refused')
      this.#log.warn(
        { partner: serverName, reason: last.reason },
        'a partner announced a key that is refused',
      );
    else if (this.#partners.get(serverName)?.rotation === 'signed') await this.#take(serverName, statements);
    else {
      const { keyId, key } = last.statement;
      this.#log.warn(
        { partner: serverName, keyId, fingerprint: fingerprint(key) },
        'a partner announced a new key, which waits for `archipelago partner accept-key`',
      );
      this.unannounced(serverName, { keyId, key, statements: statements.map((statement) => statement.json) });
    }
  }

  /** The key for which a partner has no link at present; undefined if there is none. */
  wrongKey(serverName: string): WrongKey | undefined {
    return this.#wrong.get(serverName);
  }

  /** The link to a partner is up: its key is the right one. */
  linked(serverName: string): void {
    this.#wrong.delete(serverName);
    this.#audited.delete(serverName);
  }

  async #take(serverName: string, statements: readonly KeyStatement[]): Promise<void> {
    const dummyKey = this.#own.current.publicKey;
    const isNew = await this.#actions.acceptStatements(serverName, statements, { by: serverName, dummyKey });
    if (!isNew) return;
    const { keyId = '', key = '' } = statements.at(-1) ?? {};
    this.#log.warn(
      { partner: serverName, keyId, fingerprint: fingerprint(key) },
      'a partner has a new signing key, proved by one that was pinned',
    );
  }

  #judge(serverName: string, statements: readonly KeyStatement[]): StatementVerdict[] {
    const context = { now: this.#clock.now(), dummyKey: this.#own.current.publicKey };
    return judgeStatements(this.#partners.get(serverName), statements, context);
  }

  #isPinned(serverName: string, { keyId, key }: KeyEvidence): boolean {
    const partner = this.#partners.get(serverName);
    const pinned = partner?.verifyKeys.get(keyId);
    return pinned?.key === key && pinned.validUntil === undefined && !partner?.revokedKeys.has(keyId);
  }

  #pinned(serverName: string): JsonObject[] {
    const now = this.#clock.now();
    const { verifyKeys = new Map(), revokedKeys } = this.#partners.get(serverName) ?? {};
    return [...verifyKeys]
      .filter(([keyId, { validUntil }]) => !(validUntil <= now) && !revokedKeys?.has(keyId))
      .map(([keyId, { key }]) => ({ key_id: keyId, fingerprint: fingerprint(key) }));
  }
}

function readAll(statements: readonly JsonValue[]): KeyStatement[] {
  const read = statements.map(parseStatement).filter((statement) => statement !== undefined);
  return read.sort((a, b) => a.ts - b.ts);
}

/** Is this key what the statements lead to? Later ones than its own would have ended it. */
function provesKey(verdicts: readonly StatementVerdict[], { keyId, key }: KeyEvidence): boolean {
  const last = verdicts.findLast((verdict) => verdict.kind === 'new');
  return last !== undefined && last.statement.keyId === keyId && last.statement.key === key;
}
