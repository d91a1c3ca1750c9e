import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ForwardOnlyError, runDdl } from './ddl.ts';

/** The tables of the first release. */
export class Foundation1764000000001 implements MigrationInterface {
  readonly name = 'Foundation1764000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runDdl(runner, schema);
    const kinds = ['position', 'backfill', 'event', 'room', 'state_group', 'staged'];
    const values = kinds.map((kind) => `('${kind}', 1)`).join(', ');
    await runner.query(`INSERT INTO sequences (kind, next) VALUES ${values}`);
  }

  down(): Promise<void> {
    throw new ForwardOnlyError();
  }
}

const schema = `
  CREATE TABLE metadata (
    key {text} NOT NULL,
    value {text} NOT NULL,
    CONSTRAINT metadata_pkey PRIMARY KEY (key)
  ) {keyed};
  CREATE TABLE sequences (
    kind {text} NOT NULL,
    next {int} NOT NULL,
    CONSTRAINT sequences_pkey PRIMARY KEY (kind)
  ) {keyed};
  CREATE TABLE rooms (
    room_nid {int} NOT NULL,
    room_id {text} NOT NULL,
    version {text} NOT NULL,
    revision {int} NOT NULL,
    state_group {int},
    extremities {text} NOT NULL,
    joined_via {text},
    created_ts {int} NOT NULL,
    CONSTRAINT rooms_pkey PRIMARY KEY (room_nid)
  );
  CREATE UNIQUE INDEX rooms_room_id ON rooms (room_id);
  CREATE TABLE events (
    event_nid {int} NOT NULL,
    event_id {text} NOT NULL,
    room_nid {int} NOT NULL,
    stream_pos {int},
    type {text} NOT NULL,
    state_key {text},
    sender {text} NOT NULL,
    depth {int} NOT NULL,
    origin_server_ts {int} NOT NULL,
    received_ts {int} NOT NULL,
    flags {int} NOT NULL,
    reject_reason {text},
    redacted_by {text},
    state_group {int},
    state_group_after {int},
    json {text} NOT NULL,
    internal {text},
    CONSTRAINT events_pkey PRIMARY KEY (event_nid)
  );
  CREATE UNIQUE INDEX events_event_id ON events (event_id);
  CREATE UNIQUE INDEX events_stream_pos ON events (stream_pos);
  CREATE INDEX events_room_stream ON events (room_nid, stream_pos);
  CREATE INDEX events_rejected ON events (room_nid) WHERE reject_reason IS NOT NULL;
  CREATE TABLE event_auth (
    event_nid {int} NOT NULL,
    auth_event_id {text} NOT NULL,
    CONSTRAINT event_auth_pkey PRIMARY KEY (event_nid, auth_event_id)
  ) {keyed};
  CREATE TABLE missing_events (
    room_nid {int} NOT NULL,
    event_id {text} NOT NULL,
    CONSTRAINT missing_events_pkey PRIMARY KEY (room_nid, event_id)
  ) {keyed};
  CREATE TABLE redactions (
    redacts_event_id {text} NOT NULL,
    redaction_event_nid {int} NOT NULL,
    room_nid {int} NOT NULL,
    CONSTRAINT redactions_pkey PRIMARY KEY (redacts_event_id, redaction_event_nid)
  ) {keyed};
  CREATE INDEX redactions_room ON redactions (room_nid);
  CREATE TABLE state_groups (
    group_nid {int} NOT NULL,
    room_nid {int} NOT NULL,
    prev_group {int},
    chain_length {int} NOT NULL,
    CONSTRAINT state_groups_pkey PRIMARY KEY (group_nid)
  );
  CREATE INDEX state_groups_room ON state_groups (room_nid);
  CREATE TABLE state_group_entries (
    group_nid {int} NOT NULL,
    type {text} NOT NULL,
    state_key {text} NOT NULL,
    event_id {text} NOT NULL,
    CONSTRAINT state_group_entries_pkey PRIMARY KEY (group_nid, type, state_key)
  ) {keyed};
  CREATE TABLE state_changes (
    room_nid {int} NOT NULL,
    stream_pos {int} NOT NULL,
    type {text} NOT NULL,
    state_key {text} NOT NULL,
    CONSTRAINT state_changes_pkey PRIMARY KEY (room_nid, stream_pos, type, state_key)
  ) {keyed};
  CREATE TABLE memberships (
    room_nid {int} NOT NULL,
    user_id {text} NOT NULL,
    membership {text} NOT NULL,
    event_id {text} NOT NULL,
    sender {text} NOT NULL,
    stream_pos {int} NOT NULL,
    is_local {int} NOT NULL,
    display_name {text},
    forgotten {int} NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (room_nid, user_id)
  ) {keyed};
  CREATE INDEX memberships_user ON memberships (user_id, stream_pos);
  CREATE INDEX memberships_room_membership ON memberships (room_nid, membership);
  CREATE INDEX memberships_room_stream ON memberships (room_nid, stream_pos);
  CREATE TABLE invites (
    room_id {text} NOT NULL,
    user_id {text} NOT NULL,
    event_json {text} NOT NULL,
    stripped_state_json {text} NOT NULL,
    origin {text} NOT NULL,
    ended {int} NOT NULL,
    stream_pos {int} NOT NULL,
    CONSTRAINT invites_pkey PRIMARY KEY (room_id, user_id)
  ) {keyed};
  CREATE INDEX invites_user ON invites (user_id);
  CREATE TABLE room_aliases (
    alias {text} NOT NULL,
    room_id {text} NOT NULL,
    servers {text} NOT NULL,
    creator {text} NOT NULL,
    CONSTRAINT room_aliases_pkey PRIMARY KEY (alias)
  ) {keyed};
  CREATE INDEX room_aliases_room ON room_aliases (room_id);
  CREATE TABLE users (
    localpart {text} NOT NULL,
    password_hash {text},
    is_admin {int} NOT NULL,
    deactivated {int} NOT NULL,
    created_ts {int} NOT NULL,
    display_name {text},
    avatar_url {text},
    CONSTRAINT users_pkey PRIMARY KEY (localpart)
  ) {keyed};
  CREATE TABLE devices (
    user_id {text} NOT NULL,
    device_id {text} NOT NULL,
    display_name {text},
    last_seen_ts {int} NOT NULL,
    last_seen_ip {text},
    created_ts {int} NOT NULL,
    CONSTRAINT devices_pkey PRIMARY KEY (user_id, device_id)
  ) {keyed};
  CREATE TABLE access_tokens (
    token_hash {text} NOT NULL,
    user_id {text} NOT NULL,
    device_id {text} NOT NULL,
    created_ts {int} NOT NULL,
    CONSTRAINT access_tokens_pkey PRIMARY KEY (token_hash)
  ) {keyed};
  CREATE INDEX access_tokens_device ON access_tokens (user_id, device_id);
  CREATE TABLE account_data (
    user_id {text} NOT NULL,
    room_id {text} NOT NULL,
    type {text} NOT NULL,
    content {text} NOT NULL,
    stream_pos {int} NOT NULL,
    CONSTRAINT account_data_pkey PRIMARY KEY (user_id, room_id, type)
  ) {keyed};
  CREATE INDEX account_data_stream ON account_data (user_id, stream_pos);
  CREATE TABLE filters (
    user_id {text} NOT NULL,
    filter_id {text} NOT NULL,
    json {text} NOT NULL,
    CONSTRAINT filters_pkey PRIMARY KEY (user_id, filter_id)
  ) {keyed};
  CREATE TABLE receipts (
    room_nid {int} NOT NULL,
    user_id {text} NOT NULL,
    receipt_type {text} NOT NULL,
    thread_id {text} NOT NULL,
    event_id {text} NOT NULL,
    ts {int} NOT NULL,
    event_pos {int} NOT NULL,
    stream_pos {int} NOT NULL,
    CONSTRAINT receipts_pkey PRIMARY KEY (room_nid, user_id, receipt_type, thread_id)
  ) {keyed};
  CREATE INDEX receipts_stream ON receipts (room_nid, stream_pos);
  CREATE TABLE device_txns (
    user_id {text} NOT NULL,
    device_id {text} NOT NULL,
    txn_key {text} NOT NULL,
    event_id {text} NOT NULL,
    created_ts {int} NOT NULL,
    CONSTRAINT device_txns_pkey PRIMARY KEY (user_id, device_id, txn_key)
  ) {keyed};
  CREATE TABLE media (
    media_id {text} NOT NULL,
    origin {text} NOT NULL,
    uploader {text},
    content_type {text} NOT NULL,
    upload_name {text},
    size {int} NOT NULL,
    sha256 {text} NOT NULL,
    created_ts {int} NOT NULL,
    CONSTRAINT media_pkey PRIMARY KEY (media_id, origin)
  ) {keyed};
  CREATE TABLE outbox (
    destination {text} NOT NULL,
    lane {text} NOT NULL,
    position {int} NOT NULL,
    event_id {text},
    edu {text},
    dedup_key {text},
    CONSTRAINT outbox_pkey PRIMARY KEY (destination, lane, position)
  ) {keyed};
  CREATE TABLE outbox_lanes (
    destination {text} NOT NULL,
    lane {text} NOT NULL,
    epoch {text} NOT NULL,
    next_seq {int} NOT NULL,
    acked_seq {int} NOT NULL,
    bound_pos {int} NOT NULL,
    CONSTRAINT outbox_lanes_pkey PRIMARY KEY (destination, lane)
  ) {keyed};
  CREATE TABLE outbox_transactions (
    destination {text} NOT NULL,
    lane {text} NOT NULL,
    first_seq {int} NOT NULL,
    last_seq {int} NOT NULL,
    txn_id {text} NOT NULL,
    epoch {text} NOT NULL,
    items {text} NOT NULL,
    CONSTRAINT outbox_transactions_pkey PRIMARY KEY (destination, lane, first_seq)
  ) {keyed};
  CREATE TABLE retired_epochs (
    destination {text} NOT NULL,
    lane {text} NOT NULL,
    epoch {text} NOT NULL,
    CONSTRAINT retired_epochs_pkey PRIMARY KEY (destination, lane, epoch)
  ) {keyed};
  CREATE TABLE inbound_lanes (
    origin {text} NOT NULL,
    lane {text} NOT NULL,
    epoch {text} NOT NULL,
    last_seq {int} NOT NULL,
    CONSTRAINT inbound_lanes_pkey PRIMARY KEY (origin, lane)
  ) {keyed};
  CREATE TABLE inbound_transactions (
    origin {text} NOT NULL,
    txn_id {text} NOT NULL,
    digest {text} NOT NULL,
    response {text} NOT NULL,
    received_ts {int} NOT NULL,
    CONSTRAINT inbound_transactions_pkey PRIMARY KEY (origin, txn_id)
  ) {keyed};
  CREATE INDEX inbound_transactions_received ON inbound_transactions (received_ts);
  CREATE TABLE staged (
    staged_nid {int} NOT NULL,
    origin {text} NOT NULL,
    kind {text} NOT NULL,
    room_id {text},
    event_id {text},
    json {text} NOT NULL,
    received_ts {int} NOT NULL,
    attempts {int} NOT NULL,
    next_try_ts {int},
    dead_reason {text},
    CONSTRAINT staged_pkey PRIMARY KEY (staged_nid)
  );
  CREATE INDEX staged_origin ON staged (origin, staged_nid);
  CREATE TABLE partner_state (
    server_name {text} NOT NULL,
    json {text} NOT NULL,
    CONSTRAINT partner_state_pkey PRIMARY KEY (server_name)
  ) {keyed};
`;
