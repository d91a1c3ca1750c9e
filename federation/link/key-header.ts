import { decodeBase64, decodeBase64Url, encodeBase64Url } from '../../protocol/base64.ts';
import { isObject, type JsonObject, type JsonValue, parseJson } from '../../protocol/json.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import type { KeyEvidence } from './types.ts';

/** The header of an upgrade request that shows the dialler's key to a partner that knows an older one. */
export const keyHeader = 'x-island-key';

/** Reverse proxies take lines of 8 KiB; four statements fit. */
const maxHeaderLength = 8_000;
const maxStatements = 8;

export function keyHeaderValue(key: SigningKey, statements: readonly JsonObject[]): string {
  const value: JsonObject = { key_id: key.keyId, key: key.publicKey, statements: [...statements] };
  return encodeBase64Url(Buffer.from(JSON.stringify(value)));
}

/** Undefined if there is none, or none that can be read. */
export function readKeyHeader(value: string | string[] | undefined): KeyEvidence | undefined {
  if (typeof value !== 'string' || value.length > maxHeaderLength) return undefined;
  const bytes = decodeBase64Url(value);
  if (bytes === undefined) return undefined;
  let json: JsonValue;
  try {
    json = parseJson(bytes, { maxDepth: 8 });
  } catch {
    return undefined;
  }
  return readEvidence(json);
}

/** `{key_id, key, statements}`. */
function readEvidence(json: JsonValue): KeyEvidence | undefined {
  if (!isObject(json)) return undefined;
  const { key_id: keyId, key } = json;
  if (typeof keyId !== 'string' || typeof key !== 'string' || decodeBase64(key)?.length !== 32)
    return undefined;
  return { keyId, key, statements: readStatements(json['statements']) };
}

export function readStatements(json: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(json) ? json.slice(0, maxStatements) : [];
}
