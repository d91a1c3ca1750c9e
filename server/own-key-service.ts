import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { fingerprint } from '../federation/keys/fingerprint.ts';
import type { KeyRecord, OldKey } from '../federation/keys/key-record.ts';
import { maxStatements } from '../federation/keys/key-record.ts';
import type { OwnKeys } from '../federation/keys/own-keys.ts';
import { makeStatement, statementText } from '../federation/keys/statement.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../protocol/json.ts';
import type { Clock, Random } from '../protocol/runtime.ts';
import type { SigningKey } from '../protocol/signing.ts';
import type { AuditEvent } from '../storage/audit/chain.ts';
import type { Database } from '../storage/database.ts';
import { AdminError, systemCode } from './admin-error.ts';
import { newSigningKey, writeKeyRecord, writeSigningKey } from './keys.ts';

/** Under this name the database keeps which keys signed what is in it. */
const metadataKey = 'own_keys';

/**
 * The old key signs until then: long enough to get the new one onto the disk. What is signed after that time by the
 * old key would verify nowhere.
 */
const leadMs = 5_000;
const marginMs = 1_000;
const attempts = 3;

export interface RotationRequest {
  readonly by: string;
  /** The old key fell into wrong hands: partners are told not to believe it any more. */
  readonly isCompromised?: boolean;
  /** Vouches in the place of the old key. Without `isCompromised` the key in use stays: the one before it was lost. */
  readonly recoveryKey?: SigningKey | undefined;
}

export interface Rotation {
  readonly keyId: string;
  readonly fingerprint: string;
  readonly previousKeyId: string;
  /** For partners that have to be told by mail. */
  readonly statement: string;
}

export interface OwnKeyServiceDeps {
  readonly config: Pick<Config, 'signingKeyPath' | 'serverName'>;
  readonly own: OwnKeys;
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Another key is in use: to be told to partners. */
  readonly changed?: () => void;
  /** For tests: called after each step that leaves something on disk. */
  readonly step?: (name: 'record-written' | 'key-written') => void;
}

/** What an island does with its own signing key: see ADR 16. */
export class OwnKeyService {
  readonly own: OwnKeys;
  readonly #deps: OwnKeyServiceDeps;
  #last: Promise<unknown> = Promise.resolve();

  constructor(deps: OwnKeyServiceDeps) {
    this.own = deps.own;
    this.#deps = deps;
  }

