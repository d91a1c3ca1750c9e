import type { Logger } from 'pino';
import type { Config, PartnerConfig } from '../config/config.ts';
import { afterReload } from '../config/reloadable.ts';
import { Approvals } from '../federation/approvals/approvals.ts';
import { DecisionJournal } from '../federation/border/decision-journal.ts';
import { LocalPeople } from '../federation/border/people.ts';
import { Federation } from '../federation/federation.ts';
import { loadOverlays, PartnerActions } from '../federation/partners/actions.ts';
import { PartnerLines } from '../federation/partners/lines.ts';
import { type PartnerChanges, PartnerRegistry } from '../federation/partners/registry.ts';
import { isRoomVersionId } from '../protocol/room-versions.ts';
import type { Clock, FailPoint, Random } from '../protocol/runtime.ts';
import { RoomEngine } from '../rooms/room-engine.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import type { AdminContext } from './admin/context.ts';
import { SyslogExport } from './audit/syslog-export.ts';
import { Accounts } from './auth/accounts.ts';
import { buildClientApi } from './client-api.ts';
import { recordStart, recordStop } from './island-lines.ts';
import { type IslandKeys, loadKeys } from './keys.ts';
import { Listeners } from './listeners.ts';
import { LiveConfig } from './live-config.ts';
import { MediaStore } from './media/media-store.ts';
import { Notices } from './notices/notices.ts';
import { SystemUser } from './notices/system-user.ts';
import { OwnKeyService } from './own-key-service.ts';
import { Retention } from './retention.ts';
import { Boots } from './sync/boots.ts';
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

/** What the admin API acts on, once there is all of it. */
interface AdminDoor {
  context: AdminContext | undefined;
}

/**
 * One island, running. The composition root: the only place that knows all parts, and the order in which they start
 * and stop.
 */
export class Homeserver {
  readonly db: Database;
  readonly accounts: Accounts;
  readonly engine: RoomEngine;
  readonly federation: Federation;
  readonly sync: SyncService;
  readonly people: LocalPeople;
  readonly partners: PartnerRegistry;
  readonly retention: Retention;
  readonly partnerActions: PartnerActions;
  readonly keys: IslandKeys;
  readonly journal: DecisionJournal;
  readonly #partnerLines: PartnerLines;
  readonly #syslog: SyslogExport | undefined;
  readonly #live: LiveConfig;
  readonly ownKeys: OwnKeyService;
  readonly #listeners: Listeners;
  readonly #typing: TypingTracker;
  readonly notices: Notices;
  readonly #door: AdminDoor;

  private constructor(parts: {
    live: LiveConfig;
    db: Database;
    accounts: Accounts;
    engine: RoomEngine;
    federation: Federation;
    sync: SyncService;
    people: LocalPeople;
    partners: PartnerRegistry;
    retention: Retention;
    partnerActions: PartnerActions;
    keys: IslandKeys;
    journal: DecisionJournal;
    partnerLines: PartnerLines;
    syslog: SyslogExport | undefined;
    ownKeys: OwnKeyService;
    listeners: Listeners;
    typing: TypingTracker;
    notices: Notices;
    door: AdminDoor;
  }) {
    this.db = parts.db;
    this.accounts = parts.accounts;
    this.engine = parts.engine;
    this.federation = parts.federation;
    this.sync = parts.sync;
    this.people = parts.people;
    this.partners = parts.partners;
    this.retention = parts.retention;
    this.partnerActions = parts.partnerActions;
    this.keys = parts.keys;
    this.journal = parts.journal;
    this.#partnerLines = parts.partnerLines;
    this.#syslog = parts.syslog;
    this.#live = parts.live;
    this.ownKeys = parts.ownKeys;
    this.#listeners = parts.listeners;
    this.#typing = parts.typing;
    this.notices = parts.notices;
    this.#door = parts.door;
  }

