/**
 * Remembers at which position something last changed, so that a `/sync` that finds nothing new asks no database.
 * What changed before this process started is unknown: a reader whose position is older must look it up.
 */
export class ChangeIndex {
  readonly #since: number;
  readonly #last = new Map<string, number>();

  /** `since` is the highest visible position at the time from which changes are reported. */
  constructor(since: number) {
    this.#since = since;
  }

  changed(key: string, position: number): void {
    if (position > (this.#last.get(key) ?? -1)) this.#last.set(key, position);
  }

  /** Whether `key` may have changed after `position`. */
  mayHaveChanged(key: string, position: number): boolean {
    const last = this.#last.get(key);
    return last === undefined ? position < this.#since : position < last;
  }
}
