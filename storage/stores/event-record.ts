import type { Pdu, RoomEvent } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { EventRow } from '../schema/room-tables.ts';

/** Bits of `events.flags`. */
export const eventFlags = { outlier: 1, rejected: 2, softFailed: 4, quarantined: 8 } as const;

/** An event with its place in our database. */
export interface EventRecord extends RoomEvent {
  readonly nid: number;
  readonly roomNid: number;
  /** Place in the timeline: positive live, negative backfilled; null: none. */
  readonly streamPos: number | null;
  readonly outlier: boolean;
  readonly softFailed: boolean;
  /** Our people are not shown its content. */
  readonly quarantined: boolean;
  readonly rejectReason: string | null;
  /** Event id of the redaction that was applied; `pdu` is then the redacted form. */
  readonly redactedBy: string | null;
  readonly stateGroup: number | null;
  readonly stateGroupAfter: number | null;
  /** Milliseconds since the epoch. */
  readonly receivedTs: number;
  /** What only we know of it: `{device_id, txn_id, …}`. */
  readonly internal: JsonObject | null;
  /**
   * Only of what stands between the events and is none, and never leaves this server: the id of the event before it,
   * after whose state it stands.
   */
  readonly anchor?: string;
  /** The transaction of our own user that made the event, from `internal`. */
  readonly txn: { readonly deviceId: string; readonly txnId: string } | null;
}

export type JoinedEventRow = Omit<
  EventRow,
  'type' | 'state_key' | 'sender' | 'depth' | 'origin_server_ts'
> & { room_id: string };

/** What a record is made from. */
export const eventColumns =
  'e.event_nid, e.event_id, e.room_nid, e.stream_pos, e.received_ts, e.flags, e.reject_reason, e.redacted_by, ' +
  'e.state_group, e.state_group_after, e.json, e.internal, r.room_id';

export function toEventRecord(row: JoinedEventRow): EventRecord {
  // Both were checked and serialised by ourselves before they were stored.
  const pdu = JSON.parse(row.json) as Pdu;
  const internal = row.internal === null ? null : (JSON.parse(row.internal) as JsonObject);
  return {
    eventId: row.event_id,
    roomId: row.room_id,
    pdu,
    rejected: (row.flags & eventFlags.rejected) !== 0,
    nid: row.event_nid,
    roomNid: row.room_nid,
    streamPos: row.stream_pos,
    outlier: (row.flags & eventFlags.outlier) !== 0,
    softFailed: (row.flags & eventFlags.softFailed) !== 0,
    quarantined: (row.flags & eventFlags.quarantined) !== 0,
    rejectReason: row.reject_reason,
    redactedBy: row.redacted_by,
    stateGroup: row.state_group,
    stateGroupAfter: row.state_group_after,
    receivedTs: row.received_ts,
    internal,
    txn: txnOf(internal),
  };
}

function txnOf(internal: JsonObject | null): EventRecord['txn'] {
  const deviceId = internal?.['device_id'];
  const txnId = internal?.['txn_id'];
  return typeof deviceId === 'string' && typeof txnId === 'string' ? { deviceId, txnId } : null;
}
