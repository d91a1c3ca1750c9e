import type { Config } from '../../config/config.ts';
import type { Administration, OperationName, ParamsOf, ResultOf } from '../admin/table.ts';
import { AdminError, systemCode } from '../admin-error.ts';
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

/** Does one thing to an island, whether it runs or not. */
export function administer<Name extends OperationName>(
  config: Config,
  name: Name,
  params: ParamsOf<Name>,
): Promise<ResultOf<Name>> {
  return administration(config, (island) => island.call(name, params));
}

/** Does several things to an island: through the running one, or on its database while it is stopped. */
export async function administration<T>(
  config: Config,
  run: (island: Administration) => Promise<T>,
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

/** Lets the island take over the entry of one partner, if it runs; gives what else the files say that is not in force. */
export async function reloadPartner(
  config: Config,
  partner: string,
): Promise<{ readonly isRunning: boolean; readonly pending: readonly string[] }> {
  const island = await connectTo(config);
  const report = await island?.call('config.reload', { partner });
  return { isRunning: island !== undefined, pending: report?.pending ?? [] };
}
