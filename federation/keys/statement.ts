import { decodeBase64, encodeBase64 } from '../../protocol/base64.ts';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import { type SigningKey, signJson, verifyJson } from '../../protocol/signing.ts';

/**
 * A key statement (ADR 16): from a moment on a server signs with one key, and every other key of it has ended. Signed
 * by that key, and by one that partners know already: the key before it, or the offline recovery key.
 */
export interface KeyStatement {
  readonly serverName: string;
  /** Milliseconds since the epoch, by the clock of the server: until then its other keys signed. */
  readonly ts: number;
  readonly keyId: string;
  /** Unpadded Base64. */
  readonly key: string;
  /** The other keys fell into wrong hands: nothing is to be believed that they signed and that comes later. */
  readonly isCompromised: boolean;
  /** The id of the key that vouches for the new one. */
  readonly voucherId: string;
  /** As it is signed and sent. */
  readonly json: JsonObject;
}

const keyIdForm = /^ed25519:[a-zA-Z0-9_]{1,64}$/;
const latestTime = Date.UTC(9999, 0, 1);
const begin = '-----BEGIN ARCHIPELAGO KEY STATEMENT-----';
const end = '-----END ARCHIPELAGO KEY STATEMENT-----';
const maxTextLength = 16 * 1024;

/** Makes the statement that `key` takes over from `ts` on, for which `voucher` vouches. */
export function makeStatement(input: {
  readonly serverName: string;
  readonly key: SigningKey;
  readonly voucher: SigningKey;
  /** Milliseconds since the epoch. */
  readonly ts: number;
  readonly isCompromised?: boolean;
}): KeyStatement {
  const { serverName, key, voucher, ts } = input;
  if (key.keyId === voucher.keyId) throw new TypeError('A key cannot vouch for itself');
  const body: JsonObject = {
    statement_version: 1,
    server_name: serverName,
    ts,
    new_key: { key_id: key.keyId, key: key.publicKey },
    compromised: input.isCompromised ?? false,
  };
  const statement = parseStatement(signJson(signJson(body, serverName, key), serverName, voucher));
  if (statement === undefined) throw new TypeError('The statement that was made is none');
  return statement;
}

/** Reads the shape of a statement; undefined if it is none. Nothing is verified. */
export function parseStatement(json: JsonValue | undefined): KeyStatement | undefined {
  if (!isObject(json) || json['statement_version'] !== 1) return undefined;
  const { server_name: serverName, ts, new_key: newKey, compromised, signatures } = json;
  if (typeof serverName !== 'string' || !isObject(newKey) || !isObject(signatures)) return undefined;
  if (typeof ts !== 'number' || !Number.isSafeInteger(ts) || ts < 0 || ts >= latestTime) return undefined;
  const { key_id: keyId, key } = newKey;
  if (typeof keyId !== 'string' || !keyIdForm.test(keyId)) return undefined;
  if (typeof key !== 'string' || decodeBase64(key)?.length !== 32) return undefined;
  const own = Object.hasOwn(signatures, serverName) ? signatures[serverName] : undefined;
  if (!isObject(own)) return undefined;
  if (!isPlain(key) || !Object.values(own).every(isPlain)) return undefined;
  const [voucherId, ...more] = Object.keys(own).filter((id) => id !== keyId);
  if (voucherId === undefined || more.length > 0) return undefined;
  return { serverName, ts, keyId, key, isCompromised: compromised === true, voucherId, json };
}

/** Base64 in the one spelling that it has: signatures are not signed themselves. */
function isPlain(value: JsonValue): boolean {
  const bytes = typeof value === 'string' ? decodeBase64(value) : undefined;
  return bytes !== undefined && encodeBase64(bytes) === value;
}

/** Did the new key sign it, and the key that `voucherKey` (unpadded Base64) says is the voucher? */
export function verifyStatement(
  { json, serverName, keyId, key, voucherId }: KeyStatement,
  voucherKey: string,
): { readonly byNewKey: boolean; readonly byVoucher: boolean } {
  return {
    byNewKey: verifyJson(json, serverName, keyId, key),
    byVoucher: verifyJson(json, serverName, voucherId, voucherKey),
  };
}

/** A statement as a text block, for a partner that has to be told by mail. */
export function statementText(statement: KeyStatement): string {
  const body = encodeBase64(Buffer.from(canonicalJson(statement.json))).match(/.{1,72}/g) ?? [];
  return `${[begin, `Server: ${statement.serverName}`, '', ...body, end].join('\n')}\n`;
}

/** Reads a text block; a sentence for the admin if it is none. What it says is still to be judged. */
export function readStatementText(text: string): KeyStatement | string {
  const lines = text.trim().split(/\r?\n/);
  if (text.length > maxTextLength || lines[0] !== begin || lines.at(-1) !== end)
    return `This is not a key statement: it begins with "${begin}" and ends with "${end}"`;
  const blank = lines.indexOf('');
  const bytes = blank < 0 ? undefined : decodeBase64(lines.slice(blank + 1, -1).join(''));
  try {
    const statement = bytes === undefined ? undefined : parseStatement(parseJson(bytes, { maxDepth: 8 }));
    if (statement !== undefined && statementText(statement).trim() === lines.join('\n')) return statement;
  } catch {
    // Falls through: the admin needs to know that it is broken, not which byte.
  }
  return 'The key statement cannot be read: it was altered, or is of another version';
}
