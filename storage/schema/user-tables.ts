import { int, type RowOf, table, text, textOrNull } from './table.ts';

/** Tables of our users and what belongs to them. */

export const users = table(
  'users',
  {
    localpart: text,
    password_hash: textOrNull,
    deactivated: int,
    created_ts: int,
    display_name: textOrNull,
    avatar_url: textOrNull,
  },
  ['localpart'],
);

/** Roles of those who administer the island; most users have none. */
export const userRoles = table('user_roles', { localpart: text, role: text }, ['localpart', 'role']);

export const devices = table(
  'devices',
  {
    user_id: text,
    device_id: text,
    display_name: textOrNull,
    last_seen_ts: int,
    last_seen_ip: textOrNull,
    created_ts: int,
  },
  ['user_id', 'device_id'],
);

export const accessTokens = table(
  'access_tokens',
  { token_hash: text, user_id: text, device_id: text, created_ts: int },
  ['token_hash'],
  [{ name: 'access_tokens_device', columns: ['user_id', 'device_id'] }],
);

/** `room_id` is '' for global account data. */
export const accountData = table(
  'account_data',
  { user_id: text, room_id: text, type: text, content: text, stream_pos: int },
  ['user_id', 'room_id', 'type'],
  [{ name: 'account_data_stream', columns: ['user_id', 'stream_pos'] }],
);

export const filters = table('filters', { user_id: text, filter_id: text, json: text }, [
  'user_id',
  'filter_id',
]);

/** `thread_id` is '' for a receipt that is of no thread. */
export const receipts = table(
  'receipts',
  {
    room_nid: int,
    user_id: text,
    receipt_type: text,
    thread_id: text,
    event_id: text,
    ts: int,
    /** `events.stream_pos` of the event. */
    event_pos: int,
    stream_pos: int,
  },
  ['room_nid', 'user_id', 'receipt_type', 'thread_id'],
  [{ name: 'receipts_stream', columns: ['room_nid', 'stream_pos'] }],
);

export const deviceTxns = table(
  'device_txns',
  { user_id: text, device_id: text, txn_key: text, event_id: text, created_ts: int },
  ['user_id', 'device_id', 'txn_key'],
);

export const media = table(
  'media',
  {
    media_id: text,
    origin: text,
    uploader: textOrNull,
    content_type: text,
    upload_name: textOrNull,
    size: int,
    sha256: text,
    created_ts: int,
  },
  ['media_id', 'origin'],
);

export type UserRow = RowOf<typeof users>;
export type DeviceRow = RowOf<typeof devices>;
export type AccountDataRow = RowOf<typeof accountData>;
export type ReceiptRow = RowOf<typeof receipts>;
export type MediaRow = RowOf<typeof media>;