  /** Starts an island; resolves when it listens. Rejects with a message for the administrator. */
  static async start(config: Config, deps: HomeserverDeps): Promise<Homeserver> {
    const { clock, random, log, failPoint } = deps;
    const { serverName } = config;
    const live = new LiveConfig(config);
    const keys = await loadKeys(config, random);
    const db = await openDatabase(config.database, { log, clock, random, failPoint });
    let listeners: Listeners | undefined;
    let syslog: SyslogExport | undefined;
    try {
      await db.metadata.claimServerName(serverName);
      const partners = new PartnerRegistry({
        serverName,
        clock,
        partners: config.partners,
        overlays: await loadOverlays(db),
        island: () => live.current.encryption,
      });
      const partnerActions = new PartnerActions({ partners, db, clock, log: log.child({ sub: 'partners' }) });
      const journal = new DecisionJournal({ db, clock, log: log.child({ sub: 'border' }) });
      const people = new LocalPeople(serverName, await db.departments.all());
      const federation = new Federation({
        serverName,
        signingKey: keys.signingKey,
        ownKeys: keys.own,
        linkStaticKey: keys.linkKey,
        software: { name: 'Archipelago', version },
        proxyUrl: config.httpsProxy,
        partners,
        actions: partnerActions,
        people,
        approvals: await Approvals.load({ db, clock, log: log.child({ sub: 'approvals' }) }),
        driftRecords: await db.roomDrifts.all(),
        internalDepartments: () => live.current.internalDepartments ?? [],
        asked: journal.asked,
        warned: journal.warned,
        db,
        clock,
        random,
        log,
        failPoint,
      });
      const ownKeys = new OwnKeyService({
        config,
        own: keys.own,
        db,
        clock,
        random,
        log: log.child({ sub: 'keys' }),
        changed: () => federation.ownKeyChanged(),
      });
      await ownKeys.noteAtStart();
      const system = await SystemUser.claim({ serverName, config: config.serverNotices, db, clock });
      const engine = new RoomEngine({
        serverName,
        signingKey: keys.signingKey,
        db,
        remote: federation.remote,
        keys: federation.keys,
        border: federation.border,
        invitations: federation.approvals,
        clock,
        random,
        log: log.child({ sub: 'rooms' }),
        defaultRoomVersion: () => {
          const { defaultRoomVersion } = live.current;
          return isRoomVersionId(defaultRoomVersion) ? defaultRoomVersion : '12';
        },
        systemUserId: system.userId,
        failPoint,
      });
      const accounts = new Accounts({ serverName, db, clock, random, system: config.serverNotices });
      const media = new MediaStore({
        serverName,
        directory: config.mediaStorePath,
        maxUploadSize: () => live.current.maxUploadSize,
        db,
        clock,
        random,
        fetchRemote: (origin, mediaId, maxBytes) => federation.remote.fetchMedia(origin, mediaId, maxBytes),
        mayRead: (userId, origin, file) =>
          federation.border.mayTransferFiles(origin, 'inbound', file, userId),
        mayKeep: (origin, file) => federation.border.mayPassFile(origin, 'inbound', file),
      });
      await media.tidy();
      const tracker = new TypingTracker(clock, (roomId) =>
        db.streams.publish([{ stream: 'typing', key: roomId }]),
      );
      const typing = new TypingService({
        engine,
        tracker,
        streams: db.streams,
        relay: {
          typing: (roomId, userId, isTyping, roomServers) =>
            federation.sendTyping({ roomId, userId, typing: isTyping, servers: roomServers }),
        },
      });
      const notices = await Notices.open({
        config: () => live.current,
        db,
        engine,
        system,
        partners,
        link: federation.link,
        approvals: federation.approvals,
        clock,
        log,
      });
      const receipts = new ReceiptService({
        db,
        engine,
        localNotices: notices.local,
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
        localNotices: notices.local,
        typing: tracker,
        clock,
        boots: await Boots.begin(db, random.bytes(4).toString('hex')),
      });
      const door: AdminDoor = { context: undefined };
      const api = {
        admin: () => door.context,
        config: live.clientView(),
        db,
        engine,
        localNotices: notices.local,
        remote: federation.remote,
        accounts,
        media,
        sync,
        receipts,
        typing,
        clock,
        random,
        log: log.child({ sub: 'http' }),
      };
      listeners = await Listeners.open(config.listeners, {
        handler: ({ resources }, addressOf) => buildClientApi(api, { resources, addressOf }).callback(),
        attachLink: (server, addressOf) => federation.attach(server, addressOf),
      });
      await recordStart(db, config);
      const partnerLines = new PartnerLines({ partners, db, clock, log: log.child({ sub: 'audit' }) });
      await partnerLines.start(federation.link);
      syslog =
        config.auditSyslog === undefined
          ? undefined
          : new SyslogExport({
              address: config.auditSyslog,
              serverName,
              db,
              clock,
              log: log.child({ sub: 'audit' }),
            });
      await syslog?.start();
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
      await notices.start();
      const retention = new Retention({
        partners,
        db,
        engine,
        media,
        clock,
        log: log.child({ sub: 'retention' }),
      });
      retention.start();
      return new Homeserver({
        retention,
        live,
        db,
        accounts,
        engine,
        federation,
        sync,
        people,
        partners,
        partnerActions,
        keys,
        journal,
        partnerLines,
        syslog,
        ownKeys,
        listeners,
        typing: tracker,
        notices,
        door,
      });
    } catch (error) {
      await listeners?.close();
      await syslog?.stop();
      await db.close();
      throw error;
    }
  }

  /** Where it listens, as URLs. */
  get urls(): string[] {
    return this.#listeners.urls;
  }

  /** From now on the admin API answers, on listeners that have it. */
  openAdmin(context: AdminContext): void {
    this.#door.context = context;
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#live.current;
  }

  /**
   * Takes over what a running island can take over of another configuration, at once and without dropping a
   * connection; the rest waits for the next start. Gives what that did to the partners. Never fails.
   */
  reload(files: Config): PartnerChanges {
    this.#live.replace(afterReload(this.config, files));
    this.#listeners.replaceCertificates(this.config.listeners);
    this.notices.look();
    return this.partners.replace(this.config.partners);
  }

  /** Takes over another set of partners, all at once; gives what that changed. */
  replacePartners(partners: readonly PartnerConfig[]): PartnerChanges {
    return this.partners.replace(partners);
  }

  /** Stops accepting, finishes what is open, says good-bye on the links, writes what is left. */
  async close(): Promise<void> {
    const closed = this.#listeners.close();
    this.sync.stop();
    this.#typing.stop();
    await this.notices.stop();
    await this.retention.stop();
    await this.federation.stop();
    await closed;
    await this.journal.flush();
    this.accounts.flush();
    this.#door.context?.island?.refusals.end();
    await this.#partnerLines.stop();
    // What was recorded before belongs before it.
    await this.db.audit.settled();
    // On a full disk it stops all the same; the writer has said why.
    await recordStop(this.db, this.config).catch(() => undefined);
    await this.#syslog?.stop();
    await this.db.close();
  }
}

/** Starts an island: see {@link Homeserver.start}. */
export function startHomeserver(config: Config, deps: HomeserverDeps): Promise<Homeserver> {
  return Homeserver.start(config, deps);
}
