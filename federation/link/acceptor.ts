import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import type { Clock } from '../../protocol/runtime.ts';
import { WebSocketChannel } from './channel.ts';
import { socketLimits } from './dial.ts';
import type { LinkLimits } from './limits.ts';
import { serveWithoutUpgrade } from './other-upgrades.ts';
import { endSlowHeaders } from './slow-headers.ts';
import type { KeyEvidence, LinkPartner } from './types.ts';
import type { UpgradeFilter, UpgradeVerdict } from './upgrade-filter.ts';
import { linkPath, linkSubprotocol } from './upgrade-request.ts';

export interface AcceptorDeps {
  readonly filter: UpgradeFilter;
  readonly clock: Clock;
  readonly limits: LinkLimits;
  readonly log: Logger;
  /** False while nothing is to be accepted, e.g. at shutdown. */
  isAccepting(): boolean;
  /** Takes over a key that a partner proved, and gives its entry with that key; undefined if it is not proved. */
  takeKey(partner: LinkPartner, evidence: KeyEvidence): Promise<LinkPartner | undefined>;
  /** A partner asked with a key that nothing proves. */
  onUnannounced(serverName: string, evidence: KeyEvidence): void;
  /** Somebody was not let in; `origin` is who they say they are. */
  onRefused(origin: string | undefined, reason: string): void;
  /** `release` is to be called when the handshake is over; the socket's end does it too. */
  onChannel(
    channel: WebSocketChannel,
    partner: LinkPartner,
    offers: readonly string[],
    release: () => void,
  ): void;
}

/** Takes upgrade requests on the link's path of an HTTP server. */
export class Acceptor {
  readonly #deps: AcceptorDeps;
  readonly #sockets: WebSocketServer;
  #handshakes = 0;

  constructor(deps: AcceptorDeps) {
    this.#deps = deps;
    this.#sockets = new WebSocketServer({
      ...socketLimits,
      noServer: true,
      clientTracking: false,
      handleProtocols: (offers) => (offers.has(linkSubprotocol) ? linkSubprotocol : false),
    });
    // What is no WebSocket request in spite of its upgrade header gets ws's own 400.
    this.#sockets.on('wsClientError', (_error, socket) => abort(socket, 400));
  }

  /** Comes before the listeners that the server has for requests: they never see the link's path. */
  attach(server: Server, addressOf: (request: IncomingMessage) => string): void {
    const others = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (isLinkPath(request)) answerPlainRequest(response);
      else for (const listener of others) listener.call(server, request, response);
    });
    endSlowHeaders(server, this.#deps.clock, this.#deps.limits.handshakeMs);
    server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => socket.destroy());
      if (isLinkPath(request)) this.#upgrade(request, socket, head, addressOf(request));
      else if (!isForWebSocket(request) && !('encrypted' in socket)) {
        serveWithoutUpgrade(server, request, socket, head);
      } else if (server.listenerCount('upgrade') <= 2) abort(socket, 404);
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void {
    const { filter, log, limits, clock } = this.#deps;
    if (!this.#deps.isAccepting() || this.#handshakes >= limits.handshakes) {
      abort(socket, 503, 5_000);
      return;
    }
    const verdict = filter.judge({ uri: request.url ?? '', headers: request.headers, address });
    if (!verdict.ok) {
      const { reason, origin, unannounced } = verdict;
      log.warn({ audit: true, reason, origin, address }, 'refused an upgrade to a link');
      this.#deps.onRefused(origin, reason);
      if (origin !== undefined && unannounced !== undefined) this.#deps.onUnannounced(origin, unannounced);
      abort(socket, verdict.status, verdict.retryAfterMs);
      return;
    }
    this.#handshakes += 1;
    let isCounted = true;
    const timer = clock.setTimer(limits.handshakeMs, () => socket.destroy());
    const release = (): void => {
      if (!isCounted) return;
      isCounted = false;
      timer.cancel();
      this.#handshakes -= 1;
    };
    socket.once('close', release);
    if (verdict.evidence === undefined) this.#open(request, socket, head, verdict, release);
    else
      void this.#openWithNewKey(request, socket, head, { ...verdict, evidence: verdict.evidence }, release);
  }

  /** The new key is on disk before anything is built on it. Never rejects. */
  async #openWithNewKey(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    verdict: Accepted & { readonly evidence: KeyEvidence },
    release: () => void,
  ): Promise<void> {
    const partner = await this.#deps.takeKey(verdict.partner, verdict.evidence);
    if (partner === undefined || !this.#deps.isAccepting()) abort(socket, 403);
    else if (!socket.destroyed) this.#open(request, socket, head, { ...verdict, partner }, release);
  }

  #open(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    { partner, offers }: Accepted,
    release: () => void,
  ): void {
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const channel = new WebSocketChannel(webSocket, this.#deps.clock);
      channel.onWire(socket);
      this.#deps.onChannel(channel, partner, offers, release);
    });
  }
}

type Accepted = Extract<UpgradeVerdict, { ok: true }>;

function isForWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === 'websocket';
}

function isLinkPath(request: IncomingMessage): boolean {
  return request.url?.split('?', 1)[0] === linkPath;
}

/** Who comes without an upgrade is told that one is needed (RFC 9110 §15.5.22). */
function answerPlainRequest(response: ServerResponse): void {
  const body = JSON.stringify({ errcode: 'M_UNRECOGNIZED', error: 'This is for links between islands' });
  response.writeHead(426, {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** One shape for all refusals: only the status, and when to come again, may differ. */
function abort(socket: Duplex, status: 400 | 403 | 404 | 429 | 503, retryAfterMs?: number): void {
  const body = JSON.stringify({ errcode: 'M_FORBIDDEN', error: 'No link' });
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  if (retryAfterMs !== undefined) lines.push(`Retry-After: ${Math.max(1, Math.ceil(retryAfterMs / 1000))}`);
  socket.once('finish', () => socket.destroy());
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
