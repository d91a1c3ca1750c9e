import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ForwardOnlyError, runDdl } from './ddl.ts';

/** The audit log. */
export class Audit1764000000002 implements MigrationInterface {
  readonly name = 'Audit1764000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runDdl(
      runner,
      `CREATE TABLE audit (
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
      )`,
    );
    await runner.query(`INSERT INTO sequences (kind, next) VALUES ('audit', 1)`);
  }

  down(): Promise<void> {
    throw new ForwardOnlyError();
  }
}
