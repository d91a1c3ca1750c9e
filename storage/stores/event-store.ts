import type { Pdu } from '../../protocol/event.ts';
import type { Reader } from '../connection.ts';
import { inLists } from '../sql.ts';
import type { Position, WriteOp } from '../write-set.ts';
import { EventGraph } from './event-graph.ts';
import { type EventRecord, eventColumns, type JoinedEventRow, toEventRecord } from './event-record.ts';
import {
  type EventChange,
  insertEventOps,
  type NewEvent,
  rewriteEventOps,
  updateEventOps,
} from './event-writes.ts';
import { Lru } from './lru.ts';

export interface TimelineQuery {
  /** `b`: newest first; `f`: oldest first. */
  readonly dir: 'b' | 'f';
  /** Exclusive bounds, in the order of the positions whatever the direction. Default: none. */
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  /** Inclusive upper bound: the position up to which the caller reads. */
  readonly upTo?: number | undefined;
  readonly limit: number;
}

const from = `SELECT ${eventColumns} FROM events e JOIN rooms r ON r.room_nid = e.room_nid`;

/** Events by id and by place. Parsed events are kept in memory, as many as `cacheSize` says. */
export class EventStore {
  /** Edges between events: previous, auth, missing, redactions. */
  readonly graph: EventGraph;
  readonly #reader: Reader;
  readonly #cache: Lru<string, EventRecord>;
  /** Goes up with each `forget`: what was read before is not put into the cache after. */
  #generation = 0;

  constructor(reader: Reader, cacheSize: number) {
    this.#reader = reader;
    this.#cache = new Lru(cacheSize);
    this.graph = new EventGraph(reader, this);
  }

  /** From memory only. */
  peek(eventId: string): EventRecord | undefined {
    return this.#cache.get(eventId);
  }

  /** Called after a commit that stored or changed the event: this is what readers get from now on. */
  remember(event: EventRecord): void {
    this.#cache.set(event.eventId, event);
  }

  /** Called when a stored event changed and nobody has its new form at hand. */
  forget(eventId: string): void {
    this.#generation += 1;
    this.#cache.delete(eventId);
  }

  async get(eventId: string): Promise<EventRecord | undefined> {
    return this.#cache.get(eventId) ?? (await this.getMany([eventId])).get(eventId);
  }

  /** Those that we hold in any condition, by id. Index: events_event_id. */
  async getMany(eventIds: Iterable<string>): Promise<Map<string, EventRecord>> {
    const found = new Map<string, EventRecord>();
    const wanted: string[] = [];
    for (const id of new Set(eventIds)) {
      const known = this.#cache.get(id);
      if (known === undefined) wanted.push(id);
      else found.set(id, known);
    }
    for (const { placeholders, params } of inLists(wanted)) {
      const rows = await this.#read(`${from} WHERE e.event_id IN (${placeholders})`, params);
      for (const event of rows) found.set(event.eventId, event);
    }
    return found;
  }

  /** By number. Index: the primary key. */
  async byNids(nids: Iterable<number>): Promise<Map<number, EventRecord>> {
    const found = new Map<number, EventRecord>();
    for (const { placeholders, params } of inLists(nids)) {
      const rows = await this.#read(`${from} WHERE e.event_nid IN (${placeholders})`, params);
      for (const event of rows) found.set(event.nid, event);
    }
    return found;
  }

