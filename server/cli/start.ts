import { type Command, Option } from 'commander';
import type { Logger } from 'pino';
import type { Config } from '../../config/config.ts';
import type { Homeserver } from '../homeserver.ts';
import { systemClock, systemRandom } from '../runtime.ts';
import { type ConfigOption, readFiles, withConfig } from './configuration.ts';
import { type LogOptions, logFormats, logLevels } from './log-options.ts';
import { commandLine, shownPath } from './terminal.ts';

/** Within this, a stop is over. */
const stopWithinMs = 9_000;

export function addStart(program: Command): void {
  const command = program
    .command('start')
    .description(
      'Run the island until it is told to stop (SIGTERM, Ctrl-C). The first start makes its keys. SIGHUP reads the configuration again.',
    );
  withConfig(command)
    .addOption(new Option('--log-level <level>', 'what is logged').choices(logLevels).default('info'))
    .addOption(
      new Option('--log-format <format>', 'pretty is for people')
        .choices(logFormats)
        .default(process.stdout.isTTY ? 'pretty' : 'json', 'pretty on a terminal, else json'),
    )
    .action(start);
}

async function start(options: ConfigOption & LogOptions): Promise<void> {
  const signalled = stopSignal();
  // Without a listener the signal would end the process; while the island starts there is nothing to reload.
  let reload = (): void => undefined;
  process.on('SIGHUP', () => reload());
  const loaded = await readFiles(options.config);
  const { config } = loaded;
  // Loaded only here: no other command needs all of it.
  const { makeLog } = await import('./log.ts');
  const { RunningIsland } = await import('../running-island.ts');
  const log = await makeLog(options);
  process.prependListener('uncaughtException', (error) => {
    log.fatal({ err: error }, 'unexpected error: the island ends');
    process.exit(1);
  });
  const island = await RunningIsland.start(loaded, { clock: systemClock, random: systemRandom, log });
  reload = () => void island.reloadBySignal();
  log.info({ serverName: config.serverName, urls: publicUrls(config, island.homeserver) }, 'island ready');
  await hints(config, island.homeserver, log);

  const signal = await signalled;
  log.info({ signal }, 'stopping');
  const late = setTimeout(() => {
    log.error('stopping took too long; what was acknowledged is on disk');
    process.exit(1);
  }, stopWithinMs);
  await island.close();
  clearTimeout(late);
  log.info('island stopped');
  process.exit(0);
}

/** Resolves at the first signal to stop; the second ends the process at once. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.on(signal, () => {
        if (isStopping) process.exit(signal === 'SIGINT' ? 130 : 143);
        isStopping = true;
        resolve(signal);
      });
  });
}

function publicUrls({ publicBaseurl }: Config, { urls }: Homeserver): string[] {
  return publicBaseurl === undefined ? urls : [publicBaseurl, ...urls];
}

/** What somebody who starts their first island needs to know. */
async function hints(config: Config, island: Homeserver, log: Logger): Promise<void> {
  const file = shownPath(config.file);
  if ((await island.db.users.count()) === 0) {
    const command = commandLine('user', 'add', 'NAME', '--admin', '-c', file);
    log.info({ command }, 'there are no users yet; this command makes the first admin');
  }
  if (/(?:^|\.)localhost(?::\d+)?$/.test(config.serverName)) {
    const command = commandLine('init', '--server-name', 'chat.acme.example', '--dir', '/srv/acme');
    log.warn(
      { serverName: config.serverName, command },
      'this server name is for trying out, and the name of an island can never change; init makes an island with a real name',
    );
  }
}
