/**
 * A body on its way to us. The sender may be `window` bytes ahead of the consumer, and gets credit back when
 * the consumer comes for more: what is queued here is bounded by the window.
 */
export class IncomingBody implements AsyncIterable<Buffer> {
  readonly #hooks: BodyHooks;
  readonly #grantAt: number;
  #room: number;
  #queue: Buffer[] = [];
  /** Bytes that were handed out and not yet granted again. */
  #drained = 0;
  #handedOut = 0;
  #state: 'open' | 'ended' | 'failed' | 'discarded' = 'open';
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  #isRead = false;

  constructor(window: number, hooks: BodyHooks) {
    this.#room = window;
    this.#grantAt = window / 2;
    this.#hooks = hooks;
  }

  /** Takes a piece; false if the sender went beyond its credit. */
  push(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    this.#room -= chunk.length;
    if (this.#room < 0) return false;
    if (this.#state !== 'open') {
      this.#hooks.drained(chunk.length);
      return true;
    }
    this.#queue.push(chunk);
    this.#wakeUp();
    return true;
  }

  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#wakeUp();
  }

  /** Whoever reads gets the error, now; what was queued is dropped. A body that is all here stays readable. */
  fail(error: Error): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#error = error;
    this.#drop();
    this.#wakeUp();
  }

  /** Nobody wants the rest. */
  discard(): void {
    if (this.#state !== 'failed') this.#state = 'discarded';
    this.#drop();
    this.#wakeUp();
  }

  /** The whole body; rejects with `tooLarge()` as soon as it is longer than `maxBytes`. */
  async collect(maxBytes: number, tooLarge: () => Error): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this) {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    if (this.#isRead) throw new Error('A body can be read once');
    this.#isRead = true;
    try {
      for (;;) {
        this.#drain();
        const chunk = this.#queue.shift();
        if (chunk !== undefined) {
          this.#handedOut = chunk.length;
          yield chunk;
        } else if (this.#state === 'open') {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (this.#state === 'ended') return;
        else throw this.#error ?? new Error('The body was given up');
      }
    } finally {
      this.#drain();
      if (this.#state !== 'ended' || this.#queue.length > 0) {
        const wasOpen = this.#state === 'open';
        this.discard();
        if (wasOpen) this.#hooks.abandoned();
      }
    }
  }

  /** The consumer is done with what it was given. */
  #drain(): void {
    const bytes = this.#handedOut;
    if (bytes === 0) return;
    this.#handedOut = 0;
    this.#hooks.drained(bytes);
    this.#drained += bytes;
    if (this.#state === 'open' && this.#drained >= this.#grantAt) {
      this.#room += this.#drained;
      this.#hooks.grant(this.#drained);
      this.#drained = 0;
    }
  }

  #drop(): void {
    let bytes = 0;
    for (const chunk of this.#queue) bytes += chunk.length;
    this.#queue = [];
    if (bytes > 0) this.#hooks.drained(bytes);
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

export interface BodyHooks {
  /** So many bytes of the connection are free again. */
  drained(bytes: number): void;
  /** The sender may send so many more bytes of this body. */
  grant(bytes: number): void;
  /** The consumer stopped before the end. */
  abandoned(): void;
}
