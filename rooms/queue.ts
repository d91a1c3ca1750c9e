/**
 * Runs the tasks of each key one after the other, in the order in which they were handed in. A failure stops nobody
 * else. A task that nobody is before begins at once. Keys take memory only while they are in use.
 */
export class KeyedQueues {
  /** By key while a task of it runs: those that wait for their turn. */
  readonly #waiting = new Map<string, (() => void)[]>();

  async run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) this.#waiting.set(key, []);
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      this.#end(key);
    }
  }

  /** Hands the turn over: who comes in between finds the key in use, and waits. */
  #end(key: string): void {
    const next = this.#waiting.get(key)?.shift();
    if (next === undefined) this.#waiting.delete(key);
    else next();
  }
}
