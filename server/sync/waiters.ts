/**
 * The `/sync` calls that wait, by user. A call registers before it samples what it waits for: a change in between
 * wakes it all the same, so none is missed.
 */
export class Waiters {
  readonly #byUser = new Map<string, Set<Waiter>>();

  register(userId: string): Waiter {
    const waiter = new Waiter(() => {
      const set = this.#byUser.get(userId);
      set?.delete(waiter);
      if (set?.size === 0) this.#byUser.delete(userId);
    });
    const set = this.#byUser.get(userId);
    if (set === undefined) this.#byUser.set(userId, new Set([waiter]));
    else set.add(waiter);
    return waiter;
  }

  wake(userId: string): void {
    const set = this.#byUser.get(userId);
    if (set !== undefined) for (const waiter of set) waiter.wake();
  }

  wakeAll(): void {
    for (const set of this.#byUser.values()) for (const waiter of set) waiter.wake();
  }

  isWaiting(userId: string): boolean {
    return this.#byUser.has(userId);
  }

  users(): IterableIterator<string> {
    return this.#byUser.keys();
  }

  get size(): number {
    return this.#byUser.size;
  }
}

export class Waiter {
  readonly #release: () => void;
  #woken = false;
  #resolve: (() => void) | undefined;

  constructor(release: () => void) {
    this.#release = release;
  }

  wake(): void {
    this.#woken = true;
    this.#resolve?.();
  }

  /** Resolves at the first wake-up since the last call of `rearm`, at once if there was one already. */
  async woken(): Promise<void> {
    if (this.#woken) return;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Forgets earlier wake-ups. Call it before sampling, never after. */
  rearm(): void {
    this.#woken = false;
    this.#resolve = undefined;
  }

  release(): void {
    this.#release();
  }
}
