import { readFile } from 'node:fs/promises';
import { WebSocket } from 'ws';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { WebSocketChannel } from './channel.ts';
import { openSocket } from './dial-socket.ts';
import { keyHeader, keyHeaderValue } from './key-header.ts';
import type { LinkLimits } from './limits.ts';
import { maxNoiseMessage } from './noise/handshake-xx.ts';
import { isLoopbackHost } from './private-address.ts';
import type { KeyRotations, LinkPartner } from './types.ts';
import { dialAddress, upgradeRequest } from './upgrade-request.ts';

/** WebSocket limits of both ends. A message may come in fragments, but not in thousands. */
export const socketLimits = {
  perMessageDeflate: false,
  maxPayload: maxNoiseMessage,
  maxFragments: 64,
  maxBufferedChunks: 4096,
  skipUTF8Validation: false,
} as const;

/** A dial that came to nothing. */
export class DialError extends Error {
  readonly status: number | undefined;
  /** What the partner asked for by Retry-After. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: { status?: number; retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'DialError';
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export interface DialDeps {
  readonly serverName: string;
  readonly signingKey: SigningKey;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: LinkLimits;
  readonly proxyUrl: string | undefined;
  readonly subprotocols: readonly string[];
  readonly rotations: KeyRotations;
}

/**
 * Opens a WebSocket to a partner's URL with a signed upgrade request. Gives its channel with the subprotocol
 * that was chosen; rejects with `DialError`.
 */
export async function dial(
  deps: DialDeps,
  partner: LinkPartner,
  url: string,
  signal: AbortSignal,
): Promise<{ channel: WebSocketChannel; subprotocol: string }> {
  const request = upgradeRequest(deps, partner.serverName);
  const address = readAddress(partner, url);
  const ca = partner.caPath === undefined ? undefined : await readCa(partner.caPath);
  const target = {
    url: dialAddress(address.href, request),
    allowPrivateIp: partner.allowPrivateIp,
    ca,
    proxyUrl: deps.proxyUrl,
    timeoutMs: deps.limits.handshakeMs,
  };
  // Typed as net.createConnection; node:http takes a callback as well.
  const createConnection = ((_options: unknown, done: Parameters<typeof openSocket>[1]) =>
    openSocket(target, done)) as never;
  const socket = new WebSocket(target.url, [...deps.subprotocols], {
    ...socketLimits,
    headers: {
      authorization: request.authorization,
      [keyHeader]: keyHeaderValue(deps.signingKey, deps.rotations.own()),
    },
    followRedirects: false,
    createConnection,
  });
  const channel = new WebSocketChannel(socket, deps.clock);
  socket.on('upgrade', (response) => channel.onWire(response.socket));
  return await new Promise((resolve, reject) => {
    const timer = deps.clock.setTimer(deps.limits.handshakeMs, () =>
      fail(new DialError('It does not answer')),
    );
    const cancel = (): void => fail(new DialError('Given up'));
    const settle = (): void => {
      timer.cancel();
      signal.removeEventListener('abort', cancel);
    };
    const fail = (error: DialError): void => {
      settle();
      reject(error);
      socket.terminate();
    };
    signal.addEventListener('abort', cancel);
    if (signal.aborted) cancel();
    socket.on('open', () => {
      settle();
      resolve({ channel, subprotocol: socket.protocol });
    });
    socket.on('unexpected-response', (_request, response) => {
      const retryAfterMs = readRetryAfter(response.headers['retry-after'], deps.clock.now());
      const status = response.statusCode ?? 0;
      response.destroy();
      const details = retryAfterMs === undefined ? { status } : { status, retryAfterMs };
      fail(new DialError(`It answered ${status}`, details));
    });
    socket.on('close', () => {
      const cause = channel.error;
      fail(new DialError(cause?.message ?? 'The socket closed', { cause }));
    });
  });
}

function readAddress(partner: LinkPartner, url: string): URL {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (address === undefined || !/^wss?:$/.test(address.protocol))
    throw new DialError('The URL of the link is not a ws:// or wss:// address');
  if (address.protocol === 'ws:' && !isLoopbackHost(address.hostname) && !partner.allowCleartext)
    throw new DialError('ws:// is for loopback addresses, unless the partner has allow_cleartext');
  return address;
}

async function readCa(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new DialError(`The CA file ${path} cannot be read`, { cause });
  }
}

/** Seconds, or a date (RFC 9110 §10.2.3); at most an hour. */
export function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = /^[0-9]{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), 3_600_000);
}
