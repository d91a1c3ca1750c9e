import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import { closeCodes } from './limits.ts';

/** Nobody has so many messages to send before the link is set up. */
const maxEarlyMessages = 32;

/** Whole binary messages, in order: what a handshake needs of its wire. */
export interface MessageChannel {
  send(message: Buffer): void;
  /** The next message; rejects when the wire is gone. */
  receive(): Promise<Buffer>;
}

export interface ChannelListener {
  onMessage(message: Buffer): void;
  onClose(code: number): void;
}

/**
 * A WebSocket from its first moment: listeners stand before anything is awaited. Messages queue up until
 * somebody takes the channel over. The socket is never paused.
 */
export class WebSocketChannel implements MessageChannel {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #early: Buffer[] = [];
  #waiter: { resolve(message: Buffer): void; reject(error: Error): void } | undefined;
  #listener: ChannelListener | undefined;
  #closed: number | undefined;
  #closing: Timer | undefined;
  #error: Error | undefined;
  #wire: Duplex | undefined;
  #onClosed: () => void = () => {};
  /** Resolves when the socket is gone. */
  readonly closed = new Promise<void>((resolve) => {
    this.#onClosed = resolve;
  });

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('message', (data, isBinary) => {
      // With the default binary type a message is one Buffer.
      if (isBinary) this.#take(data as Buffer);
      else this.close(closeCodes.protocol);
    });
    socket.on('close', (code) => this.#end(code));
  }

  /** The last error of the socket; it says what `close` does not. */
  get error(): Error | undefined {
    return this.#error;
  }

  get isOpen(): boolean {
    return this.#closed === undefined && this.#closing === undefined;
  }

  /** Bytes that the system has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** `done` is called when the system has taken the message, or will never. */
  send(message: Buffer, done?: () => void): void {
    if (this.isOpen) this.#socket.send(message, { binary: true, compress: false }, done);
    else done?.();
  }

  receive(): Promise<Buffer> {
    const message = this.#early.shift();
    if (message !== undefined) return Promise.resolve(message);
    if (!this.isOpen) return Promise.reject(new ChannelClosed(this.#closed ?? 1006, this.#error));
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** From now on each message goes to the listener; those that came before it first. */
  takeOver(listener: ChannelListener): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const message of early) if (this.isOpen) listener.onMessage(message);
    if (this.#closed !== undefined) listener.onClose(this.#closed);
  }

  /** Says goodbye and leaves; a peer that does not answer within two seconds is cut off. */
  close(code: number): void {
    if (!this.isOpen) return;
    this.#closing = this.#clock.setTimer(2_000, () => this.#socket.terminate());
    this.#rejectWaiter(code);
    this.#socket.close(code);
  }

  /** Cuts the wire. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** What the WebSocket runs on, once that is known. */
  onWire(wire: Duplex): void {
    this.#wire = wire;
  }

  /** Cuts the wire; what was handed to the system and is not sent yet never will be. */
  sever(): void {
    // A socket of TLS that runs inside another one cannot be reset; it is closed all the same.
    if (this.#wire instanceof Socket && !('encrypted' in this.#wire)) this.#wire.resetAndDestroy();
    this.#socket.terminate();
  }

  #take(message: Buffer): void {
    if (!this.isOpen) return;
    if (this.#listener !== undefined) this.#listener.onMessage(message);
    else if (this.#waiter !== undefined) {
      const { resolve } = this.#waiter;
      this.#waiter = undefined;
      resolve(message);
    } else if (this.#early.length < maxEarlyMessages) this.#early.push(message);
    else this.#socket.terminate();
  }

  #end(code: number): void {
    if (this.#closed !== undefined) return;
    this.#closed = code;
    this.#closing?.cancel();
    this.#rejectWaiter(code);
    this.#listener?.onClose(code);
    this.#onClosed();
  }

  #rejectWaiter(code: number): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.reject(new ChannelClosed(code, this.#error));
  }
}

class ChannelClosed extends Error {
  readonly code: number;

  constructor(code: number, cause?: unknown) {
    super(`The socket closed (${code})`, cause === undefined ? undefined : { cause });
    this.name = 'ChannelClosed';
    this.code = code;
  }
}
