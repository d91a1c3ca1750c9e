import type { SigningKey } from '../../protocol/signing.ts';
import { emptyRecord, type KeyRecord, type OldKey } from './key-record.ts';
import type { KeyStatement } from './statement.ts';

/**
 * The keys of this island while it runs. Whoever signs holds `signingKey`, which is at every moment the key in use:
 * a rotation is one assignment, and what is signed within one turn of the event loop is signed by one key.
 */
export class OwnKeys {
  readonly signingKey: SigningKey;
  #current: SigningKey;
  #record: KeyRecord;

  constructor(current: SigningKey, record: KeyRecord = emptyRecord) {
    this.#current = current;
    this.#record = record;
    const now = (): SigningKey => this.#current;
    this.signingKey = {
      get keyId() {
        return now().keyId;
      },
      get publicKey() {
        return now().publicKey;
      },
      get seed() {
        return now().seed;
      },
      sign: (message) => now().sign(message),
    };
  }

  /** The key in use now, for who has to keep it. */
  get current(): SigningKey {
    return this.#current;
  }

  get record(): KeyRecord {
    return this.#record;
  }

  /** Keys that signed before, by key id. */
  get oldKeys(): ReadonlyMap<string, OldKey> {
    return this.#record.oldKeys;
  }

  /** What proves the key in use to partners that know an older one, oldest first. */
  get statements(): readonly KeyStatement[] {
    return this.#record.statements;
  }

  /** In effect when this returns. To be called after both are on disk. */
  replace(current: SigningKey, record: KeyRecord): void {
    this.#current = current;
    this.#record = record;
  }
}
