import type { ServerNoticesConfig } from '../../config/config.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { Database } from '../../storage/database.ts';
import { AdminError } from '../admin-error.ts';

const metadataKey = 'system_user';

/** The user as whom the server speaks to its own people. There is no way to become or log in as this user. */
export class SystemUser {
  readonly userId: string;
  readonly #config: ServerNoticesConfig;
  readonly #db: Database;
  readonly #clock: Clock;
  #isThere: Promise<void> | undefined;

  private constructor(deps: { serverName: string; config: ServerNoticesConfig; db: Database; clock: Clock }) {
    this.userId = `@${deps.config.localpart}:${deps.serverName}`;
    this.#config = deps.config;
    this.#db = deps.db;
    this.#clock = deps.clock;
  }

  /** Throws AdminError if the name is somebody's. */
  static async claim(deps: {
    serverName: string;
    config: ServerNoticesConfig;
    db: Database;
    clock: Clock;
  }): Promise<SystemUser> {
    const { db, config } = deps;
    const isOurs = (await db.metadata.get(metadataKey)) === config.localpart;
    if (!isOurs && (await db.users.get(config.localpart)) !== undefined)
      throw new AdminError(
        `The user ${config.localpart} is somebody already, and cannot be the one as whom the server speaks: set server_notices.system_mxid_localpart to a name that nobody has`,
        { kind: 'conflict' },
      );
    return new SystemUser(deps);
  }

  /** Makes the user when it is first needed, and gives it the name that the configuration says. */
  ensure(): Promise<void> {
    this.#isThere ??= this.#make().catch((error: unknown) => {
      this.#isThere = undefined;
      throw error;
    });
    return this.#isThere;
  }

  async #make(): Promise<void> {
    const { users, metadata, writer } = this.#db;
    const { localpart, displayName } = this.#config;
    const known = await users.get(localpart);
    if (known?.displayName === displayName) return;
    const ops =
      known === undefined
        ? users.insert({
            localpart,
            passwordHash: null,
            deactivated: false,
            createdTs: this.#clock.now(),
            displayName,
            avatarUrl: null,
          })
        : users.update(localpart, { displayName });
    await writer.submit({ label: 'system user', ops: [...metadata.put(metadataKey, localpart), ...ops] });
  }
}
