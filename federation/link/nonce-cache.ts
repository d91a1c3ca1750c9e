import type { Clock } from '../../protocol/runtime.ts';

/**
 * Nonces that were used, for at least `keepMs`. Two generations: when the younger is `keepMs` old, the older
 * is dropped. Only requests with a good signature come here, and their number is limited per origin.
 */
export class NonceCache {
  readonly #clock: Clock;
  readonly #keepMs: number;
  #younger = new Set<string>();
  #older = new Set<string>();
  #since: number;

  constructor(clock: Clock, keepMs: number) {
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#since = clock.now();
  }

  /** Notes the nonce; false if it was seen before. */
  isFresh(origin: string, nonce: string): boolean {
    const now = this.#clock.now();
    if (now - this.#since >= this.#keepMs) {
      this.#older = now - this.#since >= 2 * this.#keepMs ? new Set() : this.#younger;
      this.#younger = new Set();
      this.#since = now;
    }
    const entry = `${origin} ${nonce}`;
    if (this.#younger.has(entry) || this.#older.has(entry)) return false;
    this.#younger.add(entry);
    return true;
  }
}
