import { fileURLToPath } from 'node:url';
import type { Homeserver } from '../../server/homeserver.ts';
import { RunningIsland } from '../../server/running-island.ts';
import type { AuditRecord } from '../../storage/audit/chain.ts';
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
    this.#running = await RunningIsland.start(await this.folder.files(), {
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

  get homeserver(): Homeserver {
    return this.running.homeserver;
  }

  /** The file with which another island makes this one its partner; `more` stands in the entry. */
  asPartner(more = ''): string {
    const { keyId, publicKey } = this.homeserver.keys.signingKey;
    const { serverName } = this.homeserver.config;
    return `partners:\n  - server_name: ${serverName}\n    verify_keys: {"${keyId}": {key: ${publicKey}}}\n    transport: {urls: ["ws://127.0.0.1:${this.port}"]}\n${more}`;
  }

  /** The lines of the audit log about an action. */
  async audited(action: string): Promise<AuditRecord[]> {
    await this.homeserver.db.audit.settled();
    return (await this.homeserver.db.audit.page()).filter((line) => line.action === action);
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
