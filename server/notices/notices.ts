import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Approvals } from '../../federation/approvals/approvals.ts';
import type { Federation } from '../../federation/federation.ts';
import type { PartnerRegistry } from '../../federation/partners/registry.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import { ApprovalNotices } from './approval-notices.ts';
import { LocalNotices } from './local-notices.ts';
import { NoticeRooms } from './notice-rooms.ts';
import { OfflineWatch } from './offline-watch.ts';
import { ServerNotices } from './server-notices.ts';
import { StandingWatch } from './standing-watch.ts';
import type { SystemUser } from './system-user.ts';

export interface NoticesDeps {
  /** What is in force at this moment. */
  readonly config: () => Pick<Config, 'serverNotices' | 'offlineNoticeAfterMs' | 'organization'>;
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly system: SystemUser;
  readonly partners: PartnerRegistry;
  readonly link: Federation['link'];
  readonly approvals: Approvals;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Everything that the server says to its own people. */
export class Notices {
  /** In rooms, between the events. */
  readonly local: LocalNotices;
  /** To each user, in a room of their own. */
  readonly server: ServerNotices;
  readonly #offline: OfflineWatch;
  readonly #standing: StandingWatch;
  readonly #approvals: ApprovalNotices;

  private constructor(deps: NoticesDeps, local: LocalNotices) {
    const { db, engine, system, config, partners } = deps;
    const { roomName } = config().serverNotices;
    this.local = local;
    this.server = new ServerNotices({
      ...deps,
      rooms: new NoticeRooms({ db, engine, system, roomName }),
      adminContact: () => config().organization?.adminContact,
    });
    this.#offline = new OfflineWatch({
      ...deps,
      notices: local,
      sender: system.userId,
      after: () => config().offlineNoticeAfterMs,
    });
    this.#standing = new StandingWatch({ ...deps, partners, notices: this.server });
    this.#approvals = new ApprovalNotices({ ...deps, notices: local, sender: system.userId });
  }

  /** To be opened before `/sync`, which is woken by notices. */
  static async open(deps: NoticesDeps): Promise<Notices> {
    const log = deps.log.child({ sub: 'notices' });
    return new Notices({ ...deps, log }, await LocalNotices.open(deps));
  }

  /** To be called when the links have begun. */
  async start(): Promise<void> {
    this.server.start();
    this.#standing.start();
    await this.#approvals.start();
    await this.#offline.start();
  }

  /** To be called when the configuration has changed. */
  look(): void {
    this.#offline.look();
  }

  /** Resolves when everybody is told of what has happened so far. */
  async idle(): Promise<void> {
    await this.#offline.idle();
    await this.#standing.idle();
    await this.#approvals.idle();
    await this.server.idle();
  }

  /** To be called before the links are closed: that we stop is no outage of anybody. */
  async stop(): Promise<void> {
    await this.#offline.stop();
    await this.#standing.stop();
    await this.#approvals.stop();
    await this.server.stop();
    this.local.close();
  }
}
