import { createHash } from 'node:crypto';
import type { JsonObject } from '../../protocol/json.ts';
import { isLocalNoticeId, localNoticeId } from '../../rooms/local-notice.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { StoredEvent } from '../../rooms/types.ts';
import type { Database } from '../../storage/database.ts';
import type { TimelineQuery } from '../../storage/stores/event-store.ts';
import type { LocalNoticeRecord } from '../../storage/stores/local-notice-store.ts';
import { type Note, nextPosition } from '../../storage/write-set.ts';

export interface NewNotice {
  readonly roomNid: number;
  readonly roomId: string;
  readonly content: JsonObject;
}

export interface LocalNoticesDeps {
  readonly db: Database;
  readonly engine: RoomEngine;
}

const maxKept = 2_000;

/**
 * Rooms as our clients read them: the events, and between them the notices that only they see. Everything that shows a
 * timeline reads it here; whatever serves partners reads the events alone. Which rooms have notices is known in memory,
 * so that those without cost nothing.
 */
export class LocalNotices {
  readonly #db: Database;
  readonly #engine: RoomEngine;
  /** The position of the last notice in each room that has any. */
  readonly #latest: Map<number, number>;
  /** Notices in the form of events; what precedes one never changes. */
  readonly #records = new Map<string, StoredEvent>();
  readonly #unsubscribe: () => void;

  private constructor({ db, engine }: LocalNoticesDeps, latest: Map<number, number>) {
    this.#db = db;
    this.#engine = engine;
    this.#latest = latest;
    this.#unsubscribe = db.streams.subscribe((batch) => {
      for (const { stream, payload, position } of batch)
        if (stream === 'local_notices' && typeof payload === 'number') this.#latest.set(payload, position);
    });
  }

  /** To be opened before whatever is woken by notices: it has to know of them first. */
  static async open(deps: LocalNoticesDeps): Promise<LocalNotices> {
    return new LocalNotices(deps, await deps.db.localNotices.latest());
  }

  close(): void {
    this.#unsubscribe();
  }

  /** A page of a room's timeline. */
  async timeline(roomNid: number, query: TimelineQuery): Promise<StoredEvent[]> {
    const events = await this.#db.events.timeline(roomNid, query);
    const last = this.#latest.get(roomNid);
    if (last === undefined || last <= (query.after ?? Number.MIN_SAFE_INTEGER)) return events;
    const notices = await this.#db.localNotices.timeline(roomNid, query);
    if (notices.length === 0) return events;
    const merged = [...events, ...(await this.#asEvents(notices))];
    const sign = query.dir === 'b' ? -1 : 1;
    merged.sort((a, b) => sign * ((a.streamPos ?? 0) - (b.streamPos ?? 0)));
    return merged.slice(0, query.limit);
  }

  /** Events and notices by id. */
  async many(eventIds: readonly string[]): Promise<Map<string, StoredEvent>> {
    if (!eventIds.some(isLocalNoticeId)) return this.#engine.events(eventIds);
    const found = await this.#engine.events(eventIds.filter((id) => !isLocalNoticeId(id)));
    const unknown: string[] = [];
    for (const id of eventIds.filter(isLocalNoticeId)) {
      const known = this.#records.get(id);
      if (known === undefined) unknown.push(id);
      else found.set(id, known);
    }
    const read = unknown.length === 0 ? [] : await this.#db.localNotices.getMany(unknown);
    for (const notice of await this.#asEvents(read)) found.set(notice.eventId, notice);
    return found;
  }

  /** An event or a notice. */
  async one(eventId: string): Promise<StoredEvent | undefined> {
    return isLocalNoticeId(eventId) ? (await this.many([eventId])).get(eventId) : this.#engine.event(eventId);
  }

  /** The event that counts where a client names one: for a notice the event before it. */
  async anchorOf(eventId: string): Promise<StoredEvent | undefined> {
    const event = await this.one(eventId);
    return event?.anchor === undefined ? event : this.#engine.event(event.anchor);
  }

  /**
   * Puts notices about one thing into rooms, in one commit. A room that has one about it already gets no other, so
   * this may be repeated.
   */
  async add(
    cause: string,
    notices: readonly NewNotice[],
    by: { readonly sender: string; readonly now: number },
  ): Promise<void> {
    const notes: Note[] = [];
    const rows = notices.map(({ roomNid, roomId, content }) => {
      const position = nextPosition();
      notes.push({ stream: 'local_notices', key: roomId, position, payload: roomNid });
      const eventId = localNoticeId(
        createHash('sha256').update(`${cause}\n${roomId}`).digest('base64url').slice(0, 32),
      );
      const { sender, now: ts } = by;
      return { eventId, roomNid, position, ts, sender, content: JSON.stringify(content), cause };
    });
    if (rows.length === 0) return;
    await this.#db.writer.submit({ label: 'local notices', ops: this.#db.localNotices.add(rows), notes });
  }

  async #asEvents(notices: readonly LocalNoticeRecord[]): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (const notice of notices) {
      const event = this.#records.get(notice.eventId) ?? (await this.#asEvent(notice));
      if (event === undefined) continue;
      if (this.#records.size >= maxKept) this.#records.clear();
      this.#records.set(event.eventId, event);
      events.push(event);
    }
    return events;
  }

  /** As an event that stands after the state of the one before it: who may see that one may see the notice. */
  async #asEvent(notice: LocalNoticeRecord): Promise<StoredEvent | undefined> {
    const { eventId, roomId, roomNid, streamPos, ts, sender } = notice;
    const [before] = await this.#db.events.timeline(roomNid, { dir: 'b', upTo: streamPos, limit: 1 });
    if (before === undefined) return undefined;
    return {
      eventId,
      roomId,
      roomNid,
      streamPos,
      nid: 0,
      anchor: before.eventId,
      pdu: {
        // Written by `add`.
        content: JSON.parse(notice.content) as JsonObject,
        type: 'm.room.message',
        sender,
        origin_server_ts: ts,
        room_id: roomId,
        depth: before.pdu.depth,
        auth_events: [],
        prev_events: [],
        hashes: { sha256: '' },
        signatures: {},
      },
      rejected: false,
      outlier: false,
      softFailed: false,
      quarantined: false,
      rejectReason: null,
      redactedBy: null,
      stateGroup: before.stateGroupAfter,
      stateGroupAfter: before.stateGroupAfter,
      receivedTs: ts,
      internal: null,
      txn: null,
    };
  }
}
