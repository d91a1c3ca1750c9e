/** A map of bounded weight that forgets what was used longest ago. */
export class Lru<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #limit: number;
  readonly #weigh: (value: V) => number;
  readonly #mayForget: (value: V) => boolean;
  #weight = 0;

  /** `limit` is in entries, or in the unit of `weigh`. Entries for which `mayForget` is false stay. */
  constructor(
    limit: number,
    options: { weigh?: (value: V) => number; mayForget?: (value: V) => boolean } = {},
  ) {
    this.#limit = limit;
    this.#weigh = options.weigh ?? (() => 1);
    this.#mayForget = options.mayForget ?? (() => true);
  }

  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  /** Like `get`, without marking the entry as used. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    const old = this.#entries.get(key);
    if (old !== undefined) {
      this.#entries.delete(key);
      this.#weight -= this.#weigh(old);
    }
    this.#entries.set(key, value);
    this.#weight += this.#weigh(value);
    if (this.#weight > this.#limit) this.#shrink();
  }

  delete(key: K): void {
    const old = this.#entries.get(key);
    if (old === undefined) return;
    this.#entries.delete(key);
    this.#weight -= this.#weigh(old);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Looks at no more than a few pinned entries per call, so that many of them cannot make it slow. */
  #shrink(): void {
    let pinned = 0;
    for (const [key, value] of this.#entries) {
      if (this.#weight <= this.#limit || this.#entries.size <= 1 || pinned > 32) return;
      if (!this.#mayForget(value)) {
        pinned += 1;
        continue;
      }
      this.#entries.delete(key);
      this.#weight -= this.#weigh(value);
    }
  }
}
