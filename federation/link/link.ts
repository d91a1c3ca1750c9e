import type { Logger } from 'pino';
import type { JsonObject } from '../../protocol/json.ts';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { WebSocketChannel } from './channel.ts';
import { FrameSender } from './frame-sender.ts';
import {
  type Frame,
  FrameError,
  firstOptionalType,
  frameParts,
  frameTypes,
  jsonBytes,
  maxFrameContent,
  readFrame,
  readObject,
} from './frames.ts';
import type { Handshaken } from './handshake.ts';
import type { PeerIdentity } from './identity.ts';
import { closeCodes, type LinkLimits } from './limits.ts';
import { type LinkPort, ProtocolViolation, sendWindow } from './link-port.ts';
import { Liveness } from './liveness.ts';
import type { CipherState } from './noise/cipher-state.ts';
import { NoiseError } from './noise/keys.ts';
import { Requester } from './requester.ts';
import { Responder } from './responder.ts';
import type { LinkHandler, LinkRequest, LinkResponse } from './types.ts';

/** What may arrive, beyond the credit for bodies, between the partner's hello and our being ready for requests. */
const maxHeldExtra = 1024 * 1024;
const maxPingBytes = 64;
const starvationCheckMs = 5_000;

export interface LinkDeps {
  readonly channel: WebSocketChannel;
  readonly handshaken: Handshaken;
  readonly dialledBy: 'us' | 'them';
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly log: Logger;
  readonly handler: LinkHandler;
  /** The link is over; called once. */
  onEnd(why: string): void;
  /** The partner said GOAWAY, or we did. */
  onLeaving(): void;
  onNotice(notice: JsonObject): void;
}

/** One established link: opens records, takes frames apart and hands them to whom they concern. */
export class Link {
  readonly peer: PeerIdentity;
  readonly dialledBy: 'us' | 'them';
  readonly #channel: WebSocketChannel;
  readonly #receive: CipherState;
  readonly #clock: Clock;
  readonly #limits: LinkLimits;
  readonly #log: Logger;
  readonly #deps: LinkDeps;
  readonly #sender: FrameSender;
  readonly #requester: Requester;
  readonly #responder: Responder;
  readonly #liveness: Liveness;
  readonly #pongs: ((alive: boolean) => void)[] = [];
  #hello: { promise: Promise<JsonObject>; resolve(hello: JsonObject): void; reject(error: Error): void };
  #state: 'greeting' | 'held' | 'open' | 'ended' = 'greeting';
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isLeaving = false;
  #isClosingWhenQuiet = false;
  #hasPeerLeft = false;
  #freed = 0;
  #drainTimer: Timer | undefined;
  #starvationTimer: Timer | undefined;

