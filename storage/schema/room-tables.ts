import { int, intOrNull, type RowOf, table, text, textOrNull } from './table.ts';

/** Tables of rooms, their events and their states. */

export const rooms = table(
  'rooms',
  {
    room_nid: int,
    room_id: text,
    version: text,
    /** Goes up with each write set of the room; compared before it is written. */
    revision: int,
    /** The current, resolved state. */
    state_group: intOrNull,
    /** JSON: event ids. */
    extremities: text,
    /** JSON: servers through which the room was joined. */
    joined_via: textOrNull,
    created_ts: int,
  },
  ['room_nid'],
  [{ name: 'rooms_room_id', columns: ['room_id'], unique: true }],
);

export const events = table(
  'events',
  {
    event_nid: int,
    event_id: text,
    room_nid: int,
    /** Place in the timeline; negative: backfilled; null: none (outlier, rejected, soft-failed). */
    stream_pos: intOrNull,
    type: text,
    state_key: textOrNull,
    sender: text,
    depth: int,
    origin_server_ts: int,
    received_ts: int,
    /** Bits: 1 outlier, 2 rejected, 4 soft-failed. */
    flags: int,
    reject_reason: textOrNull,
    redacted_by: textOrNull,
    /** State before the event. */
    state_group: intOrNull,
    state_group_after: intOrNull,
    /** Canonical text of the PDU (of its redacted form once it is redacted). */
    json: text,
    /** JSON: what only we know of it. */
    internal: textOrNull,
  },
  ['event_nid'],
  [
    { name: 'events_event_id', columns: ['event_id'], unique: true },
    { name: 'events_stream_pos', columns: ['stream_pos'], unique: true },
    { name: 'events_room_stream', columns: ['room_nid', 'stream_pos'] },
    { name: 'events_rejected', columns: ['room_nid'], where: 'reject_reason IS NOT NULL' },
  ],
);

/** Of state events only: what a walk along the auth chain needs. */
export const eventAuth = table('event_auth', { event_nid: int, auth_event_id: text }, [
  'event_nid',
  'auth_event_id',
]);

/** Backward extremities: events that the timeline refers to and that we do not hold. */
export const missingEvents = table('missing_events', { room_nid: int, event_id: text }, [
  'room_nid',
  'event_id',
]);

export const redactions = table(
  'redactions',
  { redacts_event_id: text, redaction_event_nid: int, room_nid: int },
  ['redacts_event_id', 'redaction_event_nid'],
  [{ name: 'redactions_room', columns: ['room_nid'] }],
);

export const stateGroups = table(
  'state_groups',
  { group_nid: int, room_nid: int, prev_group: intOrNull, chain_length: int },
  ['group_nid'],
  [{ name: 'state_groups_room', columns: ['room_nid'] }],
);

export const stateGroupEntries = table(
  'state_group_entries',
  { group_nid: int, type: text, state_key: text, event_id: text },
  ['group_nid', 'type', 'state_key'],
);

/** What changed in the current (resolved) state of a room, and when: for clients that come back. */
export const stateChanges = table(
  'state_changes',
  { room_nid: int, stream_pos: int, type: text, state_key: text },
  ['room_nid', 'stream_pos', 'type', 'state_key'],
);

/** Current (resolved) membership of every user, local and remote. */
export const memberships = table(
  'memberships',
  {
    room_nid: int,
    user_id: text,
    membership: text,
    event_id: text,
    sender: text,
    stream_pos: int,
    /** 1: one of our users. */
    is_local: int,
    display_name: textOrNull,
    forgotten: int,
  },
  ['room_nid', 'user_id'],
  [
    { name: 'memberships_user', columns: ['user_id', 'stream_pos'] },
    { name: 'memberships_room_membership', columns: ['room_nid', 'membership'] },
    { name: 'memberships_room_stream', columns: ['room_nid', 'stream_pos'] },
  ],
);

/** Invites of our users to rooms that we do not hold. */
export const invites = table(
  'invites',
  {
    room_id: text,
    user_id: text,
    event_json: text,
    stripped_state_json: text,
    origin: text,
    ended: int,
    stream_pos: int,
  },
  ['room_id', 'user_id'],
  [{ name: 'invites_user', columns: ['user_id'] }],
);

export const roomAliases = table(
  'room_aliases',
  { alias: text, room_id: text, servers: text, creator: text },
  ['alias'],
  [{ name: 'room_aliases_room', columns: ['room_id'] }],
);

export type RoomRow = RowOf<typeof rooms>;
export type EventRow = RowOf<typeof events>;
export type StateGroupRow = RowOf<typeof stateGroups>;
export type MembershipRow = RowOf<typeof memberships>;
export type InviteRow = RowOf<typeof invites>;
export type RoomAliasRow = RowOf<typeof roomAliases>;
