import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import { Federation } from '../../../federation/federation.ts';
import { linkKeyFromSeed } from '../../../federation/link/link-manager.ts';
import type { MediaFile } from '../../../federation/media/media.ts';
import { type PartnerEntry, PartnerRegistry } from '../../../federation/partners/registry.ts';
import type { Question } from '../../../policy/question.ts';
import type { Clock, FailPointName, Random } from '../../../protocol/runtime.ts';
import { type SigningKey, signingKeyFromSeed } from '../../../protocol/signing.ts';
import { RoomEngine } from '../../../rooms/room-engine.ts';
import { type Database, openDatabase } from '../../../storage/database.ts';
import { until } from '../../support/until.ts';

const clock: Clock = {
  now: () => Date.now(),
  setTimer(ms, run) {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

export const random: Random = { bytes: (length) => randomBytes(length) };

export interface LogLine {
  readonly msg: string;
  readonly level: number;
  readonly [key: string]: unknown;
}

/** An island as far as federation goes: a database file, rooms, links; no client API. */
export class TestIsland {
  readonly serverName: string;
  readonly key: SigningKey;
  readonly seed: Buffer;
  readonly linkSeed = randomBytes(32);
  readonly lines: LogLine[] = [];
  readonly typing: [string, string, number | undefined][] = [];
  readonly files = new Map<string, Buffer>();
  /** Questions that its border was asked. */
  readonly asked: Question[] = [];
  readonly registry: PartnerRegistry;
  readonly #log: Logger;
  directory = '';
  failPoint: (name: FailPointName) => void = () => undefined;
  #running: { db: Database; engine: RoomEngine; federation: Federation; server: Server } | undefined;
  #port = 0;

  constructor(serverName: string) {
    this.serverName = serverName;
    this.seed = randomBytes(32);
    this.key = signingKeyFromSeed('ed25519:t1', this.seed);
    this.registry = new PartnerRegistry({ serverName, clock, partners: [] });
    const { lines } = this;
    this.#log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  }

  get db(): Database {
    return this.#part('db');
  }

  get engine(): RoomEngine {
    return this.#part('engine');
  }

  get federation(): Federation {
    return this.#part('federation');
  }

  #part<K extends 'db' | 'engine' | 'federation'>(name: K) {
    if (this.#running === undefined) throw new Error(`${this.serverName} does not run`);
    return this.#running[name];
  }

  get databasePath(): string {
    return join(this.directory, 'homeserver.db');
  }

  user(localpart: string): string {
    return `@${localpart}:${this.serverName}`;
  }

  /** Lines logged with that `alarm`. */
  alarms(alarm: string): LogLine[] {
    return this.lines.filter((line) => line['alarm'] === alarm);
  }

  async start(): Promise<void> {
    if (this.directory === '') this.directory = await mkdtemp(join(tmpdir(), 'archipelago-'));
    const { serverName, key: signingKey, registry: partners } = this;
    const log = this.#log;
    const failPoint = (name: FailPointName): void => this.failPoint(name);
    const deps = { log, clock, random, failPoint };
    const db = await openDatabase({ type: 'sqlite', path: this.databasePath }, deps);
    const federation = new Federation({
      serverName,
      signingKey,
      linkStaticKey: linkKeyFromSeed(this.linkSeed),
      software: { name: 'Archipelago', version: 'test' },
      partners,
      asked: (question) => this.asked.push(question),
      db,
      ...deps,
    });
    const engine = new RoomEngine({
      serverName,
      signingKey,
      db,
      remote: federation.remote,
      keys: federation.keys,
      border: federation.border,
      defaultRoomVersion: () => '12',
      ...deps,
    });
    const server = createServer((_request, response) => response.writeHead(404).end());
    federation.attach(server);
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port; // A TCP server has an address of this kind.
    this.#running = { db, engine, federation, server };
    await federation.start({
      engine,
      media: {
        open: (mediaId) => this.#openFile(mediaId),
      },
      typing: (roomId, userId, timeoutMs) => this.typing.push([roomId, userId, timeoutMs]),
    });
  }

  async addUser(localpart: string): Promise<void> {
    const user = { localpart, passwordHash: null, deactivated: false, createdTs: 1 };
    const ops = this.db.users.insert({ ...user, displayName: `Name of ${localpart}`, avatarUrl: null });
    await this.db.writer.submit({ label: 'test user', ops });
  }

  async #openFile(mediaId: string): Promise<MediaFile | undefined> {
    const bytes = this.files.get(mediaId);
    if (bytes === undefined) return undefined;
    return {
      contentType: 'image/png',
      fileName: 'picture.png',
      size: bytes.length,
      stream: (async function* () {
        for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
      })(),
    };
  }

  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    await running.federation.stop();
    running.server.closeAllConnections();
    await new Promise((resolve) => running.server.close(resolve));
    await running.db.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    if (this.directory !== '') await rm(this.directory, { recursive: true, force: true });
  }

  /** The entry with which another island makes this one its partner. Needs to have been started once. */
  entry(overrides: Partial<PartnerEntry> = {}): PartnerEntry {
    return {
      serverName: this.serverName,
      state: 'active',
      verifyKeys: { [this.key.keyId]: { key: this.key.publicKey } },
      transport: {
        type: 'link',
        urls: [`ws://127.0.0.1:${this.#port}/_archipelago/link/v1`],
        dial: 'both',
        allowPrivateIp: true,
        allowCleartext: true,
        tls: {},
      },
      source: { file: 'test.yaml', line: 1 },
      ...overrides,
    };
  }
}

/** Starts two islands as partners of each other. */
export async function pair(): Promise<[TestIsland, TestIsland]> {
  const a = new TestIsland('a.test');
  const b = new TestIsland('b.test');
  await a.start();
  await b.start();
  a.registry.replace([b.entry()]);
  b.registry.replace([a.entry()]);
  return [a, b];
}

/** Everything of both was delivered and processed. */
export async function settled(...islands: TestIsland[]): Promise<void> {
  // What is done because of something that was received may have to be delivered in its turn.
  let quiet = 0;
  await until(async () => {
    quiet += 1;
    for (const island of islands) {
      for (const partner of await island.federation.status())
        if (partner.outbox.pdu + partner.outbox.device + partner.outbox.ephemeral > 0) quiet = 0;
      await island.federation.processed();
      await island.db.writer.idle();
    }
    return quiet >= 2;
  });
}

/** A room of alice on the one island into which bob of the other was invited, and joined. */
export async function sharedRoom(a: TestIsland, b: TestIsland): Promise<string> {
  await a.addUser('alice');
  await b.addUser('bob');
  const { roomId } = await a.engine.createRoom(a.user('alice'), { preset: 'private_chat' });
  await a.engine.invite(a.user('alice'), roomId, b.user('bob'));
  await b.engine.join(b.user('bob'), roomId, { via: ['a.test'] });
  await settled(a, b);
  return roomId;
}
