import { type CipherOptions, type CipherState, strictCipher, tagLength } from './cipher-state.ts';
import { type DiffieHellman, dhLength, type LinkKeyPair, NoiseError, x25519 } from './keys.ts';
import { SymmetricState } from './symmetric-state.ts';

export const noiseProtocol = 'Noise_XX_25519_AESGCM_SHA256';

/** A Noise message is at most so many bytes. */
export const maxNoiseMessage = 65_535;

type Token = 'e' | 's' | 'ee' | 'es' | 'se';

// XX: -> e   <- e, ee, s, es   -> s, se
const pattern: readonly (readonly Token[])[] = [['e'], ['e', 'ee', 's', 'es'], ['s', 'se']];

export interface NoiseSession {
  readonly send: CipherState;
  readonly receive: CipherState;
  /** Both sides have the same one, and no other session has it. */
  readonly handshakeHash: Buffer;
}

export interface HandshakeOptions {
  readonly initiator: boolean;
  readonly prologue: Uint8Array;
  readonly staticKey: LinkKeyPair;
  /** A new key pair for this handshake alone. */
  readonly ephemeralKey: LinkKeyPair;
  readonly dh?: DiffieHellman;
  readonly cipher?: CipherOptions;
}

/** The three messages of Noise XX (Noise §5.3, §7.5). Any method may throw `NoiseError`: then it is over. */
export class HandshakeXX {
  readonly #initiator: boolean;
  readonly #static: LinkKeyPair;
  readonly #ephemeral: LinkKeyPair;
  readonly #dh: DiffieHellman;
  readonly #symmetric: SymmetricState;
  #remoteStatic: Buffer | undefined;
  #remoteEphemeral: Buffer | undefined;
  #next = 0;

  constructor(options: HandshakeOptions) {
    this.#initiator = options.initiator;
    this.#static = options.staticKey;
    this.#ephemeral = options.ephemeralKey;
    this.#dh = options.dh ?? x25519;
    this.#symmetric = new SymmetricState(noiseProtocol, options.cipher ?? strictCipher);
    this.#symmetric.mixHash(options.prologue);
  }

  /** The other side's static key; known after its second or third message. */
  get remoteStatic(): Buffer | undefined {
    return this.#remoteStatic;
  }

  /** The next message, with `payload` inside: plain in the first one, sealed in the others. */
  write(payload: Uint8Array): Buffer {
    const parts: Buffer[] = [];
    for (const token of this.#tokens(true)) {
      if (token === 'e') {
        parts.push(this.#ephemeral.publicKey);
        this.#symmetric.mixHash(this.#ephemeral.publicKey);
      } else if (token === 's') parts.push(this.#symmetric.encryptAndHash(this.#static.publicKey));
      else this.#mix(token);
    }
    parts.push(this.#symmetric.encryptAndHash(payload));
    return Buffer.concat(parts);
  }

  /** Takes the other side's next message and gives its payload. */
  read(message: Buffer): Buffer {
    if (message.length > maxNoiseMessage) throw new NoiseError('short');
    let offset = 0;
    const take = (length: number): Buffer => {
      if (message.length - offset < length) throw new NoiseError('short');
      offset += length;
      return message.subarray(offset - length, offset);
    };
    for (const token of this.#tokens(false)) {
      if (token === 'e') {
        this.#remoteEphemeral = Buffer.from(take(dhLength));
        this.#symmetric.mixHash(this.#remoteEphemeral);
      } else if (token === 's') {
        const length = dhLength + (this.#symmetric.hasKey ? tagLength : 0);
        this.#remoteStatic = Buffer.from(this.#symmetric.decryptAndHash(take(length)));
      } else this.#mix(token);
    }
    return this.#symmetric.decryptAndHash(message.subarray(offset));
  }

  /** After the third message. */
  session(): NoiseSession {
    if (this.#next !== pattern.length) throw new Error('The handshake is not over');
    const [initiator, responder] = this.#symmetric.split();
    const { handshakeHash } = this.#symmetric;
    return this.#initiator
      ? { send: initiator, receive: responder, handshakeHash }
      : { send: responder, receive: initiator, handshakeHash };
  }

  #tokens(writing: boolean): readonly Token[] {
    const tokens = pattern[this.#next];
    const initiatorsTurn = this.#next % 2 === 0;
    if (tokens === undefined || (initiatorsTurn === this.#initiator) !== writing)
      throw new Error('It is not the turn of this message');
    this.#next += 1;
    return tokens;
  }

  /** `ee`, `es`, `se`: the first letter is the initiator's key, the second the responder's. */
  #mix(token: 'ee' | 'es' | 'se'): void {
    const mine = (this.#initiator ? token[0] : token[1]) === 'e' ? this.#ephemeral : this.#static;
    const theirs =
      (this.#initiator ? token[1] : token[0]) === 'e' ? this.#remoteEphemeral : this.#remoteStatic;
    if (theirs === undefined) throw new Error('The pattern uses a key before it was sent');
    this.#symmetric.mixKey(this.#dh(mine, theirs));
  }
}
