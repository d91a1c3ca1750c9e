import { fileURLToPath } from 'node:url';
import { RunningIsland } from '../../server/running-island.ts';
import { ConfigFolder } from '../config/support.ts';
import { freePort } from './free-port.ts';
import { type LogLine, realClock, realRandom, recordingLog } from './runtime.ts';

/** An island with files of its own, started as `archipelago start` does it, within the test's process. */
export class ConfiguredIsland {
  readonly folder: ConfigFolder;
  readonly port: number;
  readonly lines: LogLine[] = [];
  #running: RunningIsland | undefined;

  private constructor(folder: ConfigFolder, port: number) {
    this.folder = folder;
    this.port = port;
  }

  /** `main` gives what `homeserver.yaml` says beside the name, the listener included. */
  static async start(
    serverName: string,
    main: (port: number) => string,
    others: Readonly<Record<string, string>> = {},
  ): Promise<ConfiguredIsland> {
    const port = await freePort();
    const folder = new ConfigFolder(`server_name: ${serverName}\n${main(port)}`, others);
    const island = new ConfiguredIsland(folder, port);
    await island.start();
    return island;
  }

  async start(): Promise<void> {
    this.#running = await RunningIsland.start(await this.folder.config(), {
      clock: realClock,
      random: realRandom,
      log: recordingLog(this.lines),
    });
  }

  get running(): RunningIsland {
    if (this.#running === undefined) throw new Error('The island does not run');
    return this.#running;
  }

  get url(): string {
    return this.running.homeserver.urls[0] ?? '';
  }

  async stop(): Promise<void> {
    await this.#running?.close();
    this.#running = undefined;
  }
}

/** The path of a certificate or key for `localhost`: the first pair, and the one that renews it. */
export function localhostPem(which: 'first' | 'renewed', form: 'crt' | 'key'): string {
  const name = which === 'first' ? '../link/fixtures/localhost' : '../config/fixtures/renewed';
  return fileURLToPath(new URL(`${name}.${form}`, import.meta.url));
}
