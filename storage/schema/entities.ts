import { EntitySchema, type EntitySchemaColumnOptions } from 'typeorm';
import * as border from './border-tables.ts';
import * as federation from './federation-tables.ts';
import * as notices from './notice-tables.ts';
import * as rooms from './room-tables.ts';
import * as system from './system-tables.ts';
import type { Table } from './table.ts';
import * as users from './user-tables.ts';

export type DatabaseKind = 'sqlite' | 'postgres';

/** Every table, by its name. */
export const tables: ReadonlyMap<string, Table> = new Map(
  [system, rooms, users, federation, border, notices]
    .flatMap((module): Table[] => Object.values(module))
    .map((entry) => [entry.name, entry]),
);

/** A single integer key is SQLite's rowid; all other tables are stored in the order of their key. */
function hasRowid(entry: Table): boolean {
  return entry.key.length === 1 && entry.columns[entry.key[0] ?? '']?.type === 'int';
}

/** TypeORM's view of the tables. Texts on PostgreSQL compare by bytes, as on SQLite. */
export function entitiesFor(kind: DatabaseKind): EntitySchema[] {
  return [...tables.values()].map((entry) => {
    const columns: Record<string, EntitySchemaColumnOptions> = {};
    for (const [name, column] of Object.entries(entry.columns)) {
      const isKey = entry.key.includes(name);
      columns[name] = {
        type: column.type === 'text' ? 'text' : kind === 'sqlite' ? 'integer' : 'bigint',
        nullable: column.nullable,
        primary: isKey,
        ...(isKey ? { primaryKeyConstraintName: `${entry.name}_pkey` } : {}),
        ...(kind === 'postgres' && column.type === 'text' ? { collation: 'C' } : {}),
      };
    }
    return new EntitySchema({
      name: entry.name,
      tableName: entry.name,
      columns,
      indices: entry.indexes.map((index) => ({
        name: index.name,
        columns: [...index.columns],
        unique: index.unique ?? false,
        ...(index.where === undefined ? {} : { where: index.where }),
      })),
      withoutRowid: !hasRowid(entry),
    });
  });
}
