import type { Logger } from 'pino';
import type { Clock, FailPoint, Random } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import type { Inbound } from '../inbound/inbound.ts';
import { type Hello, isLane, type Lane, type LaneStandings } from '../lanes.ts';
import type { LinkManager } from '../link/link-manager.ts';
import type { PartnerRegistry } from '../partners/registry.ts';
import { CatchUp } from './catch-up.ts';
import { Destination } from './destination.ts';
import { LaneStore } from './lane-store.ts';
import { PartnerState } from './partner-state.ts';
import { Renderer } from './render.ts';

export interface OutboxDeps {
  readonly serverName: string;
  readonly db: Database;
  readonly link: LinkManager;
  readonly partners: PartnerRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly failPoint: FailPoint;
}

/** What goes out: a destination for each active partner, woken by the stream and by its link. */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #store: LaneStore;
  #sending: { readonly renderer: Renderer; readonly catchUp: CatchUp; readonly inbound: Inbound } | undefined;
  readonly #destinations = new Map<string, Promise<Destination>>();
  readonly #unsubscribe: (() => void)[] = [];

  constructor(deps: OutboxDeps) {
    this.#deps = deps;
    this.#store = new LaneStore(deps.db);
  }

  /** Begins to listen; `engine` is where the events come from, `inbound` knows what was received. */
  start(engine: RoomEngine, inbound: Inbound): void {
    const { serverName, db, clock, log } = this.#deps;
    this.#sending = {
      renderer: new Renderer({ serverName, engine, clock, log }),
      catchUp: new CatchUp({ db, engine, log }),
      inbound,
    };
    this.#unsubscribe.push(
      this.#deps.db.streams.subscribe((batch) => {
        const woken = new Map<string, Set<Lane>>();
        for (const note of batch) {
          if (note.stream !== 'outbox') continue;
          const lanes = woken.get(note.key) ?? new Set();
          woken.set(note.key, lanes.add(laneOf(note.payload)));
        }
        for (const [serverName, lanes] of woken) this.#wake(serverName, lanes);
      }),
      this.#deps.partners.onChange((changes) => {
        for (const partner of [...changes.changed, ...changes.removed])
          if (!this.#deps.partners.isActive(partner.serverName)) this.down(partner.serverName);
      }),
    );
  }

  /** A note was seen: what is there is read from the database. Nothing is loaded for it. */
  #wake(serverName: string, lanes: ReadonlySet<Lane>): void {
    this.#destinations.get(serverName)?.then(
      (destination) => {
        for (const lane of lanes) destination.wake(lane);
      },
      () => undefined, // Loading failed and was reported where it was asked for.
    );
  }

  /** What our hello says of what will be sent. */
  async next(serverName: string): Promise<LaneStandings> {
    return (await this.#destination(serverName)).next();
  }

  async heard(serverName: string, hello: Hello): Promise<void> {
    await (await this.#destination(serverName)).heard(hello);
  }

  /** The link to a partner serves requests. */
  async up(serverName: string): Promise<void> {
    if (!this.#deps.partners.isActive(serverName)) return;
    await (await this.#destination(serverName)).up();
  }

  down(serverName: string): void {
    this.#destinations.get(serverName)?.then(
      (destination) => destination.down(),
      () => undefined,
    );
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe.splice(0)) end();
    const loaded = await Promise.allSettled(this.#destinations.values());
    await Promise.all(
      loaded.map((result) => (result.status === 'fulfilled' ? result.value.stop() : undefined)),
    );
  }

  #destination(serverName: string): Promise<Destination> {
    let destination = this.#destinations.get(serverName);
    if (destination === undefined) {
      destination = this.#load(serverName);
      this.#destinations.set(serverName, destination);
      destination.catch(() => this.#destinations.delete(serverName));
    }
    return destination;
  }

  async #load(serverName: string): Promise<Destination> {
    const { db, link, clock, random, log, failPoint } = this.#deps;
    if (this.#sending === undefined) throw new Error('The outbox is not started');
    const state = new PartnerState(serverName, await db.partnerStates.get(serverName));
    return new Destination({
      serverName,
      state,
      store: this.#store,
      ...this.#sending,
      link,
      clock,
      random,
      log,
      failPoint,
    });
  }
}

/** A note's payload is the lane that has something new; events say nothing of it. */
function laneOf(payload: unknown): Lane {
  return typeof payload === 'string' && isLane(payload) ? payload : 'pdu';
}
