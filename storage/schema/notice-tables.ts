import { int, table, text } from './table.ts';

/** Tables of what the server says to its own people. */

/** Notices in rooms' timelines that are no events: nobody else ever gets them. */
export const localNotices = table(
  'local_notices',
  {
    event_id: text,
    room_nid: int,
    /** A global position, as events have. */
    stream_pos: int,
    ts: int,
    sender: text,
    /** JSON. */
    content: text,
    /** What it is about: one notice in a room for each. */
    cause: text,
  },
  ['event_id'],
  [
    { name: 'local_notices_room', columns: ['room_nid', 'stream_pos'] },
    { name: 'local_notices_cause', columns: ['cause', 'room_nid'] },
  ],
);

/** Server notices that have not been sent yet. */
export const serverNotices = table(
  'server_notices',
  {
    user_id: text,
    cause: text,
    /** JSON. */
    notice: text,
    created_ts: int,
  },
  ['user_id', 'cause'],
  [{ name: 'server_notices_created', columns: ['created_ts', 'user_id'] }],
);

/** How our people were last told that each partner stands. */
export const partnerStandings = table('partner_standings', { server_name: text, standing: text }, [
  'server_name',
]);

/** Partners without a link. */
export const partnerOutages = table(
  'partner_outages',
  {
    server_name: text,
    since: int,
    /** 1: the rooms were told. */
    told: int,
  },
  ['server_name'],
);
