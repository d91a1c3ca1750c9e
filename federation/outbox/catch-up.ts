import type { Logger } from 'pino';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { Database } from '../../storage/database.ts';
import { nextPosition, type Row, type WriteOp } from '../../storage/write-set.ts';
import type { PartnerState } from '../partner-state.ts';

/** Events that are read and put into the outbox at a time. */
const chunk = 500;
/** In each room; what is older the partner fetches along the events' graph. */
const maxEventsPerRoom = 20_000;

/**
 * Sends again what a restored partner may have lost: of each room shared with it, the events after the
 * position up to which it has everything, by whomever they are (its own, too), in the order in which they
 * stand here; then the forward extremities, from which it finds anything else. What it has is a duplicate.
 */
export class CatchUp {
  readonly #db: Database;
  readonly #engine: RoomEngine;
  readonly #log: Logger;

  constructor(deps: { db: Database; engine: RoomEngine; log: Logger }) {
    this.#db = deps.db;
    this.#engine = deps.engine;
    this.#log = deps.log;
  }

  /** Puts it into the outbox. Breaking off does no harm: it is due until the last part is stored. */
  async run(destination: string, state: PartnerState): Promise<void> {
    const due = state.catchUp;
    if (due === undefined) return;
    const { since } = due;
    let rooms = 0;
    let total = 0;
    for (const roomId of await this.#db.rooms.allIds()) {
      const view = await this.#engine.view(roomId);
      if (view === undefined || !view.joinedServers().has(destination)) continue;
      const { roomNid, extremities } = view;
      const events = await this.#eventsSince(roomNid, since);
      for (let at = 0; at < events.length; at += chunk)
        await this.#enqueue(destination, events.slice(at, at + chunk));
      await this.#enqueue(destination, extremities);
      rooms += 1;
      total += events.length;
    }
    await this.#db.writer.submit({ label: 'catch-up complete', ops: state.catchUpDone() });
    this.#log.warn(
      { partner: destination, rooms, events: total, since },
      'everything that the partner may have lost is on its way to it again',
    );
  }

  /** Ids of a room's newest events after a position, oldest first. */
  async #eventsSince(roomNid: number, since: number): Promise<string[]> {
    const newestFirst: string[] = [];
    let before: number | undefined;
    while (newestFirst.length < maxEventsPerRoom) {
      const page = await this.#db.events.timeline(roomNid, { dir: 'b', after: since, before, limit: chunk });
      newestFirst.push(...page.map((event) => event.eventId));
      before = page.at(-1)?.streamPos ?? undefined;
      if (page.length < chunk || before === undefined) break;
    }
    return newestFirst.reverse();
  }

  async #enqueue(destination: string, eventIds: readonly string[]): Promise<void> {
    if (eventIds.length === 0) return;
    const rows: Row[] = eventIds.map((eventId) => ({
      destination,
      lane: 'pdu',
      position: nextPosition(),
      event_id: eventId,
      edu: null,
      dedup_key: null,
    }));
    const ops: WriteOp[] = [{ kind: 'insert', table: 'outbox', rows }];
    await this.#db.writer.submit({ label: 'catch-up', ops, notes: [{ stream: 'outbox', key: destination }] });
  }
}
