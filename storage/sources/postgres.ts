import type { CustomTypesConfig } from 'pg';
import type { Logger } from 'pino';
import { DataSource } from 'typeorm';
import { PostgresConnection, Reader } from '../connection.ts';
import { translateError } from '../errors.ts';
import { migrations } from '../migrations/index.ts';
import { entitiesFor } from '../schema/entities.ts';
import { checkMigrations, checkTables } from './check-schema.ts';
import type { Sources } from './open-source.ts';

const int8 = 20;
/** Held while the schema is checked and migrated, so that several processes may start at once. */
const migrationLock = 7_268_402;
const readers = 8;

/**
 * Integers as numbers (all of ours are below 2^53), for these connections only and not for the process. The driver is
 * loaded only where it is wanted.
 */
async function typeParsers(): Promise<CustomTypesConfig> {
  const { default: pg } = await import('pg');
  return {
    getTypeParser: (oid: number, format?: 'text' | 'binary') =>
      oid === int8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format),
  };
}

/** Opens a PostgreSQL database and brings its schema up to date. */
export async function openPostgres(config: { url: string }, log: Logger): Promise<Sources> {
  const where = withoutPassword(config.url);
  const types = await typeParsers();
  const options = {
    type: 'postgres',
    url: config.url,
    installExtensions: false,
    applicationName: 'archipelago',
    connectTimeoutMS: 10_000,
    poolErrorHandler: (error: unknown) => log.warn({ err: error }, 'a connection to the database was lost'),
  } as const;
  let writing: DataSource | undefined;
  let reading: DataSource | undefined;
  const close = async (): Promise<void> => {
    if (reading?.isInitialized) await reading.destroy();
    if (writing?.isInitialized) await writing.destroy();
  };
  try {
    // Two connections: the writer's own, and one for migrations.
    writing = new DataSource({
      ...options,
      poolSize: 2,
      entities: entitiesFor('postgres'),
      migrations,
      extra: { types, options: '-c synchronous_commit=on' },
    });
    await writing.initialize();
    await migrate(writing, where);
    reading = new DataSource({
      ...options,
      poolSize: readers,
      entities: entitiesFor('postgres'),
      extra: { types, options: '-c default_transaction_read_only=on' },
    });
    await reading.initialize();
    const [writer, pool] = [writing, reading];
    return {
      kind: 'postgres',
      where,
      async connect() {
        const runner = writer.createQueryRunner();
        await runner.connect();
        return new PostgresConnection(runner);
      },
      reader: (translate) => Reader.ofPostgres(pool, translate),
      close,
    };
  } catch (error) {
    await close();
    throw translateError(error, where);
  }
}

async function migrate(source: DataSource, where: string): Promise<void> {
  const runner = source.createQueryRunner();
  try {
    await runner.query('SELECT pg_advisory_lock($1::bigint)', [migrationLock]);
    const tables: { name: string }[] = await source.query(
      'SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()',
    );
    if (checkTables(names(tables), where) === 'ours')
      checkMigrations(names(await source.query('SELECT name FROM migrations')), where);
    await source.runMigrations({ transaction: 'each' });
  } finally {
    await runner.query('SELECT pg_advisory_unlock($1::bigint)', [migrationLock]).catch(() => undefined);
    await runner.release();
  }
}

function names(rows: readonly { name: string }[]): string[] {
  return rows.map((row) => row.name);
}

function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    parsed.password = '';
    return parsed.toString();
  } catch {
    return 'of the configuration';
  }
}