  constructor(deps: LinkDeps) {
    const { channel, handshaken, dialledBy, clock, limits } = deps;
    this.#deps = deps;
    this.peer = handshaken.peer;
    this.dialledBy = dialledBy;
    this.#channel = channel;
    this.#receive = handshaken.session.receive;
    this.#clock = clock;
    this.#limits = limits;
    this.#log = deps.log;
    this.#hello = deferred();
    this.#sender = new FrameSender({
      channel,
      cipher: handshaken.session.send,
      clock,
      limits,
      credit: this.peer.limits.connectionWindow,
      onStuck: (why) => this.terminate(why),
    });
    const port: LinkPort = {
      serverName: this.peer.serverName,
      clock,
      limits,
      log: this.#log,
      sender: this.#sender,
      streamWindow: this.peer.limits.streamWindow,
      drained: (bytes) => this.#drained(bytes),
      quiet: () => this.#closeIfQuiet(),
    };
    const isDialler = dialledBy === 'us';
    this.#requester = new Requester(port, isDialler ? 1 : 2, this.peer.limits);
    this.#responder = new Responder(port, deps.handler, isDialler ? 0 : 1);
    this.#liveness = new Liveness({
      clock,
      limits,
      lastSent: () => this.#sender.lastSent,
      ping: () => this.#sendPing(),
      dead: () => this.terminate('nothing was received'),
    });
    this.#watchStarvation();
  }

  /** Starts to take messages. To be called in the turn in which the handshake ended. */
  start(): void {
    this.#channel.takeOver({
      onMessage: (message) => this.#onMessage(message),
      onClose: (code) => this.#end(`the socket closed (${code})`),
    });
  }

  get isUsable(): boolean {
    return this.#state === 'open' && !this.#isLeaving;
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** Says our hello and gives the partner's. Rejects when the link ends before. */
  greet(hello: JsonObject): Promise<JsonObject> {
    const payload = jsonBytes(hello);
    if (payload.length > maxFrameContent) throw new RangeError('The hello is too long');
    this.#sender.control(frameParts(frameTypes.hello, 0, true, undefined, payload));
    return this.#hello.promise;
  }

  /** The hello was taken: from now on requests are served, first those that waited. */
  open(): void {
    if (this.#state !== 'held') return;
    this.#state = 'open';
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.#onMessage(message);
  }

  request(request: LinkRequest, deadlineMs: number): Promise<LinkResponse> {
    return this.#requester.request(request, deadlineMs);
  }

  notice(notice: JsonObject): void {
    this.#sender.control(frameParts(frameTypes.notice, 0, true, undefined, jsonBytes(notice)));
  }

  /** True if the partner's process answers within `timeoutMs`. */
  ping(timeoutMs: number): Promise<boolean> {
    if (this.#state === 'ended') return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(timeoutMs, () => resolve(false));
      this.#pongs.push((alive) => {
        timer.cancel();
        resolve(alive);
      });
      this.#sendPing();
    });
  }

  /** GOAWAY: no new requests; closes when what is open has finished, or after `drainMs`. */
  leave(reason: string): void {
    if (this.#state === 'ended' || this.#isClosingWhenQuiet) return;
    this.#isClosingWhenQuiet = true;
    this.#setLeaving(reason);
    this.#drainTimer?.cancel();
    this.#drainTimer = this.#clock.setTimer(this.#limits.drainMs, () =>
      this.close(closeCodes.goingAway, reason),
    );
    this.#closeIfQuiet();
  }

  /** Closes with a code; requests that are open fail. */
  close(code: number, why: string): void {
    this.#channel.close(code);
    this.#end(why);
  }

  /** Cuts the wire so that not a byte follows: whoever is there is no partner any more. */
  sever(why: string): void {
    this.#channel.sever();
    this.#end(why);
  }

  /** Cuts the wire. */
  terminate(why: string): void {
    this.#channel.terminate();
    this.#end(why);
  }

  #onMessage(sealed: Buffer): void {
    if (this.#state === 'ended') return;
    this.#liveness.received();
    if (this.#state === 'held') {
      // An empty message costs memory too.
      this.#heldBytes += sealed.length + 64;
      if (this.#heldBytes > this.#limits.connectionWindow + maxHeldExtra)
        this.terminate('too much arrived before the hello was taken');
      else this.#held.push(sealed);
      return;
    }
    try {
      this.#onFrame(readFrame(this.#receive.open(sealed)));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (error instanceof NoiseError) {
      this.#log.warn({ reason: error.code }, 'a record of a link did not decrypt: lost, repeated or altered');
      this.close(closeCodes.record, 'a record did not decrypt');
    } else if (error instanceof FrameError || error instanceof ProtocolViolation) {
      this.#log.warn({ reason: error.message }, 'a partner broke the link protocol');
      this.close(closeCodes.protocol, error.message);
    } else {
      this.#log.error({ err: error }, 'a link failed');
      this.terminate('internal error');
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#state === 'greeting') {
      if (frame.type >= firstOptionalType) return;
      if (frame.type !== frameTypes.hello) throw new ProtocolViolation('The first record is not the hello');
      this.#state = 'held';
      this.#hello.resolve(readObject(frame.payload));
      return;
    }
    switch (frame.type) {
      case frameTypes.req:
        this.#responder.onRequest(frame);
        return;
      case frameTypes.res:
        this.#requester.onResponse(this.#ours(frame));
        return;
      case frameTypes.data:
        if (this.#isOurs(frame.stream)) this.#requester.onData(frame);
        else this.#responder.onData(frame);
        return;
      case frameTypes.window:
        this.#onWindow(frame);
        return;
      case frameTypes.reset:
        if (this.#isOurs(frame.stream)) this.#requester.onReset(frame);
        else this.#responder.onReset(frame);
        return;
      case frameTypes.ping:
        if (frame.payload.length > maxPingBytes) throw new ProtocolViolation('A ping is too long');
        this.#sender.control(frameParts(frameTypes.pong, 0, true, undefined, frame.payload));
        return;
      case frameTypes.pong:
        for (const answered of this.#pongs.splice(0)) answered(true);
        return;
      case frameTypes.goaway:
        this.#onGoaway();
        return;
      case frameTypes.notice:
        this.#deps.onNotice(readObject(frame.payload));
        return;
      default:
        if (frame.type < firstOptionalType) throw new ProtocolViolation(`A frame of type ${frame.type}`);
    }
  }

  #onWindow(frame: Frame): void {
    if (frame.payload.length < 4) throw new ProtocolViolation('Credit without a number');
    const bytes = frame.payload.readUInt32BE(0);
    if (this.#responder.takeEarlyCredit(frame.stream, bytes)) return;
    if (!this.#sender.grant(frame.stream, bytes)) throw new ProtocolViolation('Too much credit');
  }

  #onGoaway(): void {
    // What it asked before is here by now, and nothing comes after.
    this.#hasPeerLeft = true;
    this.#setLeaving('goaway');
    this.#closeIfQuiet();
    // Who said GOAWAY first closes; in case it does not.
    this.#drainTimer ??= this.#clock.setTimer(2 * this.#limits.drainMs, () =>
      this.close(closeCodes.goingAway, 'the partner left'),
    );
  }

  /** A GOAWAY is answered by one: each side says where its own requests end. */
  #setLeaving(reason: string): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#requester.leave();
    this.#sender.control(frameParts(frameTypes.goaway, 0, true, jsonBytes({ reason })));
    this.#deps.onLeaving();
  }

  #closeIfQuiet(): void {
    if (!this.#isClosingWhenQuiet || !this.#hasPeerLeft || this.#state === 'ended') return;
    if (this.#requester.openStreams === 0 && this.#responder.openStreams === 0)
      this.close(closeCodes.goingAway, 'left');
  }

  #isOurs(stream: number): boolean {
    return (stream % 2 === 1) === (this.dialledBy === 'us');
  }

  #ours(frame: Frame): Frame {
    if (!this.#isOurs(frame.stream)) throw new ProtocolViolation('A response to a request of its own');
    return frame;
  }

  #sendPing(): void {
    this.#sender.control(frameParts(frameTypes.ping, 0, true));
  }

  /** The connection's credit goes back in large steps. */
  #drained(bytes: number): void {
    this.#freed += bytes;
    if (this.#freed < this.#limits.connectionWindow / 2 || this.#state === 'ended') return;
    sendWindow(this.#sender, 0, this.#freed);
    this.#freed = 0;
  }

  #watchStarvation(): void {
    this.#starvationTimer = this.#clock.setTimer(starvationCheckMs, () => {
      for (const body of this.#sender.starved()) this.#responder.reset(body.stream, 'timeout');
      if (this.#state !== 'ended') this.#watchStarvation();
    });
  }

  #end(why: string): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#held = [];
    this.#liveness.stop();
    this.#drainTimer?.cancel();
    this.#starvationTimer?.cancel();
    this.#sender.stop();
    this.#requester.fail(why);
    this.#responder.fail(why);
    this.#hello.reject(new Error(`The link went down: ${why}`));
    for (const answered of this.#pongs.splice(0)) answered(false);
    this.#deps.onEnd(why);
  }
}

function deferred(): {
  promise: Promise<JsonObject>;
  resolve(hello: JsonObject): void;
  reject(error: Error): void;
} {
  let resolve: (hello: JsonObject) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<JsonObject>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  // A link may end before anybody waits for its hello.
  promise.catch(() => {});
  return { promise, resolve, reject };
}
