import type { Reader } from '../connection.ts';
import { inLists } from '../sql.ts';
import type { WriteOp } from '../write-set.ts';
import type { EventRecord } from './event-record.ts';

interface EventSource {
  getMany(eventIds: Iterable<string>): Promise<Map<string, EventRecord>>;
}

/** What lies between events: which refer to which, and to which that we do not hold. */
export class EventGraph {
  readonly #reader: Reader;
  readonly #events: EventSource;

  constructor(reader: Reader, events: EventSource) {
    this.#reader = reader;
    this.#events = events;
  }

  /**
   * Ids of everything that authorises these events, all the way to the room's creation; of them themselves
   * only those that authorise others. Ids that we do not hold are among them.
   */
  async authChain(eventIds: Iterable<string>): Promise<Set<string>> {
    const events = await this.#events.getMany(eventIds);
    const starts = new Set<string>();
    for (const event of events.values()) for (const id of event.pdu.auth_events) starts.add(id);
    const chain = new Set(starts);
    for (const { placeholders, params } of inLists(starts)) {
      // Indexes: events_event_id, then the key of event_auth, for each step. UNION ends it at what was seen.
      const rows = await this.#reader.query<{ event_id: string }>(
        `WITH RECURSIVE chain (event_id) AS (
           SELECT event_id FROM events WHERE event_id IN (${placeholders})
           UNION
           SELECT a.auth_event_id FROM chain c
             JOIN events e ON e.event_id = c.event_id
             JOIN event_auth a ON a.event_nid = e.event_nid
         ) SELECT event_id FROM chain`,
        params,
      );
      for (const row of rows) chain.add(row.event_id);
    }
    return chain;
  }

  /** The events of {@link authChain} that we hold. */
  async authChainEvents(eventIds: Iterable<string>): Promise<Map<string, EventRecord>> {
    return this.#events.getMany(await this.authChain(eventIds));
  }

  /** Backward extremities of a room: ids that its timeline refers to and that we do not hold. */
  async missing(roomNid: number): Promise<string[]> {
    const rows = await this.#reader.query<{ event_id: string }>(
      'SELECT event_id FROM missing_events WHERE room_nid = ?',
      [roomNid],
    );
    return rows.map((row) => row.event_id);
  }

  addMissing(roomNid: number, eventIds: Iterable<string>): WriteOp[] {
    const rows = [...new Set(eventIds)].map((id) => ({ room_nid: roomNid, event_id: id }));
    return rows.length === 0 ? [] : [{ kind: 'insert', table: 'missing_events', rows, orIgnore: true }];
  }

  removeMissing(roomNid: number, eventIds: Iterable<string>): WriteOp[] {
    return [...new Set(eventIds)].map((id) => ({
      kind: 'delete',
      table: 'missing_events',
      where: { room_nid: roomNid, event_id: id },
    }));
  }

  /** Ids of the redactions that name one of these events, by the id they name, in the order of arrival. */
  async redactionsOf(eventIds: Iterable<string>): Promise<Map<string, string[]>> {
    const redactions = new Map<string, string[]>();
    for (const { placeholders, params } of inLists(eventIds)) {
      const rows = await this.#reader.query<{ target: string; redaction: string }>(
        `SELECT d.redacts_event_id AS target, e.event_id AS redaction FROM redactions d JOIN events e ON e.event_nid = d.redaction_event_nid WHERE d.redacts_event_id IN (${placeholders}) ORDER BY d.redaction_event_nid`,
        params,
      );
      for (const row of rows) push(redactions, row.target, row.redaction);
    }
    return redactions;
  }

  /** Redactions of a room whose target is not here yet. Index: redactions_room. */
  async heldRedactions(roomNid: number): Promise<{ target: string; redaction: string }[]> {
    return this.#reader.query(
      `SELECT d.redacts_event_id AS target, e.event_id AS redaction FROM redactions d
         JOIN events e ON e.event_nid = d.redaction_event_nid
         LEFT JOIN events t ON t.event_id = d.redacts_event_id
       WHERE d.room_nid = ? AND t.event_nid IS NULL ORDER BY d.redaction_event_nid`,
      [roomNid],
    );
  }

  insertRedaction(roomNid: number, redactionNid: number, targetId: string): WriteOp[] {
    const row = { redacts_event_id: targetId, redaction_event_nid: redactionNid, room_nid: roomNid };
    return [{ kind: 'insert', table: 'redactions', rows: [row], orIgnore: true }];
  }
}

function push(map: Map<string, string[]>, key: string, value: string): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
