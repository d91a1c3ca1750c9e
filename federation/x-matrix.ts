import { decodeBase64 } from '../protocol/base64.ts';
import { canonicalJson } from '../protocol/canonical-json.ts';
import type { JsonObject, JsonValue } from '../protocol/json.ts';
import { type SigningKey, verifyEd25519 } from '../protocol/signing.ts';

/** Server-Server API, Request Authentication: the parameters of an `Authorization: X-Matrix` header. */
export interface XMatrix {
  readonly origin: string;
  readonly destination: string;
  readonly key: string;
  readonly sig: string;
}

/** What the signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly uri: string;
  readonly origin: string;
  readonly destination: string;
  readonly content?: JsonValue;
}

// RFC 7230 §3.2.6, with colons, which older servers send without quotes.
const parameter =
  /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z:/=]*))/y;
const separator = /[ \t]*(?:(?:,[ \t]*)+|$)/y;
const maxHeaderLength = 4096;

/** The header's value for a request that we make. */
export function authorizationHeader(request: SignedRequest, key: SigningKey): string {
  const sig = key.sign(signedBytes(request)).toString('base64').replace(/=+$/, '');
  return `X-Matrix origin="${request.origin}",destination="${request.destination}",key="${key.keyId}",sig="${sig}"`;
}

/**
 * Reads a header. Unknown parameters are ignored; undefined if it is not one of this scheme, if a parameter
 * is missing or given twice. The destination has to be there: every server that we talk to sends it.
 */
export function parseAuthorization(header: string): XMatrix | undefined {
  if (header.length > maxHeaderLength) return undefined;
  const scheme = /^x-matrix +/i.exec(header);
  if (scheme === null) return undefined;
  const found = new Map<string, string>();
  let position = scheme[0].length;
  while (position < header.length) {
    parameter.lastIndex = position;
    const match = parameter.exec(header);
    if (match === null) return undefined;
    const [, name = '', quoted, token = ''] = match;
    const lowerName = name.toLowerCase();
    if (found.has(lowerName)) return undefined;
    found.set(lowerName, quoted === undefined ? token : quoted.replace(/\\(.)/g, '$1'));
    position = parameter.lastIndex;
    separator.lastIndex = position;
    if (separator.exec(header) === null) return undefined;
    position = separator.lastIndex;
  }
  const origin = found.get('origin');
  const destination = found.get('destination');
  const key = found.get('key');
  const sig = found.get('sig');
  if (!origin || !destination || !key || !sig) return undefined;
  return { origin, destination, key, sig };
}

/** True if `sig` is the signature of the request by this public key (unpadded base64). */
export function verifyRequest(request: SignedRequest, sig: string, publicKey: string): boolean {
  const signature = decodeBase64(sig);
  return signature !== undefined && verifyEd25519(publicKey, signedBytes(request), signature);
}

function signedBytes(request: SignedRequest): Buffer {
  const { method, uri, origin, destination, content } = request;
  const signed: JsonObject = { method, uri, origin, destination };
  if (content !== undefined) signed['content'] = content;
  return Buffer.from(canonicalJson(signed));
}
