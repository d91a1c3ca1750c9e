import { canonicalJson } from '../../protocol/canonical-json.ts';
import type { Pdu } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Position, Row, WriteOp } from '../write-set.ts';
import { eventFlags } from './event-record.ts';

/** A new event. */
export interface NewEvent {
  /** From `ids.next('event')`. */
  readonly nid: number;
  readonly eventId: string;
  readonly roomNid: number;
  readonly pdu: Pdu;
  /** Canonical text of the PDU, where the caller has it already. */
  readonly json?: string | undefined;
  /** Absent: no place in the timeline. */
  readonly position?: Position | null;
  readonly receivedTs: number;
  readonly outlier?: boolean;
  readonly rejectReason?: string | null;
  readonly softFailed?: boolean;
  readonly quarantined?: boolean;
  readonly redactedBy?: string | null;
  readonly stateGroup?: number | null;
  readonly stateGroupAfter?: number | null;
  readonly internal?: JsonObject | null;
}

/** The event, its edges, and (of a state event) its auth edges. */
export function insertEventOps(event: NewEvent): WriteOp[] {
  const { pdu, nid } = event;
  const flags =
    (event.outlier === true ? eventFlags.outlier : 0) |
    (event.rejectReason == null ? 0 : eventFlags.rejected) |
    (event.softFailed === true ? eventFlags.softFailed : 0) |
    (event.quarantined === true ? eventFlags.quarantined : 0);
  const ops: WriteOp[] = [
    {
      kind: 'insert',
      table: 'events',
      rows: [
        {
          event_nid: nid,
          event_id: event.eventId,
          room_nid: event.roomNid,
          stream_pos: event.position ?? null,
          type: pdu.type,
          state_key: pdu.state_key ?? null,
          sender: pdu.sender,
          depth: pdu.depth,
          origin_server_ts: pdu.origin_server_ts,
          received_ts: event.receivedTs,
          flags,
          reject_reason: event.rejectReason ?? null,
          redacted_by: event.redactedBy ?? null,
          state_group: event.stateGroup ?? null,
          state_group_after: event.stateGroupAfter ?? null,
          json: event.json ?? canonicalJson(pdu),
          internal: event.internal == null ? null : JSON.stringify(event.internal),
        },
      ],
    },
  ];
  if (pdu.state_key === undefined) return ops;
  const auth = [...new Set(pdu.auth_events)].map((id): Row => ({ event_nid: nid, auth_event_id: id }));
  if (auth.length > 0) ops.push({ kind: 'insert', table: 'event_auth', rows: auth, orIgnore: true });
  return ops;
}

/** What may change of an event that is stored: an outlier gets its place, a rejected one is accepted. */
export interface EventChange {
  readonly position?: Position | null;
  readonly outlier: boolean;
  readonly rejectReason: string | null;
  readonly softFailed: boolean;
  readonly quarantined: boolean;
  readonly stateGroup: number | null;
  readonly stateGroupAfter: number | null;
  readonly internal?: JsonObject | null;
}

export function updateEventOps(nid: number, change: EventChange): WriteOp[] {
  const set: Row = {
    flags:
      (change.outlier ? eventFlags.outlier : 0) |
      (change.rejectReason === null ? 0 : eventFlags.rejected) |
      (change.softFailed ? eventFlags.softFailed : 0) |
      (change.quarantined ? eventFlags.quarantined : 0),
    reject_reason: change.rejectReason,
    state_group: change.stateGroup,
    state_group_after: change.stateGroupAfter,
  };
  if (change.position !== undefined) set['stream_pos'] = change.position;
  if (change.internal !== undefined)
    set['internal'] = change.internal === null ? null : JSON.stringify(change.internal);
  return [{ kind: 'update', table: 'events', set, where: { event_nid: nid } }];
}

/** Replaces the text by the redacted form, or (`redactedBy` null) by the whole one. What was there is gone. */
export function rewriteEventOps(nid: number, pdu: Pdu, redactedBy: string | null): WriteOp[] {
  return [
    {
      kind: 'update',
      table: 'events',
      set: { json: canonicalJson(pdu), redacted_by: redactedBy },
      where: { event_nid: nid },
    },
  ];
}
