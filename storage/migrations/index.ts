import { Foundation1764000000001 } from './0001-foundation.ts';
import { Border1764000000002 } from './0002-border.ts';
import { Roles1764000000003 } from './0003-roles.ts';
import { Notices1764000000005 } from './0005-notices.ts';
import { RoomDrifts1764000000007 } from './0007-room-drifts.ts';

/** All migrations, oldest first. Released ones are never edited. */
export const migrations = [
  Foundation1764000000001,
  Border1764000000002,
  Roles1764000000003,
  Notices1764000000005,
  RoomDrifts1764000000007,
];

/** The names under which TypeORM notes them in the table `migrations`. */
export const migrationNames: readonly string[] = migrations.map((migration) => new migration().name);
