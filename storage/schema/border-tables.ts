import { int, intOrNull, type RowOf, table, text, textOrNull } from './table.ts';

/** Tables of the border. */

/** Who did what: see `storage/audit`. */
export const audit = table(
  'audit',
  {
    seq: int,
    ts: int,
    action: text,
    outcome: text,
    actor: text,
    subject: textOrNull,
    /** JSON. */
    detail: textOrNull,
    prev: text,
    hash: text,
  },
  ['seq'],
);

/** What was done to a partner at run time, as JSON: it stands above what the files say. */
export const partnerOverlays = table('partner_overlays', { server_name: text, json: text }, ['server_name']);

/** Questions that the border was asked, each kept once, with its answer and how often it came. */
export const decisions = table(
  'decisions',
  {
    /** SHA-256 of question and answer. */
    digest: text,
    question: text,
    /** JSON; an empty list where it was allowed. */
    violations: text,
    first_ts: int,
    last_ts: int,
    times: int,
  },
  ['digest'],
  [{ name: 'decisions_last', columns: ['last_ts'] }],
);

/** Invitations that wait for somebody's word, and what became of them. */
export const approvals = table(
  'approvals',
  {
    approval_id: text,
    /** `outbound` or `inbound`. */
    direction: text,
    room_id: text,
    inviter: text,
    invitee: text,
    /** As `federation/approvals/approval.ts` names them. */
    state: text,
    /** What is needed to go on with it. */
    json: text,
    created_ts: int,
    decided_ts: intOrNull,
    decided_by: textOrNull,
  },
  ['approval_id'],
  [{ name: 'approvals_state', columns: ['state', 'created_ts'] }],
);

export type ApprovalRow = RowOf<typeof approvals>;

/** Events whose content our clients are not shown, and why. A row that is gone was released. */
export const quarantine = table('quarantine', { event_nid: int, violations: text, created_ts: int }, [
  'event_nid',
]);

/** Servers that somebody else let into rooms of ours. */
export const roomDrifts = table(
  'room_drifts',
  {
    room_id: text,
    server: text,
    /** Whose policy does not want it there. */
    partner: text,
    /** `frozen`, `left`, `alarmed`, or `accepted` by an admin. */
    state: text,
    /** The partner that has still to be told; null when it was. */
    report_to: textOrNull,
    created_ts: int,
  },
  ['room_id', 'server'],
);

/** Departments of our people, as policies name them. */
export const departments = table('departments', { localpart: text, department: text }, [
  'localpart',
  'department',
]);
