import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

const dropped = /^(upgrade|connection|http2-settings)$/i;

/**
 * Serves a request that asks for another protocol than WebSocket (`h2c`, which some clients try on every
 * plain connection) as if it had not asked, as a server without upgrades would (RFC 9110 §7.8). Node hands
 * such a request over as soon as anybody listens for upgrades; it is put back into its socket without them.
 */
export function serveWithoutUpgrade(
  server: Server,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? '';
    if (!dropped.test(name)) lines.push(`${name}: ${request.rawHeaders[index + 1]}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
