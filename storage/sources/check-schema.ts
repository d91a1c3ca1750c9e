import { StorageError } from '../errors.ts';
import { migrationNames } from '../migrations/index.ts';

/** Throws StorageError for a database that another program made; `tables` are the names of what is in it. */
export function checkTables(tables: readonly string[], where: string): 'empty' | 'ours' {
  if (tables.length === 0) return 'empty';
  if (tables.includes('migrations')) return 'ours';
  throw new StorageError(
    'foreign',
    `The database ${where} belongs to another program. Nothing was changed: name another one in the configuration.`,
  );
}

/** Throws StorageError if a migration was applied that this version does not know. */
export function checkMigrations(applied: readonly string[], where: string): void {
  const unknown = applied.filter((name) => !migrationNames.includes(name));
  if (unknown.length > 0)
    throw new StorageError(
      'newer-schema',
      `The database ${where} was written by a newer version of Archipelago (it has ${unknown.join(', ')}). Nothing was changed: install that version or a newer one, or restore a backup from before the upgrade.`,
    );
}
