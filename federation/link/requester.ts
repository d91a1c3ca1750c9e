import type { Timer } from '../../protocol/runtime.ts';
import { type Frame, frameTypes, jsonBytes, maxHeader, readObject } from './frames.ts';
import type { PeerLimits } from './identity.ts';
import type { IncomingBody } from './incoming-body.ts';
import { linkLost } from './limits.ts';
import {
  extraHeaders,
  incomingBody,
  type LinkPort,
  ProtocolViolation,
  readReason,
  sendReset,
} from './link-port.ts';
import { OutgoingBody } from './outgoing-body.ts';
import {
  LinkBodyTooLarge,
  type LinkRequest,
  type LinkResponse,
  LinkStreamReset,
  LinkUnavailable,
  linkPriorities,
  type ResetReason,
} from './types.ts';

const defaultMaxBytes = 16 * 1024 * 1024;
const knownHeaders: ReadonlySet<string> = new Set(['status', 'content_type', 'length']);
const ownHeaders: ReadonlySet<string> = new Set([
  'method',
  'uri',
  'content_type',
  'length',
  'deadline_ms',
  'priority',
  'origin',
  'authorization',
]);

interface Pending {
  readonly request: LinkRequest;
  readonly head: Buffer;
  readonly priority: number;
  resolve(response: LinkResponse): void;
  reject(error: Error): void;
  timer: Timer | undefined;
  /** 0 while it waits for its turn. */
  stream: number;
  body: IncomingBody | undefined;
}

/** Our requests on one link: at most so many at a time, the rest wait by priority. */
export class Requester {
  readonly #port: LinkPort;
  readonly #caps: Pick<PeerLimits, 'streams' | 'bulkStreams' | 'mediaStreams'>;
  readonly #open = new Map<number, Pending>();
  readonly #waiting: Pending[][] = linkPriorities.map(() => []);
  #waitingCount = 0;
  #bulk = 0;
  #media = 0;
  #nextStream: number;
  #lastStream = 0;
  #isLeaving = false;

