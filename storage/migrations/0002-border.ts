import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ForwardOnlyError, runDdl } from './ddl.ts';

/** What the border keeps: the audit log, what was done to partners at run time, decisions, approvals, quarantine,
 * and the departments that policies name. */
export class Border1764000000002 implements MigrationInterface {
  readonly name = 'Border1764000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runDdl(runner, schema);
    await runner.query(`INSERT INTO sequences (kind, next) VALUES ('audit', 1)`);
  }

  down(): Promise<void> {
    throw new ForwardOnlyError();
  }
}

const schema = `
  CREATE TABLE audit (
    seq {int} NOT NULL,
    ts {int} NOT NULL,
    action {text} NOT NULL,
    outcome {text} NOT NULL,
    actor {text} NOT NULL,
    subject {text},
    detail {text},
    prev {text} NOT NULL,
    hash {text} NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (seq)
  );
  CREATE TABLE partner_overlays (
    server_name {text} NOT NULL,
    json {text} NOT NULL,
    CONSTRAINT partner_overlays_pkey PRIMARY KEY (server_name)
  ) {keyed};
  CREATE TABLE decisions (
    digest {text} NOT NULL,
    question {text} NOT NULL,
    violations {text} NOT NULL,
    first_ts {int} NOT NULL,
    last_ts {int} NOT NULL,
    times {int} NOT NULL,
    CONSTRAINT decisions_pkey PRIMARY KEY (digest)
  ) {keyed};
  CREATE INDEX decisions_last ON decisions (last_ts);
  CREATE TABLE approvals (
    approval_id {text} NOT NULL,
    direction {text} NOT NULL,
    room_id {text} NOT NULL,
    inviter {text} NOT NULL,
    invitee {text} NOT NULL,
    state {text} NOT NULL,
    json {text} NOT NULL,
    created_ts {int} NOT NULL,
    decided_ts {int},
    decided_by {text},
    CONSTRAINT approvals_pkey PRIMARY KEY (approval_id)
  ) {keyed};
  CREATE INDEX approvals_state ON approvals (state, created_ts);
  CREATE TABLE quarantine (
    event_nid {int} NOT NULL,
    violations {text} NOT NULL,
    created_ts {int} NOT NULL,
    CONSTRAINT quarantine_pkey PRIMARY KEY (event_nid)
  );
  CREATE TABLE departments (
    localpart {text} NOT NULL,
    department {text} NOT NULL,
    CONSTRAINT departments_pkey PRIMARY KEY (localpart, department)
  ) {keyed};
`;
