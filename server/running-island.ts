import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { describeProblems } from '../config/problem.ts';
import type { PartnerChanges } from '../federation/partners.ts';
import { StorageError } from '../storage/database.ts';
import { AdminError } from './admin-error.ts';
import { ControlClient } from './control/control-client.ts';
import { ControlServer } from './control/control-server.ts';
import { type Homeserver, type HomeserverDeps, startHomeserver } from './homeserver.ts';
import { contextOf } from './running-context.ts';

/** So long a command may have the database while the island wants to start. */
const lockWaitMs = 2_000;
const againMs = 100;

/** An island as a process: the homeserver, and the control socket over which commands reach it. */
export class RunningIsland {
  readonly homeserver: Homeserver;
  readonly #deps: HomeserverDeps;
  #control: ControlServer | undefined;
  #reload: Promise<unknown> = Promise.resolve();

  private constructor(homeserver: Homeserver, deps: HomeserverDeps) {
    this.homeserver = homeserver;
    this.#deps = deps;
  }

  /** Resolves when it listens. Rejects with a message for the administrator, among them that it runs already. */
  static async start(config: Config, deps: HomeserverDeps): Promise<RunningIsland> {
    const homeserver = await startWhenFree(config, deps);
    const island = new RunningIsland(homeserver, deps);
    try {
      await island.#openControl();
      // A partner that was added after the configuration was read, and before commands could say so.
      await island.reload();
    } catch (error) {
      await island.close();
      throw error;
    }
    return island;
  }

  async #openControl(): Promise<void> {
    const { homeserver } = this;
    const context = contextOf(homeserver, this.#deps.clock, { reload: () => this.reload() });
    this.#control = await ControlServer.open({
      dataDirectory: homeserver.config.dataDirectory,
      context,
      log: this.#deps.log.child({ sub: 'control' }),
    });
    homeserver.openAdmin(context);
  }

  /**
   * Reads the configuration again and takes over its partners. Throws AdminError for one with mistakes; then
   * everything stays as it is. One after the other: what is on disk last is what is in force.
   */
  reload(): Promise<{ partners: number }> {
    const reload = this.#reload.then(() => this.#readPartners());
    this.#reload = reload.catch(() => undefined);
    return reload;
  }

  async #readPartners(): Promise<{ partners: number }> {
    const { file, directory, serverName } = this.homeserver.config;
    const loaded = await loadConfig(file, { now: this.#deps.clock.now() });
    if (!loaded.ok) throw new AdminError(describeProblems(loaded.problems, directory));
    const { partners } = loaded.config;
    if (loaded.config.serverName !== serverName)
      throw new AdminError(
        `The island runs as ${serverName}, and the configuration now says ${loaded.config.serverName}`,
      );
    const changes = this.homeserver.replacePartners(partners);
    const names = (list: PartnerChanges['added']): string[] => list.map((partner) => partner.serverName);
    const { added, changed, removed } = changes;
    if (added.length + changed.length + removed.length > 0)
      this.#deps.log.info(
        { added: names(added), changed: names(changed), removed: names(removed) },
        'partners changed',
      );
    return { partners: partners.length };
  }

  /** Stops accepting, finishes what is open, says good-bye on the links, writes what is left. */
  async close(): Promise<void> {
    const closed = this.#control?.close();
    await this.homeserver.close();
    await closed;
  }
}

async function startWhenFree(config: Config, deps: HomeserverDeps): Promise<Homeserver> {
  const { clock } = deps;
  const giveUp = clock.now() + lockWaitMs;
  for (;;) {
    const other = await ControlClient.connect(config.dataDirectory);
    if (other !== undefined) {
      const { pid, server_name } = other.island;
      throw new AdminError(`The island ${server_name} runs already, as process ${pid}`);
    }
    try {
      return await startHomeserver(config, deps);
    } catch (error) {
      const isTaken = error instanceof StorageError && error.code === 'locked';
      if (!isTaken || clock.now() >= giveUp) throw error;
      await new Promise<void>((resolve) => setTimeout(resolve, againMs));
    }
  }
}
