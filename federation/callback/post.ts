import { Agent, type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps, Agent as TlsAgent } from 'node:https';
import type { Clock, Timer } from '../../protocol/runtime.ts';

/** So many requests of one partner are with its callback at the same time; the others wait for their turn. */
const maxConcurrent = 16;
const maxAnswerBytes = 16 * 1024;

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** Milliseconds without any progress, until the answer is whole. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Sends POST requests to the callbacks of one partner, a bounded number at a time. Neither redirects nor a proxy are
 * followed: what is asked is the URL of the configuration and nobody else.
 */
export class CallbackWire {
  readonly #clock: Clock;
  readonly #http = new Agent({ maxSockets: maxConcurrent });
  readonly #https = new TlsAgent({ maxSockets: maxConcurrent });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Gives the body of an answer 200; rejects for everything else, with the reason. */
  async post({ url, headers, body, timeoutMs, signal }: Post): Promise<Buffer> {
    const isTls = url.startsWith('https:');
    const send = isTls ? requestHttps : requestHttp;
    const agent = isTls ? this.#https : this.#http;
    const request = send(url, { method: 'POST', headers, agent, signal });
    const watch = new Watch(this.#clock, timeoutMs, request);
    const answer = answerOf(request);
    // Awaited below; what breaks off earlier is told there.
    answer.catch(() => undefined);
    request.on('socket', () => watch.progress());
    try {
      if (Buffer.isBuffer(body)) request.end(body);
      else await sendStream(request, body, watch);
      const response = await answer;
      watch.progress();
      if (response.statusCode !== 200) {
        response.resume();
        throw new Error(`it answered ${response.statusCode}`);
      }
      return await collect(response);
    } catch (error) {
      request.destroy();
      throw watch.isOver ? new Error(`no answer within ${timeoutMs} ms`, { cause: error }) : error;
    } finally {
      watch.end();
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

/** Ends a request that makes no progress. What waits for its turn is not counted. */
class Watch {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #request: ClientRequest;
  #timer: Timer | undefined;
  isOver = false;

  constructor(clock: Clock, ms: number, request: ClientRequest) {
    this.#clock = clock;
    this.#ms = ms;
    this.#request = request;
  }

  progress(): void {
    this.end();
    this.#timer = this.#clock.setTimer(this.#ms, () => {
      this.isOver = true;
      this.#request.destroy(new Error('timed out'));
    });
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new Error('the connection broke off')));
  });
}

async function sendStream(request: ClientRequest, body: AsyncIterable<Buffer>, watch: Watch): Promise<void> {
  for await (const chunk of body) {
    if (request.destroyed) return;
    await new Promise<void>((resolve) => {
      request.once('close', resolve);
      request.write(chunk, () => {
        request.off('close', resolve);
        resolve();
      });
    });
    watch.progress();
  }
  request.end();
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // A response without an encoding gives buffers.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes) throw new Error(`its answer is larger than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
