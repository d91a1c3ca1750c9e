import type { Logger } from 'pino';
import type { PartnerRegistry } from '../federation/partners/registry.ts';
import { serverNameOf } from '../protocol/identifiers.ts';
import type { Clock, Timer } from '../protocol/runtime.ts';
import type { RoomEngine } from '../rooms/room-engine.ts';
import type { Database } from '../storage/database.ts';
import type { MediaStore } from './media/media-store.ts';

const batch = 200;
const firstMs = 60_000;
const everyMs = 3_600_000;

export interface RetentionDeps {
  readonly partners: PartnerRegistry;
  readonly db: Database;
  readonly engine: RoomEngine;
  readonly media: MediaStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Deletes what is theirs and older than `policy: retention: max_age` allows: the content of their messages, and copies
 * of their files. The age is how long it is here: what a partner says of its events' time does not count. Goes through
 * the events once, in the order in which they came, and keeps its place on disk.
 */
export class Retention {
  readonly #deps: RetentionDeps;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#wait(firstMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running?.catch(() => undefined);
  }

  /** Deletes all that is due now. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  #wait(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#deps.clock.setTimer(ms, () => {
      this.run()
        .catch((err: unknown) =>
          this.#deps.log.error({ err }, 'old content of partners could not be deleted, will be tried again'),
        )
        .finally(() => this.#wait(everyMs));
    });
  }

  async #run(): Promise<void> {
    const { partners, db, clock } = this.#deps;
    for (const { serverName, policy } of partners.all()) {
      const { maxAge } = policy.retention;
      if (maxAge === undefined) continue;
      const before = clock.now() - maxAge;
      const events = await this.#expireEvents(serverName, before);
      const files = await this.#deleteFiles(serverName, before);
      if (events + files === 0) continue;
      await db.audit.append([
        {
          action: 'retention.delete',
          outcome: 'done',
          actor: 'configuration',
          subject: serverName,
          detail: { events, files, before },
        },
      ]);
    }
  }

  async #expireEvents(serverName: string, before: number): Promise<number> {
    const { db, engine } = this.#deps;
    const key = `retention ${serverName}`;
    let position = Number((await db.metadata.get(key)) ?? 0);
    let count = 0;
    while (!this.#isStopped) {
      const old = await db.events.receivedBefore(position, before, batch);
      const last = old.at(-1);
      if (last === undefined) break;
      const byRoom = new Map<string, string[]>();
      for (const { roomId, eventId, sender } of old)
        if (serverNameOf(sender) === serverName) byRoom.set(roomId, [...(byRoom.get(roomId) ?? []), eventId]);
      for (const [roomId, eventIds] of byRoom) count += await engine.expire(roomId, eventIds);
      position = last.nid;
      await db.writer.submit({ label: 'retention', ops: db.metadata.put(key, String(position)) });
      // Others have a turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return count;
  }

  async #deleteFiles(serverName: string, before: number): Promise<number> {
    const { db, media } = this.#deps;
    let count = 0;
    while (!this.#isStopped) {
      const old = await db.media.olderThan(serverName, before, batch);
      if (old.length === 0) break;
      for (const mediaId of old) await media.removeRemote(serverName, mediaId);
      count += old.length;
    }
    return count;
  }
}
