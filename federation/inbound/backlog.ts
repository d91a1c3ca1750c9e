/** Lets callers wait while too much work is queued: what is not taken on is not acknowledged. */
export class Backlog {
  readonly #limit: number;
  #size = 0;
  #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  add(count: number): void {
    this.#size += count;
  }

  done(): void {
    this.#size -= 1;
    if (this.#size < this.#limit && this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const go of waiting) go();
    }
  }

  /** Resolves when there is room. */
  async room(): Promise<void> {
    while (this.#size >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