  constructor(port: LinkPort, firstStream: 1 | 2, peer: PeerLimits) {
    this.#port = port;
    this.#nextStream = firstStream;
    this.#caps = {
      streams: Math.min(port.limits.streams, peer.streams),
      bulkStreams: Math.min(port.limits.bulkStreams, peer.bulkStreams),
      mediaStreams: Math.min(port.limits.mediaStreams, peer.mediaStreams),
    };
  }

  get openStreams(): number {
    return this.#open.size;
  }

  /** Rejects with `LinkUnavailable` or `LinkStreamReset`. */
  request(request: LinkRequest, deadlineMs: number): Promise<LinkResponse> {
    return new Promise((resolve, reject) => {
      if (this.#isLeaving) throw new LinkUnavailable('The link is being left');
      if (this.#waitingCount >= this.#port.limits.waitingRequests)
        throw new LinkUnavailable('Too many requests wait for this link');
      const pending: Pending = {
        request,
        head: requestHead(request, deadlineMs),
        priority: linkPriorities.indexOf(request.priority),
        resolve,
        reject,
        timer: undefined,
        stream: 0,
        body: undefined,
      };
      pending.timer = this.#port.clock.setTimer(deadlineMs, () => this.#giveUp(pending, 'timeout'));
      this.#waiting[pending.priority]?.push(pending);
      this.#waitingCount += 1;
      this.#startNext();
    });
  }

  onResponse(frame: Frame): void {
    const pending = this.#find(frame.stream);
    if (pending === undefined) {
      this.#port.drained(frame.payload.length);
      return;
    }
    if (pending.body !== undefined) throw new ProtocolViolation('A second response on one stream');
    const header = readObject(frame.header);
    const status = header['status'];
    if (typeof status !== 'number' || !Number.isInteger(status) || status < 100 || status > 599)
      throw new ProtocolViolation('A response without a status');
    const body = incomingBody(this.#port, frame.stream, () => this.#giveUp(pending, 'cancelled'));
    pending.body = body;
    const contentType = header['content_type'];
    pending.resolve({
      status,
      ...(typeof contentType === 'string' ? { contentType } : {}),
      headers: extraHeaders(header, knownHeaders),
      body: (maxBytes = defaultMaxBytes) => body.collect(maxBytes, () => new LinkBodyTooLarge(maxBytes)),
      stream: body,
      cancel: () => {
        body.discard();
        this.#giveUp(pending, 'cancelled');
      },
    });
    this.#takeBody(pending, body, frame);
  }

  /** DATA on a stream of ours. */
  onData(frame: Frame): void {
    const pending = this.#find(frame.stream);
    if (pending === undefined) this.#port.drained(frame.payload.length);
    else if (pending.body === undefined) throw new ProtocolViolation('A body before its response');
    else this.#takeBody(pending, pending.body, frame);
  }

  onReset(frame: Frame): void {
    const pending = this.#find(frame.stream);
    if (pending === undefined) return;
    this.#settle(pending, new LinkStreamReset(readReason(readObject(frame.header)['reason']), 'them'));
  }

  /** No new requests here; what waits for its turn is told to look for another link. */
  leave(): void {
    this.#isLeaving = true;
    for (const queue of this.#waiting)
      for (const pending of queue.splice(0)) {
        this.#waitingCount -= 1;
        pending.timer?.cancel();
        pending.reject(new LinkUnavailable('The link is being left'));
      }
  }

  /** The link is gone. */
  fail(why: string): void {
    this.leave();
    for (const pending of [...this.#open.values()]) this.#settle(pending, linkLost(why));
  }

  #find(stream: number): Pending | undefined {
    if (stream > this.#lastStream) throw new ProtocolViolation('An answer to nothing that was asked');
    return this.#open.get(stream);
  }

  #takeBody(pending: Pending, body: IncomingBody, frame: Frame): void {
    if (!body.push(frame.payload)) throw new ProtocolViolation('More bytes than the stream has credit for');
    if (!frame.end) return;
    body.end();
    this.#close(pending);
  }

  #startNext(): void {
    for (const [priority, queue] of this.#waiting.entries()) {
      while (queue.length > 0 && this.#hasPlace(priority)) {
        const pending = queue.shift() as Pending; // It is not empty.
        this.#waitingCount -= 1;
        this.#start(pending);
      }
    }
  }

  #hasPlace(priority: number): boolean {
    if (this.#open.size >= this.#caps.streams) return false;
    const name = linkPriorities[priority];
    if (name === 'bulk') return this.#bulk < this.#caps.bulkStreams;
    return name !== 'media' || this.#media < this.#caps.mediaStreams;
  }

  #start(pending: Pending): void {
    pending.stream = this.#nextStream;
    this.#lastStream = pending.stream;
    this.#nextStream += 2;
    this.#open.set(pending.stream, pending);
    this.#count(pending, 1);
    this.#port.sender.add(
      new OutgoingBody(
        {
          stream: pending.stream,
          priority: pending.priority,
          type: frameTypes.req,
          head: pending.head,
          window: this.#port.streamWindow,
          body: pending.request.body,
        },
        // A Buffer has no more to come and cannot fail.
        { ready: () => {}, sent: () => {}, failed: () => {} },
      ),
    );
  }

  #giveUp(pending: Pending, reason: ResetReason): void {
    const queue = this.#waiting[pending.priority];
    const index = queue?.indexOf(pending) ?? -1;
    if (index >= 0) {
      queue?.splice(index, 1);
      this.#waitingCount -= 1;
      pending.timer?.cancel();
      pending.reject(new LinkStreamReset(reason, 'us'));
      return;
    }
    if (this.#open.get(pending.stream) !== pending) return;
    sendReset(this.#port, pending.stream, reason);
    this.#settle(pending, new LinkStreamReset(reason, 'us'));
  }

  #settle(pending: Pending, error: Error): void {
    pending.body?.fail(error);
    pending.reject(error);
    this.#close(pending);
  }

  #close(pending: Pending): void {
    if (!this.#open.delete(pending.stream)) return;
    pending.timer?.cancel();
    this.#port.sender.remove(pending.stream);
    this.#count(pending, -1);
    this.#startNext();
    this.#port.quiet();
  }

  #count(pending: Pending, change: 1 | -1): void {
    if (pending.request.priority === 'bulk') this.#bulk += change;
    else if (pending.request.priority === 'media') this.#media += change;
  }
}

function requestHead(request: LinkRequest, deadlineMs: number): Buffer {
  for (const name of Object.keys(request.headers ?? {}))
    if (ownHeaders.has(name.toLowerCase())) throw new TypeError(`A request's header cannot set ${name}`);
  const head = jsonBytes({
    ...request.headers,
    method: request.method,
    uri: request.uri,
    ...(request.contentType === undefined ? {} : { content_type: request.contentType }),
    ...(request.body === undefined ? {} : { length: request.body.length }),
    deadline_ms: Math.ceil(deadlineMs),
    priority: request.priority,
  });
  if (head.length > maxHeader) throw new RangeError('The header of the request is too long');
  return head;
}
