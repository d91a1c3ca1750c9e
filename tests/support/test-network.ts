import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, PartnerConfig } from '../../config/config.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import type { Clock, FailPoint } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { AdminError } from '../../server/admin-error.ts';
import type { Session } from '../../server/auth/accounts.ts';
import { type Homeserver, startHomeserver } from '../../server/homeserver.ts';
import { contextOf } from '../../server/running-context.ts';
import { emptyPostgres } from './postgres.ts';
import { type LogLine, realClock, realRandom, recordingLog } from './runtime.ts';
import { type ConfigOptions, partnerEntry, testConfig } from './test-config.ts';
import { Wire } from './wire.ts';

export interface IslandOptions extends ConfigOptions {
  readonly failPoint?: FailPoint;
  readonly clock?: Clock;
  /** The test touches the file of the database, so it is SQLite whatever else the tests run on. */
  readonly isFileTouched?: boolean;
}

export const testPassword = 'a test password';

/**
 * Unless a test says otherwise its islands may meet in one room, all of them being partners; one that a test plays by
 * hand answers no questions.
 */
export const severalPartners: Partial<PartnerPolicy> = {
  rooms: { ...defaultPartnerPolicy.rooms, thirdParties: 'listed', thirdPartyConsent: 'if_possible' },
};

/** One island of a test: a folder, and while it runs a whole homeserver behind a port of loopback. */
export class TestIsland {
  readonly serverName: string;
  readonly directory: string;
  readonly lines: LogLine[] = [];
  readonly #options: IslandOptions;
  #homeserver: Homeserver | undefined;
  #postgres: Config['database'] | undefined;
  partners: PartnerConfig[] = [];

  constructor(serverName: string, directory: string, options: IslandOptions) {
    this.serverName = serverName;
    this.directory = directory;
    this.#options = options;
  }

  get homeserver(): Homeserver {
    if (this.#homeserver === undefined) throw new Error(`${this.serverName} does not run`);
    return this.#homeserver;
  }

  get isRunning(): boolean {
    return this.#homeserver !== undefined;
  }

  get url(): string {
    const [url] = this.homeserver.urls;
    if (url === undefined) throw new Error(`${this.serverName} does not listen`);
    return url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Where the admin API is, of an island that has one. */
  get adminPort(): number {
    const [, url] = this.homeserver.urls;
    if (url === undefined) throw new Error(`${this.serverName} has no admin API`);
    return Number(new URL(url).port);
  }

  async start(): Promise<void> {
    const { serverName, directory, partners } = this;
    const options = { ...(await this.#postgresIfWanted()), ...this.#options };
    const config = testConfig({ ...options, serverName, directory, partners });
    this.#homeserver = await startHomeserver(config, {
      clock: this.#options.clock ?? realClock,
      random: realRandom,
      log: recordingLog(this.lines),
      failPoint: this.#options.failPoint,
    });
    this.#homeserver.openAdmin(
      contextOf(this.#homeserver, this.#options.clock ?? realClock, {
        reload: () => Promise.reject(new AdminError('The islands of this network have no file')),
        diff: () => Promise.reject(new AdminError('The islands of this network have no file')),
      }),
    );
  }

  async stop(): Promise<void> {
    const homeserver = this.#homeserver;
    this.#homeserver = undefined;
    await homeserver?.close();
  }

  /** With `ARCHIPELAGO_TEST_DATABASE=postgres` a PostgreSQL database of its own, where the test asks for none. */
  async #postgresIfWanted(): Promise<Pick<IslandOptions, 'database'>> {
    if (this.#options.isFileTouched === true) return {};
    if (process.env['ARCHIPELAGO_TEST_DATABASE'] !== 'postgres') return {};
    this.#postgres ??= await emptyPostgres();
    return { database: this.#postgres };
  }

  userId(localpart: string): string {
    return `@${localpart}:${this.serverName}`;
  }

  /** Makes a user and logs them in. */
  async session(localpart: string, options: { readonly admin?: boolean } = {}): Promise<Session> {
    const { accounts } = this.homeserver;
    const userId = await accounts.create(localpart, testPassword, options.admin ?? false);
    return accounts.openSession(userId, { remoteAddress: '127.0.0.1' });
  }

  /** Adds a partner, or replaces its entry. Without a port it is the partner that dials. */
  addPartner(serverName: string, key: SigningKey, port?: number): void {
    const others = this.partners.filter((partner) => partner.serverName !== serverName);
    const { partnerPolicy = severalPartners } = this.#options;
    this.setPartners([...others, partnerEntry(serverName, key, port, partnerPolicy)]);
  }

  setPartners(partners: PartnerConfig[]): void {
    this.partners = partners;
    if (this.isRunning) this.homeserver.replacePartners(partners);
  }
}

/** Several islands in one process, and the wires between them. */
export class TestNetwork {
  readonly #directory: string;
  readonly #islands = new Map<string, TestIsland>();
  /** By the two names, the dialler's first. */
  readonly #wires = new Map<string, Wire>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Starts islands of these names; none is anybody's partner yet. */
  static async start(serverNames: readonly string[], options: IslandOptions = {}): Promise<TestNetwork> {
    const network = new TestNetwork(await mkdtemp(join(tmpdir(), 'archipelago-test-')));
    for (const serverName of serverNames) await network.add(serverName, options);
    return network;
  }

