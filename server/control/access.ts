import type { Config } from '../../config/config.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import type { Administration } from './administration.ts';
import { ControlClient } from './control-client.ts';

/** An island that starts or stops, or another command, is waited for. */
const waitMs = 10_000;
const againMs = 100;

/** The running island of a configuration; undefined if it does not run. */
export async function connectTo(config: Config): Promise<ControlClient | undefined> {
  const island = await ControlClient.connect(config.dataDirectory);
  const name = island?.island.server_name;
  if (name !== undefined && name !== config.serverName)
    throw new AdminError(
      `The island that runs with the data folder ${config.dataDirectory} is ${name}, and the configuration says ${config.serverName}`,
    );
  return island;
}

/** Does something to an island: through the running one, or on its database while it is stopped. */
export async function administer<T>(
  config: Config,
  run: (administration: Administration) => Promise<T>,
): Promise<T> {
  const giveUp = Date.now() + waitMs;
  for (;;) {
    const island = await connectTo(config);
    if (island !== undefined) return run(island);
    const stopped = await tryOpen(config, Date.now() < giveUp);
    if (stopped === undefined) {
      await new Promise((resolve) => setTimeout(resolve, againMs));
      continue;
    }
    try {
      return await run(stopped.administration);
    } finally {
      await stopped.close();
    }
  }
}

/** Undefined if somebody has the database and it is worth trying again. */
async function tryOpen(config: Config, mayWait: boolean) {
  // Loaded only here: most commands find a running island and need no database.
  const { openStopped } = await import('./open-stopped.ts');
  try {
    return await openStopped(config);
  } catch (error) {
    if (mayWait && systemCode(error) === 'locked') return undefined;
    throw error;
  }
}
