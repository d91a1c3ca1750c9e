import type { Contender } from './contender.ts';
import { HttpConnection } from './http-connection.ts';
import { percentile } from './statistics.ts';

export interface Load {
  readonly connections: number;
  readonly rooms: number;
  readonly messages: number;
}

export interface Measurement {
  /** Messages per second, each of them on disk. */
  readonly rate: number;
  /** Milliseconds from request to answer. */
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds of the server's processor time for each message: hardly changes on a busy machine. */
  readonly cpuMs: number;
}

const body = JSON.stringify({
  msgtype: 'm.text',
  body: 'A message of the usual length, as people write them at work all day',
});

/** Sends messages over keep-alive connections, each of which waits for the answer before it sends the next. */
export async function send(to: Contender, load: Load): Promise<Measurement> {
  const connections = await Promise.all(
    Array.from({ length: load.connections }, () => HttpConnection.open(to.port)),
  );
  const rooms = to.rooms.slice(0, load.rooms).map(encodeURIComponent);
  const series = process.hrtime.bigint().toString(36);
  const times: number[] = [];
  let next = 0;
  const worker = async (connection: HttpConnection): Promise<void> => {
    for (let index = next++; index < load.messages; index = next++) {
      const room = rooms[index % rooms.length];
      const path = `/_matrix/client/v3/rooms/${room}/send/m.room.message/${series}.${index}`;
      const sent = performance.now();
      const { status, body: answer } = await connection.request('PUT', path, to.token, body);
      if (status !== 200) throw new Error(`${to.name} answered ${status}: ${answer}`);
      times.push(performance.now() - sent);
    }
  };
  const cpuBefore = to.process.cpuMs;
  const started = performance.now();
  await Promise.all(connections.map(worker));
  const seconds = (performance.now() - started) / 1_000;
  const cpuMs = (to.process.cpuMs - cpuBefore) / load.messages;
  for (const connection of connections) connection.close();
  return {
    rate: load.messages / seconds,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    cpuMs,
  };
}
