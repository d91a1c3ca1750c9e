import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config, PartnerConfig } from '../../../config/config.ts';
import { type IslandKeys, loadKeys } from '../../../server/keys.ts';
import { realRandom } from '../../support/runtime.ts';
import { testConfig } from '../../support/test-config.ts';
import type { Trap } from './island-main.ts';
import { type End, KillableProcess } from './killable-process.ts';

export interface IslandOptions {
  /** What its processes run. */
  readonly entry: string;
  readonly serverName: string;
  readonly directory: string;
  readonly roomVersion: string;
  /** Time runs so many times faster since `epoch`. */
  readonly pace: number;
  readonly epoch: number;
}

/** An island that dies and comes back: a folder, and one process after the other that works on it. */
export class KillableIsland {
  readonly serverName: string;
  readonly keys: IslandKeys;
  readonly databasePath: string;
  readonly #options: IslandOptions;
  #config: Config;
  #process: KillableProcess | undefined;
  /** Loaded already, so that a restart is fast. */
  #spare: KillableProcess | undefined;
  #port: number | undefined;
  #listening: (() => void)[] = [];
  #isOver = false;

  private constructor(options: IslandOptions, keys: IslandKeys) {
    const { serverName, directory } = options;
    this.serverName = serverName;
    this.keys = keys;
    this.databasePath = join(directory, 'homeserver.db');
    this.#options = options;
    this.#config = this.#configWith([]);
  }

  /** Makes the folder and the keys; nothing runs yet. */
  static async prepare(options: IslandOptions): Promise<KillableIsland> {
    const { serverName, directory } = options;
    await mkdir(directory, { recursive: true });
    const keys = await loadKeys(testConfig({ serverName, directory, partners: [] }), realRandom);
    return new KillableIsland(options, keys);
  }

  #configWith(partners: readonly PartnerConfig[]): Config {
    const { serverName, directory, roomVersion } = this.#options;
    return testConfig({
      serverName,
      directory,
      partners,
      enableRegistration: true,
      defaultRoomVersion: roomVersion,
    });
  }

  /** For the next start. */
  setPartners(partners: readonly PartnerConfig[]): void {
    this.#config = this.#configWith(partners);
  }

  get isListening(): boolean {
    return this.#port !== undefined;
  }

  /** Where it listens now. Throws while it does not. */
  get port(): number {
    if (this.#port === undefined) throw new Error(`${this.serverName} does not listen`);
    return this.#port;
  }

  get pid(): number {
    if (this.#process === undefined) throw new Error(`${this.serverName} does not run`);
    return this.#process.pid;
  }

  /** Starts a process; false if it died before it listened, as a trap may want it. */
  async start(trap?: Trap): Promise<boolean> {
    if (this.#isOver) throw new Error(`${this.serverName} was stopped for good`);
    const { entry, directory, pace, epoch } = this.#options;
    const process = this.#spare ?? new KillableProcess(entry);
    this.#spare = new KillableProcess(entry);
    this.#process = process;
    process.ended.then(() => {
      if (this.#process === process) this.#port = undefined;
    });
    const logFile = join(directory, 'log');
    try {
      const port = await process.start({ config: this.#config, logFile, pace, epoch, trap });
      if (process.hasEnded) return false;
      this.#port = port;
      for (const go of this.#listening.splice(0)) go();
      return true;
    } catch (error) {
      const { signal } = await process.ended;
      if (signal === 'SIGKILL') return false;
      throw error;
    }
  }

  /** Sets a trap for the process that runs now, or takes it away; if it dies of the old one, so be it. */
  async setTrap(trap: Trap | undefined): Promise<void> {
    const process = this.#process;
    await process?.setTrap(trap).catch(() => process.ended);
  }

  kill(): void {
    this.#process?.kill();
  }

  /** Resolves when the process that runs now has ended. */
  async dead(): Promise<End> {
    const process = this.#process;
    if (process === undefined) throw new Error(`${this.serverName} does not run`);
    return process.ended;
  }

  /** Resolves when it listens, at once if it does. */
  async listening(): Promise<void> {
    if (this.#port === undefined) await new Promise<void>((resolve) => this.#listening.push(resolve));
  }

  /** What it logged in all its lives. */
  async log(): Promise<Readonly<Record<string, unknown>>[]> {
    const text = await readFile(join(this.#options.directory, 'log'), 'utf8');
    // The last line of a killed process may be half there.
    return text.split('\n').flatMap((line) => {
      try {
        return [JSON.parse(line) as Readonly<Record<string, unknown>>];
      } catch {
        return [];
      }
    });
  }

  /** Ends it for good. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#spare?.kill();
    const process = this.#process;
    this.#process = undefined;
    this.#port = undefined;
    if (process !== undefined && !process.hasEnded) await process.stop();
    await this.#spare?.ended;
  }
}
