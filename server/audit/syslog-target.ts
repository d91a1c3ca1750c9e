import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { octetCounted } from './syslog-format.ts';

/** Somewhere that messages go to. */
export interface SyslogTarget {
  /** Resolves when the system has taken them; rejects when there is no connection any more. */
  send(messages: readonly string[]): Promise<void>;
  close(): void;
}

export const defaultPorts: Readonly<Record<string, number>> = { 'udp:': 514, 'tcp:': 514, 'tls:': 6514 };
const connectMs = 10_000;

/** Opens `udp://HOST:PORT`, `tcp://…` (RFC 6587) or `tls://…` (RFC 5425). Rejects when nobody answers. */
export async function openTarget(address: string): Promise<SyslogTarget> {
  const url = new URL(address);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? (defaultPorts[url.protocol] ?? 514) : Number(url.port);
  if (url.protocol === 'udp:') return datagrams(host, port);
  const isSecure = url.protocol === 'tls:';
  const socket = isSecure ? connectTls({ host, port, servername: host }) : connect({ host, port });
  const late = setTimeout(() => socket.destroy(new Error('nobody answered in time')), connectMs);
  try {
    await once(socket, isSecure ? 'secureConnect' : 'connect');
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(late);
  }
  return stream(socket);
}

/** Over a stream a message that was taken may still be lost with the connection; whoever sends begins there again. */
function stream(socket: Socket): SyslogTarget {
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => {
    failure ??= new Error('the connection was closed');
  });
  // A server that says something says nothing that is understood here.
  socket.resume();
  socket.unref();
  return {
    send: (messages) =>
      new Promise((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        const closed = (): void => reject(failure ?? new Error('the connection was closed'));
        socket.once('close', closed);
        socket.write(messages.map(octetCounted).join(''), (error) => {
          socket.off('close', closed);
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      }),
    close: () => socket.end(),
  };
}

function datagrams(host: string, port: number): SyslogTarget {
  const socket: DatagramSocket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  // Nobody there, as the system may hear later: a datagram is never confirmed.
  socket.on('error', () => undefined);
  socket.unref();
  return {
    send: async (messages) => {
      for (const message of messages)
        await new Promise<void>((resolve, reject) => {
          socket.send(message, port, host, (error) => (error === null ? resolve() : reject(error)));
        });
    },
    close: () => socket.close(),
  };
}
