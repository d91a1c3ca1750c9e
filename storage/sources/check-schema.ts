import type { DataSource } from 'typeorm';
import { StorageError } from '../errors.ts';
import { migrationNames } from '../migrations/index.ts';
import type { DatabaseKind } from '../schema/entities.ts';

/** Which of the tables that tell a database of ours are there: `none`, `ours`, or `others` only. */
export async function hasTables(source: DataSource, kind: DatabaseKind): Promise<'none' | 'ours' | 'others'> {
  const rows: { name: string }[] = await source.query(
    kind === 'sqlite'
      ? "SELECT name FROM sqlite_master WHERE type = 'table'"
      : 'SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()',
  );
  if (rows.length === 0) return 'none';
  return rows.some((row) => row.name === 'migrations') ? 'ours' : 'others';
}

/** Throws StorageError for a database that a newer version wrote, or another program. Changes nothing. */
export async function checkBeforeMigrating(
  source: DataSource,
  where: string,
  found: 'none' | 'ours' | 'others',
): Promise<void> {
  if (found === 'none') return;
  if (found === 'others')
    throw new StorageError(
      'foreign',
      `The database ${where} belongs to another program. Nothing was changed: name another one in the configuration.`,
    );
  const rows: { name: string }[] = await source.query('SELECT name FROM migrations ORDER BY id');
  const unknown = rows.map((row) => row.name).filter((name) => !migrationNames.includes(name));
  if (unknown.length > 0)
    throw new StorageError(
      'newer-schema',
      `The database ${where} was written by a newer version of Archipelago (it has ${unknown.join(', ')}). Nothing was changed: install that version or a newer one, or restore a backup from before the upgrade.`,
    );
}
