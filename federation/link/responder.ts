import type { JsonObject } from '../../protocol/json.ts';
import type { Timer } from '../../protocol/runtime.ts';
import { RoomError } from '../../rooms/errors.ts';
import { type Frame, frameTypes, jsonBytes, maxHeader, readObject } from './frames.ts';
import type { IncomingBody } from './incoming-body.ts';
import { extraHeaders, incomingBody, type LinkPort, ProtocolViolation, sendReset } from './link-port.ts';
import { OutgoingBody } from './outgoing-body.ts';
import {
  type LinkAnswer,
  type LinkHandler,
  type LinkPriority,
  linkPriorities,
  type ResetReason,
} from './types.ts';

const knownHeaders: ReadonlySet<string> = new Set([
  'method',
  'uri',
  'content_type',
  'length',
  'deadline_ms',
  'priority',
]);
const defaultDeadlineMs = 60_000;

interface Serving {
  readonly stream: number;
  readonly priority: LinkPriority;
  readonly body: IncomingBody;
  readonly abort: AbortController;
  timer: Timer | undefined;
  hasEnded: boolean;
  isOver: boolean;
  tooLarge: boolean;
  /** Credit for the answer that came before it. */
  earlyCredit: number;
  isAnswering: boolean;
}

/** The partner's requests on one link. */
export class Responder {
  readonly #port: LinkPort;
  readonly #handler: LinkHandler;
  readonly #parity: number;
  readonly #open = new Map<number, Serving>();
  /** Handlers that still run, those of cancelled requests too: cancelling does not make room. */
  #running = 0;
  #lastStream = 0;
  #bulk = 0;
  #media = 0;

  constructor(port: LinkPort, handler: LinkHandler, parity: 0 | 1) {
    this.#port = port;
    this.#handler = handler;
    this.#parity = parity;
  }

  get openStreams(): number {
    return this.#open.size;
  }

