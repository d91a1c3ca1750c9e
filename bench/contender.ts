import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Checkout } from './checkout.ts';
import { HttpConnection } from './http-connection.ts';
import { BenchIsland } from './island.ts';
import { ServerProcess } from './server-process.ts';

/** Somebody to whom messages can be sent: an island, or the floor program. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly process: ServerProcess;
  readonly token: string | undefined;
  readonly rooms: readonly string[];
  remove(): Promise<void>;
}

/** An island with one user and some rooms of theirs. */
export async function islandContender(
  checkout: Checkout,
  rooms: number,
  nodeOptions: readonly string[] = [],
): Promise<Contender> {
  const island = await BenchIsland.create(checkout);
  const process = await island.start(nodeOptions);
  const { token } = await island.register('sender');
  const client = await HttpConnection.open(island.port);
  const roomIds: string[] = [];
  for (let count = 0; count < rooms; count += 1) {
    const created = await client.json('POST', '/_matrix/client/v3/createRoom', token, {});
    roomIds.push(String(created['room_id']));
  }
  client.close();
  return {
    name: checkout.name,
    port: island.port,
    process,
    token,
    rooms: roomIds,
    remove: () => island.remove(),
  };
}

/** The floor program, from its compiled file. Its rooms need only a name of usual length. */
export async function floorContender(
  file: string,
  rooms: number,
  nodeOptions: readonly string[] = [],
): Promise<Contender> {
  const directory = await mkdtemp(join(tmpdir(), 'archipelago-floor-'));
  const process = await ServerProcess.start([...nodeOptions, file, directory], (line) =>
    line.startsWith('listening on '),
  );
  return {
    name: 'floor',
    port: Number(process.readyLine.slice('listening on '.length)),
    process,
    token: undefined,
    rooms: Array.from({ length: rooms }, (_, index) => `!${String(index).padStart(43, 'r')}`),
    async remove() {
      await process.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
