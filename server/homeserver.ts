import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { Logger } from 'pino';
import type { Config, PartnerConfig } from '../config/config.ts';
import { Federation } from '../federation/federation.ts';
import { PartnerRegistry } from '../federation/partners.ts';
import { isRoomVersionId } from '../protocol/room-versions.ts';
import type { Clock, FailPoint, Random } from '../protocol/runtime.ts';
import { RoomEngine } from '../rooms/room-engine.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { Accounts } from './auth/accounts.ts';
import { buildClientApi } from './client-api.ts';
import { type IslandKeys, loadKeys } from './keys.ts';
import { MediaStore } from './media/media-store.ts';
import { ReceiptService } from './sync/receipts.ts';
import { SyncService } from './sync/sync-service.ts';
import { TypingTracker } from './sync/typing.ts';
import { TypingService } from './sync/typing-service.ts';
import { version } from './version.ts';

export interface HomeserverDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly failPoint?: FailPoint | undefined;
}

/** Requests that are still open after this are cut. */
const closeGraceMs = 5_000;

/**
 * One island, running. The composition root: the only place that knows all parts, and the order in which they start
 * and stop.
 */
export class Homeserver {
  readonly config: Config;
  readonly db: Database;
  readonly accounts: Accounts;
  readonly engine: RoomEngine;
  readonly federation: Federation;
  readonly sync: SyncService;
  readonly partners: PartnerRegistry;
  readonly keys: IslandKeys;
  readonly #servers: readonly Server[];
  readonly #typing: TypingTracker;

  private constructor(parts: {
    config: Config;
    db: Database;
    accounts: Accounts;
    engine: RoomEngine;
    federation: Federation;
    sync: SyncService;
    partners: PartnerRegistry;
    keys: IslandKeys;
    servers: readonly Server[];
    typing: TypingTracker;
  }) {
    this.config = parts.config;
    this.db = parts.db;
    this.accounts = parts.accounts;
    this.engine = parts.engine;
    this.federation = parts.federation;
    this.sync = parts.sync;
    this.partners = parts.partners;
    this.keys = parts.keys;
    this.#servers = parts.servers;
    this.#typing = parts.typing;
  }

  /** Starts an island; resolves when it listens. Rejects with a message for the administrator. */
  static async start(config: Config, deps: HomeserverDeps): Promise<Homeserver> {
    const { clock, random, log, failPoint } = deps;
    const { serverName, defaultRoomVersion } = config;
    const keys = await loadKeys(config, random);
    const db = await openDatabase(config.database, { log, clock, random, failPoint });
    const servers: Server[] = [];
    try {
      await db.metadata.claimServerName(serverName);
      const partners = new PartnerRegistry({ serverName, clock, partners: config.partners });
      const federation = new Federation({
        serverName,
        signingKey: keys.signingKey,
        linkStaticKey: keys.linkKey,
        software: { name: 'Archipelago', version },
        partners,
        db,
        clock,
        random,
        log: log.child({ sub: 'federation' }),
        failPoint,
      });
      const engine = new RoomEngine({
        serverName,
        signingKey: keys.signingKey,
        db,
        remote: federation.remote,
        keys: federation.keys,
        border: federation.border,
        clock,
        random,
        log: log.child({ sub: 'rooms' }),
        defaultRoomVersion: isRoomVersionId(defaultRoomVersion) ? defaultRoomVersion : '12',
        failPoint,
      });
      const accounts = new Accounts({ serverName, db, clock, random });
      const media = new MediaStore({
        serverName,
        directory: config.mediaStorePath,
        maxUploadSize: config.maxUploadSize,
        db,
        clock,
        random,
        fetchRemote: (origin, mediaId, maxBytes) => federation.remote.fetchMedia(origin, mediaId, maxBytes),
      });
      const tracker = new TypingTracker(clock, (roomId) =>
        db.streams.publish([{ stream: 'typing', key: roomId }]),
      );
      const typing = new TypingService({
        engine,
        tracker,
        relay: {
          typing: (roomId, userId, isTyping, roomServers) =>
            federation.sendTyping({ roomId, userId, typing: isTyping, servers: roomServers }),
        },
      });
      const receipts = new ReceiptService({
        db,
        engine,
        clock,
        relay: {
          receipt: ({ threadId, ...rest }) => {
            const receipt = threadId === '' ? rest : { ...rest, threadId };
            return { ops: federation.receiptOps(receipt), notes: federation.receiptNotes(receipt) };
          },
        },
      });
      const sync = new SyncService({
        db,
        engine,
        typing: tracker,
        clock,
        boot: random.bytes(4).toString('hex'),
      });
      const app = buildClientApi({
        config,
        db,
        engine,
        remote: federation.remote,
        accounts,
        media,
        sync,
        receipts,
        typing,
        clock,
        random,
        log: log.child({ sub: 'http' }),
      });
      const handle = app.callback();
      for (const listener of config.listeners) {
        for (const address of listener.bindAddresses) {
          const server = createServer((request, response) => void handle(request, response));
          // Long polls wait longer than Node's default for a whole request; bodies are bounded by themselves.
          server.requestTimeout = 0;
          server.headersTimeout = 30_000;
          if (listener.resources.includes('link')) federation.attach(server);
          servers.push(server);
          await listen(server, listener.port, address);
        }
      }
      await federation.start({
        engine,
        media: {
          open: async (mediaId) => {
            const file = await media.openLocal(mediaId);
            if (file === undefined) return undefined;
            const { contentType, uploadName, size } = file.record;
            return {
              contentType,
              size,
              stream: file.stream,
              ...(uploadName === null ? {} : { fileName: uploadName }),
            };
          },
        },
        typing: (roomId, userId, timeoutMs) => typing.heard(roomId, userId, timeoutMs),
      });
      return new Homeserver({
        config,
        db,
        accounts,
        engine,
        federation,
        sync,
        partners,
        keys,
        servers,
        typing: tracker,
      });
    } catch (error) {
      for (const server of servers) server.close();
      await db.close();
      throw error;
    }
  }

  /** Where it listens, as URLs. */
  get urls(): string[] {
    return this.#servers.flatMap((server) => {
      const address = server.address();
      if (address === null || typeof address === 'string') return [];
      const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return [`http://${host}:${address.port}`];
    });
  }

  /** Takes over another set of partners, all at once. */
  replacePartners(partners: readonly PartnerConfig[]): void {
    this.partners.replace(partners);
  }

  /** Stops accepting, finishes what is open, says good-bye on the links, writes what is left. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => closeServer(server));
    this.sync.stop();
    this.#typing.stop();
    await this.federation.stop();
    await Promise.all(closed);
    await this.db.close();
  }
}

/** Starts an island: see {@link Homeserver.start}. */
export function startHomeserver(config: Config, deps: HomeserverDeps): Promise<Homeserver> {
  return Homeserver.start(config, deps);
}

async function listen(server: Server, port: number, address: string): Promise<void> {
  server.listen({ port, host: address });
  // `once` rejects with the error of a port that is taken.
  await once(server, 'listening');
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), closeGraceMs);
  await closed;
  clearTimeout(cut);
}