  onRequest(frame: Frame): void {
    const { stream } = frame;
    if (stream % 2 !== this.#parity || stream <= this.#lastStream)
      throw new ProtocolViolation('A request on a stream that is not the next');
    this.#lastStream = stream;
    const header = readObject(frame.header);
    const { method, uri } = header;
    if (typeof method !== 'string' || typeof uri !== 'string' || !uri.startsWith('/'))
      throw new ProtocolViolation('A request without method or path');
    const named = linkPriorities.find((name) => name === header['priority']);
    const priority = named ?? 'query';
    if (!this.#hasPlace(priority)) {
      this.#port.drained(frame.payload.length);
      sendReset(this.#port, stream, 'policy');
      return;
    }
    const serving = this.#accept(stream, priority, header);
    this.#takeBody(serving, frame);
    if (Object.keys(header).some((name) => /^(origin|authorization)$/i.test(name))) {
      this.#answer(serving, errorAnswer(403, 'M_FORBIDDEN', 'The link is the origin of its requests'));
      return;
    }
    this.#run(serving, method, uri, header);
  }

  /** DATA on a stream of theirs. */
  onData(frame: Frame): void {
    if (frame.stream > this.#lastStream) throw new ProtocolViolation('A body before its request');
    const serving = this.#open.get(frame.stream);
    if (serving === undefined) this.#port.drained(frame.payload.length);
    else this.#takeBody(serving, frame);
  }

  onReset(frame: Frame): void {
    const serving = this.#open.get(frame.stream);
    if (serving !== undefined) this.#close(serving, new Error('The partner gave the request up'));
  }

  /** Credit for a stream of theirs; true if it is kept for an answer that has not begun. */
  takeEarlyCredit(stream: number, bytes: number): boolean {
    const serving = this.#open.get(stream);
    if (serving === undefined || serving.isAnswering) return false;
    serving.earlyCredit += bytes;
    return true;
  }

  /** Ends a request from our side before its answer was complete. */
  reset(stream: number, reason: ResetReason): void {
    const serving = this.#open.get(stream);
    if (serving === undefined) return;
    sendReset(this.#port, stream, reason);
    this.#close(serving, new Error(`The request was given up: ${reason}`));
  }

  /** The link is gone. */
  fail(why: string): void {
    for (const serving of [...this.#open.values()])
      this.#close(serving, new Error(`The link went down: ${why}`));
  }

  #hasPlace(priority: LinkPriority): boolean {
    const { limits } = this.#port;
    if (this.#open.size >= limits.streams || this.#running >= 2 * limits.streams) return false;
    if (priority === 'bulk') return this.#bulk < limits.bulkStreams;
    return priority !== 'media' || this.#media < limits.mediaStreams;
  }

  #accept(stream: number, priority: LinkPriority, header: JsonObject): Serving {
    const { limits, clock } = this.#port;
    const asked = header['deadline_ms'];
    const deadlineMs = typeof asked === 'number' && asked > 0 ? asked : defaultDeadlineMs;
    const serving: Serving = {
      stream,
      priority,
      body: incomingBody(this.#port, stream, () => {}),
      abort: new AbortController(),
      timer: clock.setTimer(Math.min(deadlineMs, limits.maxDeadlineMs), () => this.reset(stream, 'timeout')),
      hasEnded: false,
      isOver: false,
      tooLarge: false,
      earlyCredit: 0,
      isAnswering: false,
    };
    this.#open.set(stream, serving);
    this.#count(priority, 1);
    return serving;
  }

  #takeBody(serving: Serving, frame: Frame): void {
    if (serving.hasEnded) throw new ProtocolViolation('A body goes on after its end');
    if (!serving.body.push(frame.payload))
      throw new ProtocolViolation('More bytes than the stream has credit for');
    if (!frame.end) return;
    serving.hasEnded = true;
    serving.body.end();
  }

  #run(serving: Serving, method: string, uri: string, header: JsonObject): void {
    const contentType = header['content_type'];
    const length = header['length'];
    const tooLarge = (): Error => {
      serving.tooLarge = true;
      return new RoomError(413, 'M_TOO_LARGE', 'The body is too large');
    };
    this.#running += 1;
    invoke(this.#handler, {
      origin: this.#port.serverName,
      method,
      uri,
      ...(typeof contentType === 'string' ? { contentType } : {}),
      headers: extraHeaders(header, knownHeaders),
      body: (maxBytes) => {
        if (typeof length === 'number' && length > maxBytes) return Promise.reject(tooLarge());
        return serving.body.collect(maxBytes, tooLarge);
      },
      signal: serving.abort.signal,
    }).then(
      (answer) => {
        this.#running -= 1;
        this.#answer(serving, answer);
      },
      (err: unknown) => {
        this.#running -= 1;
        if (serving.isOver) return;
        if (err instanceof RoomError)
          this.#answer(serving, errorAnswer(err.status, err.errcode, err.message, err.extra));
        else {
          this.#port.log.error({ err, method }, 'a request of a partner failed');
          this.#answer(serving, errorAnswer(500, 'M_UNKNOWN', 'Internal error'));
        }
      },
    );
  }

  #answer(serving: Serving, answer: LinkAnswer): void {
    if (serving.isOver) {
      if (answer.body !== undefined && !Buffer.isBuffer(answer.body)) abandon(answer.body);
      return;
    }
    const head = jsonBytes({
      ...answer.headers,
      status: answer.status,
      ...(answer.contentType === undefined ? {} : { content_type: answer.contentType }),
      ...(Buffer.isBuffer(answer.body) ? { length: answer.body.length } : {}),
    });
    if (head.length > maxHeader) {
      this.reset(serving.stream, 'internal');
      return;
    }
    serving.isAnswering = true;
    const outgoing = new OutgoingBody(
      {
        stream: serving.stream,
        priority: linkPriorities.indexOf(serving.priority),
        type: frameTypes.res,
        head,
        window: this.#port.streamWindow + serving.earlyCredit,
        body: answer.body,
      },
      {
        ready: () => this.#port.sender.pump(),
        sent: () => this.#sent(serving),
        failed: (err) => {
          this.#port.log.error({ err }, 'the body of an answer broke off');
          this.reset(serving.stream, 'internal');
        },
      },
    );
    this.#port.sender.add(outgoing);
  }

  /** The answer is out; what the partner still sends of its body is of no use to anybody. */
  #sent(serving: Serving): void {
    if (!serving.hasEnded)
      sendReset(this.#port, serving.stream, serving.tooLarge ? 'too_large' : 'cancelled');
    this.#close(serving, undefined);
  }

  #close(serving: Serving, why: Error | undefined): void {
    if (serving.isOver) return;
    serving.isOver = true;
    this.#open.delete(serving.stream);
    this.#count(serving.priority, -1);
    serving.timer?.cancel();
    this.#port.sender.remove(serving.stream);
    if (why === undefined) serving.body.discard();
    else {
      serving.body.fail(why);
      serving.abort.abort(why);
    }
    this.#port.quiet();
  }

  #count(priority: LinkPriority, change: 1 | -1): void {
    if (priority === 'bulk') this.#bulk += change;
    else if (priority === 'media') this.#media += change;
  }
}

/** Calls at once, so that requests keep their order; what the handler throws becomes a rejection. */
function invoke(handler: LinkHandler, request: Parameters<LinkHandler>[0]): Promise<LinkAnswer> {
  try {
    return handler(request);
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Lets the source of a body that nobody will read close what it holds. */
function abandon(body: AsyncIterable<Buffer>): void {
  const iterator = body[Symbol.asyncIterator]();
  if (iterator.return !== undefined) Promise.resolve(iterator.return()).catch(() => {});
}

function errorAnswer(status: number, errcode: string, error: string, extra: JsonObject = {}): LinkAnswer {
  const body = Buffer.from(JSON.stringify({ ...extra, errcode, error }));
  return { status, contentType: 'application/json', body };
}
