import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';
import { NoiseError } from './keys.ts';

/** Bytes that sealing adds. */
export const tagLength = 16;

const cipher = 'aes-256-gcm';
const options = { authTagLength: tagLength };

/** How a sealed message is opened; throws when it was altered. A parameter so that a test can weaken it. */
type OpenSealed = (key: KeyObject, nonce: Buffer, ad: Buffer, sealed: Buffer) => Buffer;

const openAesGcm: OpenSealed = (key, nonce, ad, sealed) => {
  const end = sealed.length - tagLength;
  if (end < 0) throw new NoiseError('short');
  const decipher = createDecipheriv(cipher, key, nonce, options);
  if (ad.length > 0) decipher.setAAD(ad);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch (cause) {
    throw new NoiseError('decrypt', cause);
  }
  return plain;
};

export interface CipherOptions {
  readonly open: OpenSealed;
  /** How far the nonce moves with each message: 1. */
  readonly step: 0 | 1;
  /** A session lives at most so many records each way (island-link §1). */
  readonly maxRecords: number;
}

export const strictCipher: CipherOptions = { open: openAesGcm, step: 1, maxRecords: 2 ** 32 };

const noData = Buffer.alloc(0);

/** One direction of a Noise session: AES-256-GCM with a counter as nonce (Noise §5.1, §12.4). */
export class CipherState {
  readonly #key: KeyObject;
  readonly #options: CipherOptions;
  // 32 zero bits, then the counter as 64 bits, big-endian.
  readonly #nonce = Buffer.alloc(12);
  #count = 0;

  constructor(key: Uint8Array, options: CipherOptions = strictCipher) {
    this.#key = createSecretKey(key);
    this.#options = options;
  }

  /** Seals the parts as one message: their bytes in order, then the tag. Throws `NoiseError` (`exhausted`). */
  seal(parts: readonly Uint8Array[], ad: Buffer = noData): Buffer {
    const encipher = createCipheriv(cipher, this.#key, this.#nextNonce(), options);
    if (ad.length > 0) encipher.setAAD(ad);
    const sealed: Buffer[] = [];
    for (const part of parts) sealed.push(encipher.update(part));
    encipher.final();
    sealed.push(encipher.getAuthTag());
    this.#count += this.#options.step;
    return Buffer.concat(sealed);
  }

  /** Opens one message. Throws `NoiseError`: whatever is lost, repeated, reordered or altered fails here. */
  open(sealed: Buffer, ad: Buffer = noData): Buffer {
    const plain = this.#options.open(this.#key, this.#nextNonce(), ad, sealed);
    this.#count += this.#options.step;
    return plain;
  }

  #nextNonce(): Buffer {
    if (this.#count >= this.#options.maxRecords) throw new NoiseError('exhausted');
    this.#nonce.writeUInt32BE(this.#count, 8);
    return this.#nonce;
  }
}
