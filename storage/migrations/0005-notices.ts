import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ForwardOnlyError, runDdl } from './ddl.ts';

/** What the server says to its own people: in a room of each, in the rooms themselves, and what it has said of partners. */
export class Notices1764000000005 implements MigrationInterface {
  readonly name = 'Notices1764000000005';

  async up(runner: QueryRunner): Promise<void> {
    await runDdl(runner, schema);
  }

  down(): Promise<void> {
    throw new ForwardOnlyError();
  }
}

const schema = `
  CREATE TABLE local_notices (
    event_id {text} NOT NULL,
    room_nid {int} NOT NULL,
    stream_pos {int} NOT NULL,
    ts {int} NOT NULL,
    sender {text} NOT NULL,
    content {text} NOT NULL,
    cause {text} NOT NULL,
    CONSTRAINT local_notices_pkey PRIMARY KEY (event_id)
  ) {keyed};
  CREATE INDEX local_notices_room ON local_notices (room_nid, stream_pos);
  CREATE INDEX local_notices_cause ON local_notices (cause, room_nid);
  CREATE TABLE server_notices (
    user_id {text} NOT NULL,
    cause {text} NOT NULL,
    notice {text} NOT NULL,
    created_ts {int} NOT NULL,
    CONSTRAINT server_notices_pkey PRIMARY KEY (user_id, cause)
  ) {keyed};
  CREATE INDEX server_notices_created ON server_notices (created_ts, user_id);
  CREATE TABLE partner_standings (
    server_name {text} NOT NULL,
    standing {text} NOT NULL,
    CONSTRAINT partner_standings_pkey PRIMARY KEY (server_name)
  ) {keyed};
  CREATE TABLE partner_outages (
    server_name {text} NOT NULL,
    since {int} NOT NULL,
    told {int} NOT NULL,
    CONSTRAINT partner_outages_pkey PRIMARY KEY (server_name)
  ) {keyed};
`;
