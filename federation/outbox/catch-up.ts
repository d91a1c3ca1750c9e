import type { Logger } from 'pino';
import { serverNameOf } from '../../protocol/identifiers.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { RoomView, StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import { nextPosition, type Row, type WriteOp } from '../../storage/write-set.ts';
import type { PartnerState } from './partner-state.ts';

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
      if (view === undefined) continue;
      const members = await this.#membersOf(view, destination);
      await this.#repeatInvitations(view, members, since);
      const isIn = view.joinedServers().has(destination);
      const last = Math.max(...members.map(({ streamPos }) => streamPos ?? Number.NEGATIVE_INFINITY));
      // A room that it left meanwhile it has to hear of up to there.
      if (!isIn && last <= since) continue;
      const events = isIn
        ? await this.#eventsBetween(view.roomNid, startOf(members, since), undefined)
        : await this.#eventsBetween(view.roomNid, since, last);
      for (let at = 0; at < events.length; at += chunk)
        await this.#enqueue(destination, events.slice(at, at + chunk));
      if (isIn) await this.#enqueue(destination, view.extremities);
      rooms += 1;
      total += events.length;
    }
    await this.#db.writer.submit({ label: 'catch-up complete', ops: state.catchUpDone() });
    this.#log.warn(
      { partner: destination, rooms, events: total, since },
      'everything that the partner may have lost is on its way to it again',
    );
  }

  /** The member events of a server's people. */
  async #membersOf(view: RoomView, server: string): Promise<StoredEvent[]> {
    const ids: string[] = [];
    for (const [userId, { eventId }] of view.members) if (serverNameOf(userId) === server) ids.push(eventId);
    return [...(await this.#engine.events(ids)).values()];
  }

  /** Invitations are not in the room's timeline for who is not in the room: they are handed over once more. */
  async #repeatInvitations(view: RoomView, members: readonly StoredEvent[], since: number): Promise<void> {
    for (const { pdu, streamPos } of members)
      if (pdu.content['membership'] === 'invite' && (streamPos ?? since) > since)
        await this.#engine.repeatInvite(view.roomId, pdu.state_key ?? '');
  }

  /** Ids of a room's newest events after a position and up to another, oldest first. */
  async #eventsBetween(roomNid: number, since: number, upTo: number | undefined): Promise<string[]> {
    const newestFirst: string[] = [];
    let before = upTo === undefined ? undefined : upTo + 1;
    while (newestFirst.length < maxEventsPerRoom) {
      const page = await this.#db.events.timeline(roomNid, { dir: 'b', after: since, before, limit: chunk });
      // Create events do not travel by themselves: a room's state comes with them.
      newestFirst.push(
        ...page.filter(({ pdu }) => pdu.type !== 'm.room.create').map(({ eventId }) => eventId),
      );
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

/**
 * Where to begin in a room: if all of a server's people came to it after `since`, at the first of them; what was
 * before it never had, and fetches if somebody wants to read it.
 */
function startOf(members: readonly StoredEvent[], since: number): number {
  const first = Math.min(...members.map(({ streamPos }) => streamPos ?? since));
  return Math.max(since, first - 1);
}
