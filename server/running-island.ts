import type { Config } from '../config/config.ts';
import type { LoadedFiles } from '../config/load.ts';
import { StorageError } from '../storage/database.ts';
import type { AdminContext } from './admin/context.ts';
import { operationsByName, perform } from './admin/perform.ts';
import { roles } from './admin/roles.ts';
import { AdminError } from './admin-error.ts';
import { ControlClient } from './control/control-client.ts';
import { ControlServer } from './control/control-server.ts';
import { type Homeserver, type HomeserverDeps, startHomeserver } from './homeserver.ts';
import { Reloader } from './reloader.ts';
import { contextOf } from './running-context.ts';

/** So long a command may have the database while the island wants to start. */
const lockWaitMs = 2_000;
const againMs = 100;

/** An island as a process: the homeserver, and the control socket over which commands reach it. */
export class RunningIsland {
  readonly homeserver: Homeserver;
  readonly #deps: HomeserverDeps;
  readonly reloader: Reloader;
  #context: AdminContext | undefined;
  #control: ControlServer | undefined;

  private constructor(homeserver: Homeserver, loaded: LoadedFiles, deps: HomeserverDeps) {
    const { clock, log } = deps;
    this.homeserver = homeserver;
    this.#deps = deps;
    this.reloader = new Reloader({ homeserver, loaded, clock, log: log.child({ sub: 'config' }) });
  }

  /** Resolves when it listens. Rejects with a message for the administrator, among them that it runs already. */
  static async start(loaded: LoadedFiles, deps: HomeserverDeps): Promise<RunningIsland> {
    const homeserver = await startWhenFree(loaded.config, deps);
    const island = new RunningIsland(homeserver, loaded, deps);
    try {
      await island.#openControl();
      // A partner that was added after the configuration was read, and before commands could say so.
      await island.reloader.reload();
    } catch (error) {
      await island.close();
      throw error;
    }
    return island;
  }

  async #openControl(): Promise<void> {
    const { homeserver, reloader } = this;
    const context = contextOf(homeserver, this.#deps.clock, {
      reload: (options) => reloader.reload(options),
      diff: () => reloader.diff(),
    });
    this.#context = context;
    this.#control = await ControlServer.open({
      dataDirectory: homeserver.config.dataDirectory,
      context,
      log: this.#deps.log.child({ sub: 'control' }),
    });
    homeserver.openAdmin(context);
  }

  /** As the command `archipelago reload`, for whoever sent this process SIGHUP. Never rejects: the log says it all. */
  async reloadBySignal(): Promise<void> {
    const reload = operationsByName.get('config.reload');
    if (reload === undefined || this.#context === undefined) return;
    try {
      await perform(this.#context, reload, {}, { name: 'SIGHUP', roles: new Set(roles) });
    } catch (error) {
      // The reloader logged what is wrong with the files.
      if (!(error instanceof AdminError)) this.#deps.log.error({ err: error }, 'a reload failed');
    }
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
