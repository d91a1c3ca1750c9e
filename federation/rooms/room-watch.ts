import type { Logger } from 'pino';
import type { Clock, Timer } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { PublishedNote } from '../../storage/streams.ts';
import type { Drifts } from './drifts.ts';

/** Where the watch was last, for the next start. */
const positionKey = 'room_watch_position';
const saveEveryMs = 60_000;
const pageLength = 500;
const againMs = 5_000;

/** What decides who may be in a room, and what is to be done about it. */
const watched: ReadonlySet<string> = new Set([
  'm.room.member',
  'm.room.power_levels',
  'm.room.server_acl',
  'org.archipelago.room_class',
]);

/**
 * Looks at rooms after something changed in them that decides who may be there: servers that were let in by others are
 * answered, and the ACL is brought into step. A reader of the event stream with a position of its own: off the hot
 * path, and what a crash left undone the next start does.
 */
export class RoomWatch {
  readonly #db: Database;
  readonly #drifts: Drifts;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #serverName: string;
  readonly #due = new Set<string>();
  #engine: RoomEngine | undefined;
  #running: Promise<void> | undefined;
  #marking: Promise<void> = Promise.resolve();
  #stopped = false;
  #seen = 0;
  #saved = 0;
  #timer: Timer | undefined;
  readonly #retries = new Set<Timer>();
  #unsubscribe: (() => void) | undefined;

  constructor(deps: { serverName: string; db: Database; drifts: Drifts; clock: Clock; log: Logger }) {
    this.#serverName = deps.serverName;
    this.#db = deps.db;
    this.#drifts = deps.drifts;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /** Looks at what changed since the last run, then at what changes. */
  async start(engine: RoomEngine): Promise<void> {
    this.#engine = engine;
    this.#unsubscribe = this.#db.streams.subscribe((batch) => this.#heard(batch));
    const now = this.#db.streams.position;
    const saved = await this.#db.metadata.get(positionKey);
    this.#saved = Math.min(saved === undefined ? now : Number(saved), now);
    this.#seen = Math.max(this.#seen, now);
    for (let after = this.#saved; after < now; ) {
      const page = await this.#db.events.stream(after, now, pageLength);
      for (const event of page) if (isWatched(event)) this.#due.add(event.roomId);
      after = page.at(-1)?.streamPos ?? now;
    }
    this.#go();
    this.#save();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#timer?.cancel();
    for (const timer of this.#retries) timer.cancel();
    await this.idle();
    await this.#write();
  }

  /** These partners came, went, were suspended or got other policies: the rooms in which they are are looked at. */
  partnersChanged(servers: readonly string[]): void {
    const mark = async (): Promise<void> => {
      for (const server of servers)
        for (const roomId of await this.#db.memberships.roomsOf(server)) this.#due.add(roomId);
      this.#go();
    };
    this.#marking = this.#marking.then(mark).catch((error: unknown) => {
      this.#log.error({ err: error, servers }, 'the rooms of changed partners could not be looked at');
    });
  }

  /** Resolves when nothing is due. */
  async idle(): Promise<void> {
    await this.#marking;
    while (this.#running !== undefined) await this.#running;
  }

  #heard(batch: readonly PublishedNote[]): void {
    for (const { stream, key, position, payload } of batch) {
      if (stream !== 'events') continue;
      this.#seen = Math.max(this.#seen, position);
      // Without an event: the state changed by a resolution, or a room was given to us whole.
      if (payload === undefined || isWatched(payload as StoredEvent)) this.#due.add(key);
    }
    this.#go();
  }

  #go(): void {
    if (this.#due.size === 0 || this.#engine === undefined || this.#stopped) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      this.#go();
    });
  }

  async #run(): Promise<void> {
    // What the event loop has at hand comes first.
    await new Promise((resolve) => setImmediate(resolve));
    for (const roomId of this.#due) {
      this.#due.delete(roomId);
      if (this.#stopped) return;
      try {
        await this.#look(roomId);
      } catch (error) {
        this.#log.error({ err: error, roomId }, 'a room could not be looked at, will be tried again');
        this.#again(roomId);
      }
    }
  }

  async #look(roomId: string): Promise<void> {
    const engine = this.#engine;
    const view = await engine?.view(roomId);
    if (engine === undefined || view === undefined || !view.hasLocalMember()) return;
    const isOurs = [...view.residents().keys()].every((server) => server === this.#serverName);
    if (isOurs && view.get('m.room.server_acl', '') === undefined) return;
    await this.#drifts.check(view);
    await engine.keepAcl(roomId);
  }

  #again(roomId: string): void {
    const timer = this.#clock.setTimer(againMs, () => {
      this.#retries.delete(timer);
      this.#due.add(roomId);
      this.#go();
    });
    this.#retries.add(timer);
  }

  #save(): void {
    this.#timer = this.#clock.setTimer(saveEveryMs, () => {
      this.#write().catch((error: unknown) => {
        this.#log.warn(
          { err: error },
          'the position of the room watch could not be saved, will be tried again',
        );
      });
      this.#save();
    });
  }

  /** Only where nothing is due: what comes after the position was looked at, or will be at the next start. */
  async #write(): Promise<void> {
    const seen = this.#seen;
    if (seen === this.#saved || this.#due.size > 0 || this.#running !== undefined || this.#retries.size > 0)
      return;
    await this.#db.writer.submit({
      label: 'room watch',
      ops: this.#db.metadata.put(positionKey, String(seen)),
    });
    this.#saved = seen;
  }
}

/** An event that decides who may be in its room. */
function isWatched({ pdu }: Pick<StoredEvent, 'pdu'>): boolean {
  return pdu.state_key !== undefined && watched.has(pdu.type);
}
