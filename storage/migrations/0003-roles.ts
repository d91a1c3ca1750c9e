import type { MigrationInterface, QueryRunner } from 'typeorm';
import { ForwardOnlyError, runDdl } from './ddl.ts';

/** Roles of those who administer the island, in place of a flag: whoever had that becomes owner and admin. */
export class Roles1764000000003 implements MigrationInterface {
  readonly name = 'Roles1764000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runDdl(
      runner,
      `CREATE TABLE user_roles (
        localpart {text} NOT NULL,
        role {text} NOT NULL,
        CONSTRAINT user_roles_pkey PRIMARY KEY (localpart, role)
      ) {keyed}`,
    );
    for (const role of ['owner', 'admin', 'partner-manager', 'security'])
      await runner.query(
        `INSERT INTO user_roles (localpart, role)
         SELECT localpart, '${role}' FROM users WHERE is_admin = 1 AND deactivated = 0`,
      );
    await runner.query('ALTER TABLE users DROP COLUMN is_admin');
  }

  down(): Promise<void> {
    throw new ForwardOnlyError();
  }
}