  /** Which of the ids we hold in any condition. */
  async held(eventIds: Iterable<string>): Promise<Set<string>> {
    const held = new Set<string>();
    const wanted: string[] = [];
    for (const id of eventIds) {
      if (this.#cache.get(id) === undefined) wanted.push(id);
      else held.add(id);
    }
    for (const { placeholders, params } of inLists(wanted)) {
      const sql = `SELECT event_id FROM events WHERE event_id IN (${placeholders})`;
      for (const row of await this.#reader.query<{ event_id: string }>(sql, params)) held.add(row.event_id);
    }
    return held;
  }

  /** A page of a room's timeline. Index: events_room_stream. */
  async timeline(roomNid: number, query: TimelineQuery): Promise<EventRecord[]> {
    const conditions = ['e.room_nid = ?', 'e.stream_pos IS NOT NULL'];
    const params: (string | number | null)[] = [roomNid];
    const bounds = [
      ['>', query.after],
      ['<', query.before],
      ['<=', query.upTo],
    ] as const;
    for (const [operator, value] of bounds) {
      if (value === undefined) continue;
      conditions.push(`e.stream_pos ${operator} ?`);
      params.push(value);
    }
    const order = query.dir === 'b' ? 'DESC' : 'ASC';
    const sql = `${from} WHERE ${conditions.join(' AND ')} ORDER BY e.stream_pos ${order} LIMIT ?`;
    return this.#read(sql, [...params, query.limit]);
  }

  /** Events of all rooms after one position and up to another, oldest first. Index: events_stream_pos. */
  stream(after: number, upTo: number, limit: number): Promise<EventRecord[]> {
    return this.#read(`${from} WHERE e.stream_pos > ? AND e.stream_pos <= ? ORDER BY e.stream_pos LIMIT ?`, [
      after,
      upTo,
      limit,
    ]);
  }

  /** The newest live position of each room that has one after `after`. */
  async roomsWithEvents(
    roomNids: Iterable<number>,
    after: number,
    upTo: number,
  ): Promise<Map<number, number>> {
    const latest = new Map<number, number>();
    for (const { placeholders, params } of inLists(roomNids)) {
      const rows = await this.#reader.query<{ room_nid: number; position: number }>(
        `SELECT room_nid, MAX(stream_pos) AS position FROM events WHERE room_nid IN (${placeholders}) AND stream_pos > ? AND stream_pos <= ? GROUP BY room_nid`,
        [...params, after, upTo],
      );
      for (const row of rows) latest.set(row.room_nid, row.position);
    }
    return latest;
  }

  /**
   * Events with a number after `after`, in the order in which they were stored, up to the first that is here since
   * `before` or later. Index: the primary key.
   */
  async receivedBefore(
    after: number,
    before: number,
    limit: number,
  ): Promise<{ nid: number; eventId: string; roomId: string; sender: string }[]> {
    const rows = await this.#reader.query<{
      event_nid: number;
      event_id: string;
      room_id: string;
      sender: string;
      received_ts: number;
    }>(
      'SELECT e.event_nid, e.event_id, e.sender, e.received_ts, r.room_id FROM events e ' +
        'JOIN rooms r ON r.room_nid = e.room_nid WHERE e.event_nid > ? ORDER BY e.event_nid LIMIT ?',
      [after, limit],
    );
    const end = rows.findIndex((row) => row.received_ts >= before);
    return (end < 0 ? rows : rows.slice(0, end)).map((row) => ({
      nid: row.event_nid,
      eventId: row.event_id,
      roomId: row.room_id,
      sender: row.sender,
    }));
  }

  /** Rejected events of a room. Index: events_rejected. */
  rejected(roomNid: number): Promise<EventRecord[]> {
    return this.#read(`${from} WHERE e.room_nid = ? AND e.reject_reason IS NOT NULL ORDER BY e.event_nid`, [
      roomNid,
    ]);
  }

  insert(event: NewEvent): WriteOp[] {
    return insertEventOps(event);
  }

  update(nid: number, change: EventChange): WriteOp[] {
    return updateEventOps(nid, change);
  }

  /** Gives a stored event its place in the timeline. */
  place(nid: number, position: Position): WriteOp[] {
    return [{ kind: 'update', table: 'events', set: { stream_pos: position }, where: { event_nid: nid } }];
  }

  /** Another form of the event: redacted by that event, or (null) whole where only its redacted form was known. */
  rewrite(nid: number, pdu: Pdu, redactedBy: string | null): WriteOp[] {
    return rewriteEventOps(nid, pdu, redactedBy);
  }

  /** Reads records; one that is in memory already is the same object for everybody. */
  async #read(sql: string, params: readonly (string | number | null)[]): Promise<EventRecord[]> {
    const generation = this.#generation;
    const rows = await this.#reader.query<JoinedEventRow>(sql, params);
    return rows.map((row) => {
      const known = this.#cache.get(row.event_id);
      if (known !== undefined) return known;
      const event = toEventRecord(row);
      if (generation === this.#generation) this.#cache.set(event.eventId, event);
      return event;
    });
  }
}
