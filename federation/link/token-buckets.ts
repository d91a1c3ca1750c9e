import type { Clock } from '../../protocol/runtime.ts';

interface Bucket {
  tokens: number;
  at: number;
}

const maxKeys = 10_000;

/** A token bucket for each key; full ones are forgotten, so that memory follows what happens now. */
export class TokenBuckets {
  readonly #clock: Clock;
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock, burst: number, perSecond: number) {
    this.#clock = clock;
    this.#burst = burst;
    this.#perSecond = perSecond;
  }

  /** Takes one token; gives 0, or the milliseconds until there is one. */
  take(key: string): number {
    const now = this.#clock.now();
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, at: now };
    this.#refill(bucket, now);
    if (bucket.tokens < 1) {
      this.#buckets.set(key, bucket);
      return Math.ceil(((1 - bucket.tokens) / this.#perSecond) * 1000);
    }
    bucket.tokens -= 1;
    if (!this.#buckets.has(key) && this.#buckets.size >= maxKeys) this.#forget(now);
    this.#buckets.set(key, bucket);
    return 0;
  }

  #refill(bucket: Bucket, now: number): void {
    const elapsed = Math.max(0, now - bucket.at) / 1000;
    bucket.tokens = Math.min(this.#burst, bucket.tokens + elapsed * this.#perSecond);
    bucket.at = now;
  }

  #forget(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      this.#refill(bucket, now);
      if (bucket.tokens >= this.#burst) this.#buckets.delete(key);
    }
    // Under a flood from many addresses the oldest entry goes: that address starts afresh, no more.
    if (this.#buckets.size >= maxKeys) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
  }
}
