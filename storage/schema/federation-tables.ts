import { int, intOrNull, type RowOf, table, text, textOrNull } from './table.ts';

/** Tables of what goes to partners and comes from them. */

/** What is still to be delivered. `position` is a global stream position: rows of a lane are in its order. */
export const outbox = table(
  'outbox',
  {
    destination: text,
    lane: text,
    position: int,
    event_id: textOrNull,
    /** JSON of an EDU. */
    edu: textOrNull,
    /** EDUs of which only the newest counts share a key. */
    dedup_key: textOrNull,
  },
  ['destination', 'lane', 'position'],
);

export const outboxLanes = table(
  'outbox_lanes',
  {
    destination: text,
    lane: text,
    epoch: text,
    /** The sequence number that the next item gets. */
    next_seq: int,
    /** The highest sequence number whose acknowledgement is on disk. */
    acked_seq: int,
    /** The highest `outbox.position` that a transaction holds or held. */
    bound_pos: int,
  },
  ['destination', 'lane'],
);

/** Transactions whose boundaries are fixed and that are not acknowledged yet. */
export const outboxTransactions = table(
  'outbox_transactions',
  {
    destination: text,
    lane: text,
    first_seq: int,
    last_seq: int,
    txn_id: text,
    epoch: text,
    /** JSON: the ordered list of what is in it. */
    items: text,
  },
  ['destination', 'lane', 'first_seq'],
);

export const retiredEpochs = table('retired_epochs', { destination: text, lane: text, epoch: text }, [
  'destination',
  'lane',
  'epoch',
]);

/** What was received last, by origin and lane. */
export const inboundLanes = table('inbound_lanes', { origin: text, lane: text, epoch: text, last_seq: int }, [
  'origin',
  'lane',
]);

export const inboundTransactions = table(
  'inbound_transactions',
  { origin: text, txn_id: text, digest: text, response: text, received_ts: int },
  ['origin', 'txn_id'],
  [{ name: 'inbound_transactions_received', columns: ['received_ts'] }],
);

/** Received, on disk, acknowledged, not yet processed. With a `dead_reason`: given up, for an admin to see. */
export const staged = table(
  'staged',
  {
    staged_nid: int,
    origin: text,
    /** `pdu` or `edu`. */
    kind: text,
    room_id: textOrNull,
    event_id: textOrNull,
    json: text,
    received_ts: int,
    attempts: int,
    next_try_ts: intOrNull,
    dead_reason: textOrNull,
  },
  ['staged_nid'],
  [{ name: 'staged_origin', columns: ['origin', 'staged_nid'] }],
);

/** What we remember of a partner beside its configuration: one JSON record. */
export const partnerState = table('partner_state', { server_name: text, json: text }, ['server_name']);

export type OutboxRow = RowOf<typeof outbox>;
export type OutboxLaneRow = RowOf<typeof outboxLanes>;
export type OutboxTransactionRow = RowOf<typeof outboxTransactions>;
export type InboundLaneRow = RowOf<typeof inboundLanes>;
export type InboundTransactionRow = RowOf<typeof inboundTransactions>;
export type StagedRow = RowOf<typeof staged>;
