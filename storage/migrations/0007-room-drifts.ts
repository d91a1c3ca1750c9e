import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ForwardOnlyError, runDdl } from './ddl.ts';

/** Servers that somebody else let into rooms of ours, and what became of it. */
export class RoomDrifts1764000000007 implements MigrationInterface {
  readonly name = 'RoomDrifts1764000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runDdl(runner, schema);
  }

  down(): Promise<void> {
    throw new ForwardOnlyError();
  }
}

const schema = `
  CREATE TABLE room_drifts (
    room_id {text} NOT NULL,
    server {text} NOT NULL,
    partner {text} NOT NULL,
    state {text} NOT NULL,
    report_to {text},
    created_ts {int} NOT NULL,
    CONSTRAINT room_drifts_pkey PRIMARY KEY (room_id, server)
  ) {keyed};
`;