  /** Starts islands of which each is a partner of all the others. */
  static async paired(serverNames: readonly string[], options: IslandOptions = {}): Promise<TestNetwork> {
    const network = await TestNetwork.start(serverNames, options);
    for (const [index, name] of serverNames.entries()) {
      for (const other of serverNames.slice(index + 1)) await network.pair(name, other);
    }
    return network;
  }

  async add(serverName: string, options: IslandOptions = {}): Promise<TestIsland> {
    const directory = join(this.#directory, encodeURIComponent(serverName));
    const island = new TestIsland(serverName, directory, options);
    this.#islands.set(serverName, island);
    await island.start();
    return island;
  }

  island(serverName: string): TestIsland {
    const island = this.#islands.get(serverName);
    if (island === undefined) throw new Error(`There is no island ${serverName}`);
    return island;
  }

  /** Makes two islands partners of each other; resolves when their link is up. */
  async pair(one: string, other: string): Promise<void> {
    await this.introduce(one, other);
    await this.introduce(other, one);
    await this.linked(one, other);
  }

  /** `host` adds `guest` as a partner, and not the other way round. */
  async introduce(guest: string, host: string): Promise<void> {
    const guestIsland = this.island(guest);
    const key = `${host} ${guest}`;
    const wire = this.#wires.get(key) ?? (await Wire.to(guestIsland.port));
    this.#wires.set(key, wire);
    this.island(host).addPartner(guest, guestIsland.homeserver.keys.signingKey, wire.port);
  }

  /** Breaks the wires between two islands, in both directions. */
  cut(one: string, other: string): void {
    for (const wire of this.#between(one, other)) wire.cut();
  }

  heal(one: string, other: string): void {
    for (const wire of this.#between(one, other)) wire.heal();
    for (const name of [one, other]) {
      if (this.island(name).isRunning) this.island(name).homeserver.federation.partnersChanged();
    }
  }

  /** The wires between two islands, one for each that dials. */
  wires(one: string, other: string): Wire[] {
    return this.#between(one, other);
  }

  /** Stops an island, lets the test touch its files, and starts it again. */
  async restart(serverName: string, whileDown?: (island: TestIsland) => Promise<void>): Promise<void> {
    const island = this.island(serverName);
    if (island.isRunning) await island.stop();
    await whileDown?.(island);
    await island.start();
    for (const [key, wire] of this.#wires) {
      if (key.endsWith(` ${serverName}`)) wire.retarget(island.port);
    }
    for (const other of this.#running()) other.homeserver.federation.partnersChanged();
  }

  /** Resolves when the link between two islands is up on both sides. */
  linked(one: string, other: string): Promise<void> {
    return this.until(
      () =>
        this.island(one).homeserver.federation.link.status(other).state === 'connected' &&
        this.island(other).homeserver.federation.link.status(one).state === 'connected',
      `${one} and ${other} are not linked`,
    );
  }

  /** Resolves when nothing is under way: all is written, delivered, processed. Fails after a while. */
  async settled(): Promise<void> {
    let quiet = 0;
    await this.until(async () => {
      quiet = (await this.#isQuiet()) ? quiet + 1 : 0;
      return quiet >= 2;
    }, 'the network does not come to rest');
  }

  /** Resolves when all that has arrived is processed, whatever still waits to be sent. */
  async processed(): Promise<void> {
    for (const { homeserver } of this.#running()) {
      await homeserver.db.writer.idle();
      await homeserver.federation.processed();
    }
  }

  /** Asks again and again; fails with `complaint` after ten seconds. */
  async until(isSo: () => boolean | Promise<boolean>, complaint: string): Promise<void> {
    const giveUp = Date.now() + 10_000;
    while (!(await isSo())) {
      if (Date.now() > giveUp) throw new Error(complaint);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#islands.values()].map((island) => island.stop()));
    await Promise.all([...this.#wires.values()].map((wire) => wire.close()));
    await rm(this.#directory, { recursive: true, force: true });
  }

  #running(): TestIsland[] {
    return [...this.#islands.values()].filter(({ isRunning }) => isRunning);
  }

  async #isQuiet(): Promise<boolean> {
    await this.processed();
    for (const { homeserver } of this.#running()) {
      for (const { serverName, outbox } of await homeserver.federation.status()) {
        const partner = this.#islands.get(serverName);
        // What is for a partner that is down waits as it should.
        if (partner?.isRunning && outbox.pdu + outbox.device + outbox.ephemeral > 0) return false;
      }
    }
    return true;
  }

  #between(one: string, other: string): Wire[] {
    return [`${one} ${other}`, `${other} ${one}`].flatMap((key) => this.#wires.get(key) ?? []);
  }
}
