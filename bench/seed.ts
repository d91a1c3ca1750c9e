// Fills the database of an island that does not run: users without passwords (hashing a thousand of them takes
// longer than everything else), one room with all of them, and messages. Goes through the accounts and the room engine
// of the checkout that is measured, so that what is on disk is what an island writes. Prints JSON: see `Seeded`.
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pino } from 'pino';
import type { loadConfig } from '../config/load.ts';
import type { startHomeserver } from '../server/homeserver.ts';
import { systemClock, systemRandom } from '../server/runtime.ts';

export interface Seeded {
  readonly roomId: string;
  /** Of the first users, as many as were asked for; the first one made the room. */
  readonly tokens: readonly string[];
}

const [root = '', configuration = '', memberCount = '', tokenCount = '', messageCount = ''] =
  process.argv.slice(2);
/** Requests under way at the same time. */
const width = 64;

async function load(...path: string[]): Promise<Record<string, unknown>> {
  return (await import(pathToFileURL(join(root, ...path)).href)) as Record<string, unknown>;
}

// The modules of another revision need only have the same shape.
const homeserverModule = (await load('server', 'homeserver.ts')) as {
  startHomeserver: typeof startHomeserver;
};
const configModule = (await load('config', 'load.ts')) as { loadConfig: typeof loadConfig };

const loaded = await configModule.loadConfig(configuration);
if (!loaded.ok) throw new Error(`${configuration} is not usable`);
const homeserver = await homeserverModule.startHomeserver(loaded.config, {
  clock: systemClock,
  random: systemRandom,
  log: pino({ level: 'warn' }, pino.destination(2)),
});
const { accounts, engine } = homeserver;

/** Does `count` things, `width` of them at a time; gives the results in order. */
async function each<T>(count: number, task: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) results[index] = await task(index);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

const users = await each(Number(memberCount), (index) => accounts.create(`user${index}`, undefined, false));
const creator = users[0] ?? '';
const { roomId } = await engine.createRoom(creator, { preset: 'public_chat', name: 'Everybody' });
await each(users.length - 1, (index) => engine.join(users[index + 1] ?? '', roomId));
await each(Number(messageCount), (index) =>
  engine.send({
    userId: users[index % users.length] ?? creator,
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body: `Message ${index} of those that were here before` },
  }),
);
const sessions = await each(Number(tokenCount), (index) =>
  accounts.openSession(users[index] ?? creator, { remoteAddress: '127.0.0.1' }),
);
await homeserver.close();
const seeded: Seeded = { roomId, tokens: sessions.map(({ accessToken }) => accessToken) };
if (!process.stdout.write(`${JSON.stringify(seeded)}\n`)) await once(process.stdout, 'drain');
process.exit(0);
