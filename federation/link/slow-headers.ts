import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../protocol/runtime.ts';

/**
 * Ends sockets that have not sent one whole request header after `ms` milliseconds. Node's own check runs
 * every half minute only; sockets that dribble would pile up.
 */
export function endSlowHeaders(server: Server, clock: Clock, ms: number): void {
  // By remote port: over TLS the socket of a request is another object than the one that was accepted.
  const waiting = new Map<string, Timer>();
  const keyOf = (socket: Socket): string =>
    `${socket.remoteAddress} ${socket.remotePort} ${socket.localPort}`;
  const forget = (key: string): void => {
    waiting.get(key)?.cancel();
    waiting.delete(key);
  };
  server.on('connection', (socket: Socket) => {
    const key = keyOf(socket);
    waiting.get(key)?.cancel();
    const timer = clock.setTimer(ms, () => {
      waiting.delete(key);
      socket.destroy();
    });
    waiting.set(key, timer);
    socket.once('close', () => {
      if (waiting.get(key) === timer) forget(key);
    });
  });
  const arrived = (request: IncomingMessage): void => forget(keyOf(request.socket));
  server.prependListener('request', arrived);
  server.prependListener('upgrade', arrived);
}
