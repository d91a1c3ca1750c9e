import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { WebSocketChannel } from './channel.ts';
import type { LinkLimits } from './limits.ts';
import type { CipherState } from './noise/cipher-state.ts';
import { NoiseError } from './noise/keys.ts';
import type { OutgoingBody } from './outgoing-body.ts';
import { linkPriorities } from './types.ts';

/**
 * Everything we send passes here, sealed at the last moment, because the nonces count. Small control frames
 * go first, then the bodies by priority, those of one priority in turn. The socket never holds more than
 * `sendBuffer` and a frame, so what is urgent waits for little, and a peer that does not read costs little.
 */
export class FrameSender {
  readonly #channel: WebSocketChannel;
  readonly #cipher: CipherState;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #onStuck: (why: string) => void;
  readonly #bodies = new Map<number, OutgoingBody>();
  readonly #queues: OutgoingBody[][] = linkPriorities.map(() => []);
  #control: Buffer[][] = [];
  #credit: number;
  #lastSent: number;
  #lastTaken: number;
  #stallTimer: Timer | undefined;
  #isStopped = false;
  readonly #taken = (): void => {
    this.#lastTaken = this.#clock.now();
    this.pump();
  };

  constructor(deps: {
    channel: WebSocketChannel;
    cipher: CipherState;
    clock: Clock;
    limits: LinkLimits;
    /** Credit of the connection that the peer announced, in bytes. */
    credit: number;
    /** Nothing more can be sent: the peer does not read, or the session is used up. */
    onStuck(why: string): void;
  }) {
    this.#channel = deps.channel;
    this.#cipher = deps.cipher;
    this.#clock = deps.clock;
    this.#limits = deps.limits;
    this.#credit = deps.credit;
    this.#onStuck = deps.onStuck;
    this.#lastSent = deps.clock.now();
    this.#lastTaken = this.#lastSent;
  }

  /** When we last sent something, in milliseconds since the epoch. */
  get lastSent(): number {
    return this.#lastSent;
  }

  /** Sends a small frame before all bodies. A peer that makes them pile up is terminated. */
  control(parts: Buffer[]): void {
    if (this.#isStopped) return;
    if (this.#control.length >= this.#limits.controlFrames) {
      this.#onStuck('too many control frames wait');
      return;
    }
    this.#control.push(parts);
    this.pump();
  }

  add(body: OutgoingBody): void {
    if (this.#isStopped) return;
    this.#bodies.set(body.stream, body);
    this.#queues[body.priority]?.push(body);
    this.pump();
  }

  remove(stream: number): void {
    const body = this.#bodies.get(stream);
    if (body === undefined) return;
    this.#bodies.delete(stream);
    const queue = this.#queues[body.priority];
    const index = queue?.indexOf(body) ?? -1;
    if (index >= 0) queue?.splice(index, 1);
    body.stop();
  }

  /** The peer granted credit; stream 0 is the connection. False if it granted nonsense. */
  grant(stream: number, bytes: number): boolean {
    if (stream === 0) {
      this.#credit += bytes;
      if (this.#credit > 2 ** 31) return false;
    } else this.#bodies.get(stream)?.grant(bytes);
    this.pump();
    return true;
  }

  /** Responses that have been waiting for credit for too long. */
  starved(): OutgoingBody[] {
    const now = this.#clock.now();
    return [...this.#bodies.values()].filter(
      (body) => body.isResponse && body.blockedFor(now) >= this.#limits.stalledMs,
    );
  }

  pump(): void {
    while (
      !this.#isStopped &&
      this.#channel.isOpen &&
      this.#channel.bufferedBytes < this.#limits.sendBuffer
    ) {
      const control = this.#control.shift();
      if (control !== undefined) this.#seal(control);
      else if (!this.#sendBody()) return;
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#stallTimer?.cancel();
    this.#control = [];
    for (const body of [...this.#bodies.values()]) this.remove(body.stream);
  }

  #sendBody(): boolean {
    const now = this.#clock.now();
    for (const queue of this.#queues) {
      for (let index = 0; index < queue.length; index += 1) {
        const body = queue[index] as OutgoingBody; // Within the length.
        const frame = body.nextFrame(this.#credit, now);
        if (frame === undefined) continue;
        this.#credit -= frame.bytes;
        queue.splice(index, 1);
        if (body.isDone) this.#bodies.delete(body.stream);
        else queue.push(body);
        this.#seal(frame.parts);
        if (body.isDone) body.sent();
        return true;
      }
    }
    return false;
  }

  #seal(parts: Buffer[]): void {
    this.#lastSent = this.#clock.now();
    if (this.#stallTimer === undefined) {
      this.#lastTaken = this.#lastSent;
      this.#watch(this.#limits.stalledMs);
    }
    let record: Buffer;
    try {
      record = this.#cipher.seal(parts);
    } catch (error) {
      if (!(error instanceof NoiseError)) throw error;
      this.#onStuck('the session has used its records up');
      return;
    }
    this.#channel.send(record, this.#taken);
  }

  #watch(ms: number): void {
    this.#stallTimer = this.#clock.setTimer(ms, () => {
      this.#stallTimer = undefined;
      if (this.#isStopped || this.#channel.bufferedBytes === 0) return;
      const quiet = this.#clock.now() - this.#lastTaken;
      if (quiet >= this.#limits.stalledMs) this.#onStuck('it does not read');
      else this.#watch(this.#limits.stalledMs - quiet);
    });
  }
}
