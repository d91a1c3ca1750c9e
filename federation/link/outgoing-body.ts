import { frameParts, frameTypes, maxFrameContent } from './frames.ts';

/** What a REQ or RES stream sends: its head with the first bytes of the body, then DATA to the end. */
export class OutgoingBody {
  readonly stream: number;
  /** Index into `linkPriorities`. */
  readonly priority: number;
  readonly #type: number;
  readonly #hooks: OutgoingHooks;
  #head: Buffer | undefined;
  #window: number;
  #chunk: Buffer | undefined;
  #source: AsyncIterator<Buffer> | undefined;
  #isPulling = false;
  #isDone = false;
  /** Since when there was something to send and no credit for it. */
  #blockedSince: number | undefined;

  constructor(
    start: {
      stream: number;
      priority: number;
      type: number;
      head: Buffer;
      window: number;
      body: Buffer | AsyncIterable<Buffer> | undefined;
    },
    hooks: OutgoingHooks,
  ) {
    this.stream = start.stream;
    this.priority = start.priority;
    this.#type = start.type;
    this.#head = start.head;
    this.#window = start.window;
    this.#hooks = hooks;
    if (Buffer.isBuffer(start.body)) this.#chunk = start.body.length > 0 ? start.body : undefined;
    else if (start.body !== undefined) this.#source = start.body[Symbol.asyncIterator]();
  }

  get isResponse(): boolean {
    return this.#type === frameTypes.res;
  }

  grant(bytes: number): void {
    this.#window += bytes;
    this.#blockedSince = undefined;
  }

  /** Milliseconds for which it has been waiting for credit. */
  blockedFor(now: number): number {
    return this.#blockedSince === undefined ? 0 : now - this.#blockedSince;
  }

  /** The next frame with at most `credit` bytes of body; undefined if there is nothing to send now. */
  nextFrame(credit: number, now: number): { parts: Buffer[]; bytes: number } | undefined {
    if (this.#isDone) return undefined;
    if (this.#chunk === undefined && this.#source !== undefined) this.#pull(this.#source);
    const head = this.#head;
    const room = Math.min(credit, this.#window, maxFrameContent - (head?.length ?? 0));
    const payload = this.#chunk?.subarray(0, Math.max(0, room));
    const bytes = payload?.length ?? 0;
    if (this.#chunk !== undefined && bytes === 0) {
      this.#blockedSince ??= now;
      if (head === undefined) return undefined;
    } else this.#blockedSince = undefined;
    if (head === undefined && this.#chunk === undefined && this.#source !== undefined) return undefined;

    this.#window -= bytes;
    if (this.#chunk !== undefined)
      this.#chunk = bytes < this.#chunk.length ? this.#chunk.subarray(bytes) : undefined;
    this.#isDone = this.#chunk === undefined && this.#source === undefined;
    const type = head === undefined ? frameTypes.data : this.#type;
    this.#head = undefined;
    const parts = frameParts(type, this.stream, this.#isDone, head, payload);
    return { parts, bytes };
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** No more of it is sent. */
  stop(): void {
    this.#isDone = true;
    const source = this.#source;
    this.#source = undefined;
    this.#chunk = undefined;
    // A generator that waits for something ends when it gets it; its failure concerns nobody any more.
    if (source?.return !== undefined) Promise.resolve(source.return()).catch(() => {});
  }

  sent(): void {
    this.#hooks.sent();
  }

  #pull(source: AsyncIterator<Buffer>): void {
    if (this.#isPulling) return;
    this.#isPulling = true;
    source.next().then(
      (result) => {
        this.#isPulling = false;
        if (this.#isDone) return;
        if (result.done) this.#source = undefined;
        else if (result.value.length > 0) this.#chunk = result.value;
        this.#hooks.ready();
      },
      (error: unknown) => {
        this.#isPulling = false;
        if (!this.#isDone) this.#hooks.failed(error);
      },
    );
  }
}

export interface OutgoingHooks {
  /** There may be more to send. */
  ready(): void;
  /** The last frame was handed to the wire. */
  sent(): void;
  /** The source of the body failed. */
  failed(error: unknown): void;
}
