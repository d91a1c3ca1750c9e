import type { Logger } from 'pino';
import type { Database } from '../../storage/database.ts';
import { nextPosition, type Row, type WriteOp } from '../../storage/writer.ts';
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
  readonly #log: Logger;

  constructor(db: Database, log: Logger) {
    this.#db = db;
    this.#log = log;
  }

  /** Puts it into the outbox. Breaking off does no harm: it is due until the last part is stored. */
  async run(destination: string, state: PartnerState): Promise<void> {
    const due = state.catchUp;
    if (due === undefined) return;
    const rooms = await this.#db.memberships.roomsOfServer(destination);
    let total = 0;
    for (const room of rooms) {
      const { roomNid } = room;
      const start = await this.#db.events.catchUpStart(roomNid, due.since, maxEventsPerRoom);
      let after = start;
      for (;;) {
        const events = await this.#db.events.timelineIds(roomNid, after, chunk);
        const end = events.at(-1);
        if (end === undefined) break;
        after = end.position;
        total += events.length;
        await this.#enqueue(
          destination,
          events.map((event) => event.eventId),
        );
      }
      await this.#enqueue(destination, room.extremities);
    }
    await this.#db.writer.submit({ label: 'catch-up complete', ops: state.catchUpDone() });
    this.#log.warn(
      { partner: destination, rooms: rooms.length, events: total, since: due.since },
      'everything that the partner may have lost is on its way to it again',
    );
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
