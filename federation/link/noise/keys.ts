import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto';
import type { Random } from '../../../protocol/runtime.ts';

/** Length of X25519 keys and shared secrets, in bytes. */
export const dhLength = 32;

/** An X25519 key pair: a server's link key, or one handshake's ephemeral key. */
export interface LinkKeyPair {
  /** 32 bytes. */
  readonly publicKey: Buffer;
  readonly privateKey: KeyObject;
}

/** A handshake that must not go on. `code` is for the audit log; the partner is told nothing. */
export class NoiseError extends Error {
  readonly code: 'decrypt' | 'low-order' | 'short' | 'exhausted';

  constructor(code: NoiseError['code'], cause?: unknown) {
    super(`Noise: ${code}`, cause === undefined ? undefined : { cause });
    this.name = 'NoiseError';
    this.code = code;
  }
}

// What stands before the 32 raw bytes in PKCS #8 and SubjectPublicKeyInfo (RFC 8410).
const pkcs8Prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
const spkiPrefix = Buffer.from('302a300506032b656e032100', 'hex');

/** The key pair whose private key is these 32 bytes. */
export function linkKeyFromSeed(seed: Uint8Array): LinkKeyPair {
  if (seed.length !== dhLength) throw new RangeError('An X25519 private key has 32 bytes');
  const privateKey = createPrivateKey({
    key: Buffer.concat([pkcs8Prefix, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { publicKey: Buffer.from(spki.subarray(spkiPrefix.length)), privateKey };
}

export function generateLinkKey(random: Random): LinkKeyPair {
  return linkKeyFromSeed(random.bytes(dhLength));
}

export type DiffieHellman = (pair: LinkKeyPair, remotePublicKey: Buffer) => Buffer;

/**
 * X25519. Throws `NoiseError` (`low-order`) when the result is all zeros: the other side then chose a point
 * with which every private key gives the same secret, so the secret would prove nothing.
 */
export const x25519: DiffieHellman = (pair, remotePublicKey) => {
  const publicKey = createPublicKey({
    key: Buffer.concat([spkiPrefix, remotePublicKey]),
    format: 'der',
    type: 'spki',
  });
  let secret: Buffer;
  try {
    secret = diffieHellman({ privateKey: pair.privateKey, publicKey });
  } catch (cause) {
    // OpenSSL refuses an all-zero result by itself.
    throw new NoiseError('low-order', cause);
  }
  if (secret.every((byte) => byte === 0)) throw new NoiseError('low-order');
  return secret;
};
