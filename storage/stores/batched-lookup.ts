/** So many are looked up with one query. */
const maxBatch = 64;

interface Waiting<Key, Value> {
  readonly key: Key;
  resolve(value: Value | undefined): void;
  reject(error: unknown): void;
}

/** Collects what is looked up in one turn of the event loop, and looks it up together. */
export class BatchedLookup<Key, Value> {
  readonly #load: (keys: readonly Key[]) => Promise<readonly (Value | undefined)[]>;
  #waiting: Waiting<Key, Value>[] = [];

  /** `load` gives the values in the order of the keys; it gets a power of two of them, with repetitions at the end. */
  constructor(load: (keys: readonly Key[]) => Promise<readonly (Value | undefined)[]>) {
    this.#load = load;
  }

  find(key: Key): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#run());
      this.#waiting.push({ key, resolve, reject });
    });
  }

  #run(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let start = 0; start < waiting.length; start += maxBatch)
      void this.#answer(waiting.slice(start, start + maxBatch));
  }

  async #answer(batch: readonly Waiting<Key, Value>[]): Promise<void> {
    try {
      const values = await this.#load(padded(batch.map(({ key }) => key)));
      for (const [index, { resolve }] of batch.entries()) resolve(values[index]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** Few different lengths, so that few different statements are prepared. */
function padded<T>(keys: T[]): T[] {
  const last = keys.at(-1);
  let size = 1;
  while (size < keys.length) size *= 2;
  while (last !== undefined && keys.length < size) keys.push(last);
  return keys;
}
