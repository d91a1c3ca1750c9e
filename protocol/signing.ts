import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import nacl from 'tweetnacl';
import { decodeBase64, encodeBase64, encodeBase64Url } from './base64.ts';
import {
  canonicalJson,
  canonicalMember,
  canonicalMembers,
  canonicalText,
  type Member,
  withMember,
} from './canonical-json.ts';
import { isReducedScalar, isValidPoint } from './ed25519-encoding.ts';
import type { Pdu, UnsignedPdu } from './event.ts';
import { maxEventDepth } from './event-format.ts';
import { textHash, textHashUrl, without } from './hashing.ts';
import { isObject, JsonError, type JsonObject } from './json.ts';
import { redact, redactContent, survivesRedaction } from './redaction.ts';
import type { RoomVersion } from './room-versions.ts';
import type { Random } from './runtime.ts';

/** Signing of JSON (appendices) and of events (Server-Server API), with Ed25519 on `node:crypto`. */

export interface SigningKey {
  /** `ed25519:` and the version. */
  readonly keyId: string;
  /** Unpadded Base64. */
  readonly publicKey: string;
  /** 32 bytes: the private key. */
  readonly seed: Uint8Array;
  sign(message: Uint8Array): Buffer;
}

// RFC 8410: the fixed DER in front of a raw Ed25519 private key.
const privateKeyPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export function signingKeyFromSeed(keyId: string, seed: Uint8Array): SigningKey {
  const pair = nacl.sign.keyPair.fromSeed(seed);
  const privateKey = createPrivateKey({
    key: Buffer.concat([privateKeyPrefix, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  return {
    keyId,
    publicKey: encodeBase64(pair.publicKey),
    seed,
    sign: (message) => sign(null, message, privateKey),
  };
}

export function generateSigningKey(keyId: string, random: Random): SigningKey {
  return signingKeyFromSeed(keyId, random.bytes(nacl.sign.seedLength));
}

/**
 * A key as OpenSSL wants it, or undefined if it is no proper point. From a JWK, because reading DER takes as long as
 * verifying a signature.
 */
function publicKeyObject(publicKey: string | Uint8Array): KeyObject | undefined {
  const bytes = typeof publicKey === 'string' ? decodeBase64(publicKey) : publicKey;
  if (bytes?.length !== 32 || !isValidPoint(bytes)) return undefined;
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(bytes) }, format: 'jwk' });
}

/**
 * Verifies strictly: on top of OpenSSL it refuses points of small order and non-canonical encodings, so that no two
 * servers can disagree about a signature.
 */
export function verifyEd25519(
  publicKey: string | Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== 64) return false;
  if (!isReducedScalar(signature.subarray(32)) || !isValidPoint(signature.subarray(0, 32))) return false;
  const key = publicKeyObject(publicKey);
  return key !== undefined && verify(null, message, key, signature);
}

/** The signature over a JSON object without its `signatures` and `unsigned`; unpadded Base64. */
export function jsonSignature(object: JsonObject, key: SigningKey): string {
  return encodeBase64(key.sign(signedBytes(object)));
}

/** A copy with our signature beside those that are there. */
export function signJson<T extends JsonObject>(object: T, serverName: string, key: SigningKey): T {
  return { ...object, signatures: mergeSignature(object, serverName, key.keyId, jsonSignature(object, key)) };
}

/** False also where the signature is missing, and for what has no canonical form. */
export function verifyJson(
  object: JsonObject,
  serverName: string,
  keyId: string,
  publicKey: string | Uint8Array,
): boolean {
  const signatures = object['signatures'];
  if (!isObject(signatures) || !Object.hasOwn(signatures, serverName)) return false;
  const ofServer = signatures[serverName];
  if (!isObject(ofServer) || !Object.hasOwn(ofServer, keyId)) return false;
  const text = ofServer[keyId];
  const signature = typeof text === 'string' ? decodeBase64(text) : undefined;
  if (signature === undefined) return false;
  let message: Buffer;
  try {
    message = signedBytes(object);
  } catch (error) {
    if (error instanceof JsonError) return false;
    throw error;
  }
  return verifyEd25519(publicKey, message, signature);
}

/**
 * Hashes and signs a new event ("Adding hashes and signatures to outgoing events"), and names it; `json` is the
 * canonical text of the result. Every member is serialised once: the three texts that are hashed, signed and stored
 * are put together from the same pieces. Throws {@link JsonError} for an event that has no canonical form or is nested
 * deeper than `maxEventDepth`.
 */
export function signEvent(
  pdu: UnsignedPdu,
  version: RoomVersion,
  serverName: string,
  key: SigningKey,
): { pdu: Pdu; eventId: string; json: string } {
  const unhashed = canonicalMembers(without(pdu, ['unsigned', 'signatures', 'hashes']), maxEventDepth);
  const hashes = { sha256: textHash(canonicalText(unhashed)) };
  const members = withMember(unhashed, 'hashes', hashes);
  // What is signed and what names the event are the same text: the redacted event without its signatures.
  const content = redactContent(pdu.type, pdu.content, version);
  const kept: Member[] = [];
  for (const member of members) {
    if (!survivesRedaction(member.key, version)) continue;
    const isCut = member.key === 'content' && content !== pdu.content;
    kept.push(isCut ? canonicalMember('content', content) : member);
  }
  const text = canonicalText(kept);
  const signature = encodeBase64(key.sign(Buffer.from(text)));
  const signatures = mergeSignature(pdu, serverName, key.keyId, signature);
  const signed = withMember(members, 'signatures', signatures);
  const { unsigned } = pdu;
  return {
    pdu: { ...pdu, hashes, signatures },
    eventId: `$${textHashUrl(text)}`,
    json: canonicalText(unsigned === undefined ? signed : withMember(signed, 'unsigned', unsigned)),
  };
}

/** The event with our signature beside those that are there. */
export function addSignature(pdu: Pdu, version: RoomVersion, serverName: string, key: SigningKey): Pdu {
  const signature = jsonSignature(redact(pdu, version), key);
  return { ...pdu, signatures: mergeSignature(pdu, serverName, key.keyId, signature) };
}

export function verifyEventSignature(
  pdu: Pdu,
  version: RoomVersion,
  serverName: string,
  keyId: string,
  publicKey: string | Uint8Array,
): boolean {
  return verifyJson(redact(pdu, version), serverName, keyId, publicKey);
}

function signedBytes(object: JsonObject): Buffer {
  return Buffer.from(canonicalJson(without(object, ['signatures', 'unsigned'])));
}

function mergeSignature(
  object: JsonObject,
  serverName: string,
  keyId: string,
  signature: string,
): Record<string, Record<string, string>> {
  // The caller's object has passed as JSON that may carry signatures; their shape is the specification's.
  const existing = (object['signatures'] ?? {}) as Record<string, Record<string, string>>;
  const ours = Object.hasOwn(existing, serverName) ? existing[serverName] : {};
  return { ...existing, [serverName]: { ...ours, [keyId]: signature } };
}
