import { decodeBase64 } from '../../protocol/base64.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import { type KeyStatement, parseStatement } from './statement.ts';

export interface OldKey {
  /** Unpadded Base64. */
  readonly key: string;
  /** Milliseconds since the epoch: until then it signed. */
  readonly validUntil: number;
}

/** What an island keeps of its own keys beside the one that it signs with. Nothing of it is secret. */
export interface KeyRecord {
  readonly oldKeys: ReadonlyMap<string, OldKey>;
  /** Oldest first. */
  readonly statements: readonly KeyStatement[];
  /** The public part of the offline recovery key. */
  readonly recoveryKey?: { readonly keyId: string; readonly key: string } | undefined;
}

export const emptyRecord: KeyRecord = { oldKeys: new Map(), statements: [] };

/** Statements that are kept and shown to partners: who missed more rotations than that needs a new card. */
export const maxStatements = 4;

export function recordText(record: KeyRecord): string {
  const oldKeys: JsonObject = {};
  for (const [keyId, { key, validUntil }] of record.oldKeys) oldKeys[keyId] = { key, expired_ts: validUntil };
  const json: JsonObject = {
    old_keys: oldKeys,
    statements: record.statements.slice(-maxStatements).map((statement) => statement.json),
  };
  const { recoveryKey } = record;
  if (recoveryKey !== undefined) json['recovery_key'] = { key_id: recoveryKey.keyId, key: recoveryKey.key };
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** Undefined if the text is not a record. */
export function readRecord(text: string): KeyRecord | undefined {
  let json: JsonValue;
  try {
    json = parseJson(Buffer.from(text));
  } catch {
    return undefined;
  }
  if (!isObject(json) || !isObject(json['old_keys']) || !Array.isArray(json['statements'])) return undefined;
  const oldKeys = new Map<string, OldKey>();
  for (const [keyId, entry] of Object.entries(json['old_keys'])) {
    if (!isObject(entry)) return undefined;
    const { key, expired_ts: validUntil } = entry;
    if (!isKey(key) || typeof validUntil !== 'number') return undefined;
    oldKeys.set(keyId, { key, validUntil });
  }
  const statements: KeyStatement[] = [];
  for (const entry of json['statements']) {
    const statement = parseStatement(entry);
    if (statement === undefined) return undefined;
    statements.push(statement);
  }
  const recovery = json['recovery_key'];
  if (recovery === undefined) return { oldKeys, statements };
  const { key_id: keyId, key } = isObject(recovery) ? recovery : {};
  return typeof keyId === 'string' && isKey(key)
    ? { oldKeys, statements, recoveryKey: { keyId, key } }
    : undefined;
}

function isKey(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && decodeBase64(value)?.length === 32;
}

/**
 * The record as far as it belongs to the key that signs now. A rotation that was broken off before the new key was on
 * disk left a statement for a key that was never used, and an end for the one that still signs.
 */
export function recordFor(record: KeyRecord, keyId: string): KeyRecord {
  const own = record.statements.findLastIndex((statement) => statement.keyId === keyId);
  const statements = record.statements.slice(0, own + 1);
  const oldKeys = new Map([...record.oldKeys].filter(([id]) => id !== keyId));
  return { ...record, statements, oldKeys };
}
