import { createHash, createHmac } from 'node:crypto';
import { type CipherOptions, CipherState, strictCipher } from './cipher-state.ts';

const hashLength = 32;

/** The running hash, the chaining key and the current cipher of a handshake (Noise §5.2). */
export class SymmetricState {
  readonly #options: CipherOptions;
  #chainingKey: Buffer;
  #hash: Buffer;
  #cipher: CipherState | undefined;

  constructor(protocolName: string, options: CipherOptions = strictCipher) {
    const name = Buffer.from(protocolName, 'ascii');
    this.#hash = name.length <= hashLength ? Buffer.concat([name], hashLength) : sha256(name);
    this.#chainingKey = this.#hash;
    this.#options = options;
  }

  /** Identifies the handshake with all that both sides sent; to be read at its end. */
  get handshakeHash(): Buffer {
    return this.#hash;
  }

  mixHash(data: Uint8Array): void {
    this.#hash = sha256(this.#hash, data);
  }

  mixKey(secret: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, secret);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(key, this.#options);
  }

  /** Seals with the hash as associated data; before the first key the text stays plain. */
  encryptAndHash(plain: Uint8Array): Buffer {
    const sealed = this.#cipher === undefined ? Buffer.from(plain) : this.#cipher.seal([plain], this.#hash);
    this.mixHash(sealed);
    return sealed;
  }

  decryptAndHash(sealed: Buffer): Buffer {
    const plain = this.#cipher === undefined ? sealed : this.#cipher.open(sealed, this.#hash);
    this.mixHash(sealed);
    return plain;
  }

  get hasKey(): boolean {
    return this.#cipher !== undefined;
  }

  /** The two ciphers of the session: first the initiator's sending side, then the responder's. */
  split(): [CipherState, CipherState] {
    const [first, second] = hkdf(this.#chainingKey, Buffer.alloc(0));
    return [new CipherState(first, this.#options), new CipherState(second, this.#options)];
  }
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
  const mac = createHmac('sha256', key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}

/** Two outputs of HKDF as Noise §4.3 defines it. */
function hkdf(chainingKey: Uint8Array, input: Uint8Array): [Buffer, Buffer] {
  const temporary = hmac(chainingKey, input);
  const first = hmac(temporary, Buffer.from([1]));
  return [first, hmac(temporary, first, Buffer.from([2]))];
}
