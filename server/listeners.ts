import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { ListenerConfig, ListenerTls } from '../config/config.ts';
import { type AddressOf, clientAddress } from '../http/client-address.ts';
import { AdminError, systemCode } from './admin-error.ts';

/** Requests that are still open after this are cut. */
const closeGraceMs = 5_000;
const requestTimeoutMs = 15 * 60_000;

/** What listens, and what each listener serves. */
export interface Served {
  /** Answers plain requests; made once for each listener, for what it serves and how it sees its clients. */
  handler(listener: ListenerConfig, addressOf: AddressOf): RequestListener;
  /** Takes over the upgrades of the link's path. */
  attachLink(server: Server, addressOf: (request: IncomingMessage) => string): void;
}

/** The sockets on which an island listens. */
export class Listeners {
  readonly #servers: Server[] = [];
  /** Those that speak TLS, with the place of their listener in the configuration. */
  readonly #tlsServers: { readonly server: TlsServer; readonly index: number }[] = [];
  #isClosing = false;

  /** Opens every address of every listener. Rejects with AdminError for one that cannot be had, all closed again. */
  static async open(configs: readonly ListenerConfig[], served: Served): Promise<Listeners> {
    const listeners = new Listeners();
    try {
      for (const [index, config] of configs.entries()) {
        const addressOf = clientAddress(config);
        const handler = served.handler(config, addressOf);
        for (const address of config.bindAddresses) {
          const server = listeners.#server(config.tls, index, listeners.#lastRequests(handler));
          // For the request to arrive whole, a large file over a slow line included; answers may take longer.
          server.requestTimeout = requestTimeoutMs;
          server.headersTimeout = 30_000;
          if (config.resources.includes('link')) served.attachLink(server, addressOf);
          listeners.#servers.push(server);
          await listen(server, config.port, address);
        }
      }
    } catch (error) {
      await listeners.close();
      throw error;
    }
    return listeners;
  }

  #server(tls: ListenerTls | undefined, index: number, handler: RequestListener): Server {
    if (tls === undefined) return createServer(handler);
    const server = createTlsServer(contextOf(tls), handler);
    this.#tlsServers.push({ server, index });
    return server;
  }

  /** Shows renewed certificates to whoever connects from now on; open connections go on. */
  replaceCertificates(configs: readonly ListenerConfig[]): void {
    for (const { server, index } of this.#tlsServers) {
      const tls = configs[index]?.tls;
      if (tls !== undefined) server.setSecureContext(contextOf(tls));
    }
  }

  /** Connections that are busy when the stop begins end with what they are busy with, and bring nothing new. */
  #lastRequests(handler: RequestListener): RequestListener {
    return (request, response) => {
      if (this.#isClosing) response.shouldKeepAlive = false;
      response.once('finish', () => {
        if (this.#isClosing) request.socket.destroySoon();
      });
      handler(request, response);
    };
  }

  /** Where it listens, as URLs. */
  get urls(): string[] {
    return this.#servers.flatMap((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string') return [];
      const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      const isTls = this.#tlsServers.some((entry) => entry.server === server);
      return [`${isTls ? 'https' : 'http'}://${host}:${address.port}`];
    });
  }

  /** Stops accepting; resolves when the open requests are answered, or were cut after five seconds. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#servers.map(closeServer));
  }
}

function contextOf({ certificate, privateKey }: ListenerTls): { cert: string; key: string } {
  return { cert: certificate, key: privateKey };
}

async function listen(server: Server, port: number, address: string): Promise<void> {
  server.listen({ port, host: address });
  try {
    // `once` rejects with the error of a port that is taken.
    await once(server, 'listening');
  } catch (error) {
    const reason = reasons[systemCode(error) ?? ''];
    if (reason === undefined) throw error;
    throw new AdminError(`Port ${port} of ${address} cannot be opened: ${reason}`, { cause: error });
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there. Stop that one, or choose another port under listeners.',
  EADDRNOTAVAIL: 'this machine has no such address. See bind_addresses under listeners.',
  EACCES: 'this user may not. Ports below 1024 are for root; choose another one under listeners.',
};

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
  await closed;
  clearTimeout(cut);
}
