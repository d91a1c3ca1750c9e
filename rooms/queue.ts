/** Runs tasks one after the other, in the order in which they were handed in. A failure stops nobody else. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  run<T>(task: () => Promise<T> | T): Promise<T> {
    this.#waiting += 1;
    const result = this.#tail.then(task);
    const done = (): void => {
      this.#waiting -= 1;
    };
    this.#tail = result.then(done, done);
    return result;
  }

  get idle(): boolean {
    return this.#waiting === 0;
  }
}

/** Serial queues by key that exist only while they are in use. */
export class KeyedQueues {
  readonly #queues = new Map<string, SerialQueue>();

  run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new SerialQueue();
      this.#queues.set(key, queue);
    }
    const own = queue;
    const result = own.run(task);
    const tidy = (): void => {
      queueMicrotask(() => {
        if (own.idle && this.#queues.get(key) === own) this.#queues.delete(key);
      });
    };
    result.then(tidy, tidy);
    return result;
  }
}
