import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import type { LinkLimits } from '../../federation/link/limits.ts';
import {
  generateLinkKey,
  type LinkHandler,
  LinkManager,
  type LinkManagerDeps,
  type LinkPartner,
} from '../../federation/link/link-manager.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Random } from '../../protocol/runtime.ts';
import { generateSigningKey, type SigningKey } from '../../protocol/signing.ts';
import { FakeClock } from '../support/fake-clock.ts';

export const random: Random = { bytes: (length) => randomBytes(length) };

/** Turns of the event loop until `isTrue`; fails loudly instead of hanging. */
export async function until(isTrue: () => boolean, what = isTrue.toString()): Promise<void> {
  const end = Date.now() + 8_000;
  while (!isTrue()) {
    if (Date.now() > end) throw new Error(`It never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A few turns of the event loop: what is under way on loopback has arrived. */
export async function quiet(turns = 40): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export interface TestIslandOptions {
  readonly clock?: FakeClock;
  readonly limits?: Partial<LinkLimits>;
  readonly handler?: LinkHandler;
  readonly hello?: () => Promise<JsonObject>;
  readonly onHello?: (serverName: string, hello: JsonObject) => Promise<void>;
  readonly internals?: LinkManagerDeps['internals'];
  readonly features?: readonly string[];
  readonly proxyUrl?: string;
  readonly server?: Server;
}

/** An island as far as its links: a real server on a free port, and a set of partners. */
export class TestIsland {
  readonly name: string;
  readonly clock: FakeClock;
  readonly signingKey: SigningKey;
  readonly linkKey = generateLinkKey(random);
  readonly partners = new Map<string, LinkPartner>();
  readonly hellos: { from: string; hello: JsonObject }[] = [];
  readonly requests: string[] = [];
  readonly logged: Record<string, unknown>[] = [];
  readonly server: Server;
  readonly manager: LinkManager;
  handler: LinkHandler;

  constructor(name: string, options: TestIslandOptions = {}) {
    this.name = name;
    this.clock = options.clock ?? new FakeClock();
    this.signingKey = generateSigningKey('ed25519:1', random);
    this.handler =
      options.handler ??
      (async (request) => {
        this.requests.push(request.uri);
        const body = await request.body(1024 * 1024);
        return { status: 200, contentType: 'text/plain', body };
      });
    this.server = options.server ?? createServer((_request, response) => response.writeHead(404).end());
    this.manager = new LinkManager({
      serverName: name,
      signingKey: this.signingKey,
      linkStaticKey: this.linkKey,
      partners: {
        get: (serverName) => this.partners.get(serverName),
        active: () => [...this.partners.values()].filter((partner) => partner.state === 'active'),
      },
      handler: (request) => this.handler(request),
      hello: {
        local: options.hello ?? (async () => ({ from: name })),
        remote: async (from, hello) => {
          this.hellos.push({ from, hello });
          await options.onHello?.(from, hello);
        },
      },
      clock: this.clock,
      random,
      log: this.#logger(),
      software: { name: 'test', version: '1' },
      ...(options.features === undefined ? {} : { features: options.features }),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      ...(options.internals === undefined ? {} : { internals: options.internals }),
      ...(options.proxyUrl === undefined ? {} : { proxyUrl: options.proxyUrl }),
    });
    this.manager.attach(this.server);
  }

  #logger(): Logger {
    const sink = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        for (const line of chunk.toString().split('\n')) if (line !== '') this.logged.push(JSON.parse(line));
        done();
      },
    });
    return pino({ level: 'debug' }, sink);
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.listen(0, '127.0.0.1', resolve);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  /** How others see this island. */
  asPartner(changes: Partial<LinkPartner> = {}): LinkPartner {
    return {
      serverName: this.name,
      state: 'active',
      verifyKeys: new Map([[this.signingKey.keyId, { key: this.signingKey.publicKey }]]),
      urls: changes.urls ?? [this.url],
      dial: 'both',
      allowCleartext: false,
      allowPrivateIp: false,
      ...changes,
    };
  }

  isUp(serverName: string): boolean {
    return this.manager.status(serverName).state === 'connected';
  }

  /** What was logged with this reason. */
  hasLogged(reason: string): boolean {
    return this.logged.some((entry) => entry['reason'] === reason);
  }

  async close(): Promise<void> {
    let isStopped = false;
    const stopped = this.manager.stop().then(() => {
      isStopped = true;
    });
    // The wait for what is open ends by the clock.
    while (!isStopped) {
      this.clock.advance(1_000);
      await quiet(5);
    }
    await stopped;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Two islands, each the other's partner; `acme` dials unless told otherwise. Not started. */
export async function twoIslands(
  options: { acme?: TestIslandOptions; bolt?: TestIslandOptions; dial?: 'acme' | 'both' } = {},
): Promise<{ acme: TestIsland; bolt: TestIsland; clock: FakeClock; close(): Promise<void> }> {
  const clock = new FakeClock();
  const acme = new TestIsland('acme.test', { clock, ...options.acme });
  const bolt = new TestIsland('bolt.test', { clock, ...options.bolt });
  await Promise.all([acme.listen(), bolt.listen()]);
  const boltDials = options.dial === 'both';
  acme.partners.set(bolt.name, bolt.asPartner());
  bolt.partners.set(acme.name, acme.asPartner(boltDials ? {} : { dial: 'inbound' }));
  const close = async (): Promise<void> => {
    await Promise.all([acme.close(), bolt.close()]);
  };
  return { acme, bolt, clock, close };
}

/** The same, with a link. */
export async function linkedIslands(
  options: { acme?: TestIslandOptions; bolt?: TestIslandOptions } = {},
): ReturnType<typeof twoIslands> {
  const both = await twoIslands(options);
  both.bolt.manager.start();
  both.acme.manager.start();
  await until(() => both.acme.isUp('bolt.test') && both.bolt.isUp('acme.test'));
  return both;
}