  /**
   * Compares the key file with the key that signed before this start. A rotation that was broken off after the new key
   * was on disk gets its line in the audit log now; a key file that somebody replaced is noted too, and the key before
   * it stays known, so that events of ours still verify.
   */
  async noteAtStart(): Promise<void> {
    const { db, clock, log, config } = this.#deps;
    const { current, record } = this.own;
    const stored = readStored(await db.metadata.get(metadataKey));
    if (stored === undefined) {
      await db.writer.submit({ label: 'own keys', ops: this.#metadata(record, current) });
      return;
    }
    const missing = [...stored.oldKeys].filter(
      ([keyId]) => keyId !== current.keyId && !record.oldKeys.has(keyId),
    );
    const isOther = stored.keyId !== current.keyId || stored.key !== current.publicKey;
    if (!isOther && missing.length === 0) return;
    const isExplained = record.oldKeys.has(stored.keyId);
    const oldKeys = new Map<string, OldKey>([...missing, ...record.oldKeys]);
    if (isOther && !isExplained && stored.keyId !== current.keyId)
      oldKeys.set(stored.keyId, { key: stored.key, validUntil: clock.now() });
    const full: KeyRecord = { ...record, oldKeys };
    await writeKeyRecord(config.signingKeyPath, full);
    this.own.replace(current, full);
    const ops = this.#metadata(full, current);
    if (!isOther) {
      await db.writer.submit({ label: 'own keys', ops });
      return;
    }
    const action = isExplained ? 'key.rotate' : 'key.replaced';
    const detail = {
      key_id: current.keyId,
      fingerprint: fingerprint(current.publicKey),
      before: stored.keyId,
    };
    await db.audit.append([{ action, outcome: 'done', actor: 'start', subject: current.keyId, detail }], ops);
    if (!isExplained)
      log.warn(
        { keyId: current.keyId, before: stored.keyId },
        'the signing key is another one than before; partners need a new card, or a statement by the recovery key (partner rotate-key --recovery-key-file)',
      );
  }

  /** Makes the next signing key the one in use, on disk and announced when it resolves. Throws AdminError. */
  rotate(request: RotationRequest): Promise<Rotation> {
    return this.#next(() => this.#rotate(request));
  }

  /** Keeps the public part of a new recovery key, for cards from now on. */
  setRecoveryKey(request: {
    readonly by: string;
    readonly keyId: string;
    readonly key: string;
    readonly mayReplace: boolean;
  }): Promise<{ readonly fingerprint: string }> {
    return this.#next(async () => {
      const { by, keyId, key, mayReplace } = request;
      const { current, record } = this.own;
      if (record.recoveryKey !== undefined && !mayReplace)
        throw new AdminError(
          `There is a recovery key already (${record.recoveryKey.keyId}). Another one takes its place with --replace, and partners have to get a new card then.`,
        );
      const next: KeyRecord = { ...record, recoveryKey: { keyId, key } };
      await this.#write(() => writeKeyRecord(this.#deps.config.signingKeyPath, next));
      this.own.replace(current, next);
      const print = fingerprint(key);
      const detail = { key_id: keyId, fingerprint: print, replaced: record.recoveryKey !== undefined };
      await this.#deps.db.audit.append([
        { action: 'key.recovery-key', outcome: 'done', actor: by, subject: keyId, detail },
      ]);
      return { fingerprint: print };
    });
  }

  #next<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #rotate({ by, isCompromised = false, recoveryKey }: RotationRequest): Promise<Rotation> {
    const { clock, random, log } = this.#deps;
    const { current, record } = this.own;
    if (isCompromised && recoveryKey === undefined)
      throw new AdminError(
        'A key that fell into wrong hands cannot vouch for the next one: whoever has it could do the same. Give the recovery key (--recovery-key-file); without one, send every partner a new card.',
      );
    const isKept = recoveryKey !== undefined && !isCompromised;
    const key = isKept ? current : newSigningKey(random);
    for (let attempt = 1; ; attempt += 1) {
      // The same lead for a key that is kept: partners take no statement that is not later than the last one, and
      // whoever lost the key may have lost the record of that as well.
      const ts = clock.now() + leadMs;
      const statement = makeStatement({
        serverName: this.#deps.config.serverName,
        key,
        voucher: recoveryKey ?? current,
        ts,
        isCompromised,
      });
      const oldKeys = new Map(record.oldKeys);
      if (!isKept) oldKeys.set(current.keyId, { key: current.publicKey, validUntil: ts });
      const next: KeyRecord = {
        oldKeys,
        statements: [...record.statements, statement].slice(-maxStatements),
        recoveryKey:
          recoveryKey === undefined
            ? record.recoveryKey
            : { keyId: recoveryKey.keyId, key: recoveryKey.publicKey },
      };
      if (!(await this.#store(key, next, isKept ? Number.POSITIVE_INFINITY : ts))) {
        if (attempt < attempts) continue;
        await this.#write(() => writeKeyRecord(this.#deps.config.signingKeyPath, record));
        throw new AdminError(
          'The disk is too slow to change the key safely. Nothing was changed: try again.',
        );
      }
      this.own.replace(key, next);
      if (!isKept && clock.now() >= ts)
        log.error(
          { late: clock.now() - ts },
          'the new signing key came late: events of these milliseconds do not verify',
        );
      const detail: JsonObject = {
        key_id: key.keyId,
        fingerprint: fingerprint(key.publicKey),
        before: isKept ? null : current.keyId,
        signed_by: statement.voucherId,
        compromised: isCompromised,
      };
      const event: AuditEvent = {
        action: 'key.rotate',
        outcome: 'done',
        actor: by,
        subject: key.keyId,
        detail,
      };
      await this.#deps.db.audit.append([event], this.#metadata(next, key));
      log.warn({ keyId: key.keyId, fingerprint: detail['fingerprint'] }, 'the signing key was changed');
      this.#deps.changed?.();
      return {
        keyId: key.keyId,
        fingerprint: fingerprint(key.publicKey),
        previousKeyId: current.keyId,
        statement: statementText(statement),
      };
    }
  }

  /**
   * First what tells of the new key, then the key itself: broken off between the two, the old key is still the one in
   * use and the record's last entry belongs to nobody. False if it would come too late, and nothing is in effect.
   */
  async #store(key: SigningKey, record: KeyRecord, ts: number): Promise<boolean> {
    const { config, clock, step } = this.#deps;
    await this.#write(() => writeKeyRecord(config.signingKeyPath, record));
    step?.('record-written');
    if (clock.now() > ts - marginMs) return false;
    if (key.keyId !== this.own.current.keyId)
      await this.#write(() => writeSigningKey(config.signingKeyPath, key));
    step?.('key-written');
    return true;
  }

  async #write(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (systemCode(error) === undefined || !(error instanceof Error)) throw error;
      throw new AdminError(`The key files cannot be changed, and the key stays as it is: ${error.message}`, {
        cause: error,
      });
    }
  }

  #metadata(record: KeyRecord, key: SigningKey) {
    const old: JsonObject = {};
    for (const [keyId, entry] of record.oldKeys)
      old[keyId] = { key: entry.key, expired_ts: entry.validUntil };
    const json: JsonObject = { key_id: key.keyId, key: key.publicKey, old_keys: old };
    return this.#deps.db.metadata.put(metadataKey, JSON.stringify(json));
  }
}

interface StoredKeys {
  readonly keyId: string;
  readonly key: string;
  readonly oldKeys: ReadonlyMap<string, OldKey>;
}

/** Only `#metadata` writes it. */
function readStored(text: string | undefined): StoredKeys | undefined {
  if (text === undefined) return undefined;
  const json: JsonValue = parseJson(text);
  if (!isObject(json)) return undefined;
  const { key_id: keyId, key, old_keys: old } = json;
  if (typeof keyId !== 'string' || typeof key !== 'string' || !isObject(old)) return undefined;
  const oldKeys = new Map<string, OldKey>();
  for (const [oldId, entry] of Object.entries(old)) {
    const { key: oldKey, expired_ts: validUntil } = isObject(entry) ? entry : {};
    if (typeof oldKey === 'string' && typeof validUntil === 'number')
      oldKeys.set(oldId, { key: oldKey, validUntil });
  }
  return { keyId, key, oldKeys };
}
