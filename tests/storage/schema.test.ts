import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import SqliteDatabase from 'better-sqlite3';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { type DatabaseConfig, StorageError } from '../../storage/database.ts';
import { migrations } from '../../storage/migrations/index.ts';
import { type DatabaseKind, entitiesFor } from '../../storage/schema/entities.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { emptySqlite, failure, onBothDatabases, open } from './support.ts';

function sourceOf(config: DatabaseConfig): DataSource {
  return config.type === 'sqlite'
    ? new DataSource({ type: 'better-sqlite3', database: config.path, entities: entitiesFor('sqlite') })
    : new DataSource({ type: 'postgres', url: config.url, entities: entitiesFor('postgres') });
}

onBothDatabases('The schema', (database, config) => {
  it('is what the table descriptions say, column by column', async () => {
    const source = await sourceOf(config()).initialize();
    try {
      // What TypeORM would change to make the database fit the entities: nothing.
      const { upQueries } = await source.driver.createSchemaBuilder().log();
      assert.deepEqual(
        upQueries.map((query) => query.query),
        [],
      );
    } finally {
      await source.destroy();
    }
  });

  it('compares texts by their bytes', async () => {
    const names = ['b', 'B', 'a', 'ä', 'Z', 'z', '_'];
    await database().writer.submit({
      label: 't',
      ops: names.flatMap((name) => database().filters.put('@sort:a', name, '{}')),
    });
    const rows = await database().reader.query<{ filter_id: string }>(
      "SELECT filter_id FROM filters WHERE user_id = '@sort:a' ORDER BY filter_id",
    );
    assert.deepEqual(
      rows.map((row) => row.filter_id),
      ['B', 'Z', '_', 'a', 'b', 'z', 'ä'],
    );
  });
});

describe('Migrations', () => {
  it('only move forward', async () => {
    for (const Migration of migrations) {
      assert.throws(() => new Migration().down(), /only moves forward/);
    }
  });
});

for (const kind of ['sqlite', 'postgres'] as const satisfies DatabaseKind[]) {
  it(`A ${kind} database from before there were roles keeps its admins, as owners`, async function () {
    this.timeout(60_000);
    const config = kind === 'sqlite' ? emptySqlite() : await emptyPostgres();
    const source = await new DataSource({
      ...(config.type === 'sqlite'
        ? { type: 'better-sqlite3', database: config.path }
        : { type: 'postgres', url: config.url }),
      migrations: migrations.slice(0, 2),
    }).initialize();
    await source.runMigrations({ transaction: 'each' });
    for (const [name, isAdmin, isGone] of [
      ['ann', 1, 0],
      ['bob', 0, 0],
      ['eve', 1, 1],
    ])
      await source.query(
        `INSERT INTO users (localpart, is_admin, deactivated, created_ts) VALUES ('${name}', ${isAdmin}, ${isGone}, 1)`,
      );
    await source.destroy();
    const database = await open(config);
    try {
      assert.deepEqual(
        await database.roles.all(),
        new Map([['ann', ['admin', 'owner', 'partner-manager', 'security']]]),
      );
      assert.equal((await database.users.list()).length, 3);
    } finally {
      await database.close();
    }
  });

  describe(`A ${kind} database of somebody else`, () => {
    let config: DatabaseConfig;
    beforeEach(async function () {
      this.timeout(60_000);
      config = kind === 'sqlite' ? emptySqlite() : await emptyPostgres();
    });

    const change = async (sql: string): Promise<void> => {
      if (config.type === 'sqlite') {
        const handle = new SqliteDatabase(config.path);
        handle.exec(sql);
        handle.close();
        return;
      }
      const client = new pg.Client({ connectionString: config.url });
      await client.connect();
      await client.query(sql);
      await client.end();
    };

    it('is refused if a newer version wrote it, and left as it is', async () => {
      const database = await open(config);
      await database.metadata.claimServerName('acme.test');
      await database.close();
      await change("INSERT INTO migrations (timestamp, name) VALUES (1999999999999, 'Future1999999999999')");
      const before = config.type === 'sqlite' ? readFileSync(config.path) : undefined;
      const error = await failure(open(config));
      assert.ok(error instanceof StorageError);
      assert.equal(error.code, 'newer-schema');
      assert.match(error.message, /newer version of Archipelago.*Future1999999999999.*Nothing was changed/);
      if (config.type === 'sqlite') assert.deepEqual(readFileSync(config.path), before);
      await change("DELETE FROM migrations WHERE name = 'Future1999999999999'");
      const again = await open(config);
      assert.equal(await again.metadata.get('server_name'), 'acme.test');
      await again.close();
    });

    it('is refused if it belongs to another program', async () => {
      await change('CREATE TABLE invoices (id integer PRIMARY KEY)');
      const before = config.type === 'sqlite' ? readFileSync(config.path) : undefined;
      const error = await failure(open(config));
      assert.ok(error instanceof StorageError);
      assert.equal(error.code, 'foreign');
      assert.match(error.message, /another program/);
      if (config.type === 'sqlite') assert.deepEqual(readFileSync(config.path), before);
    });

    it('is refused if it belongs to another server name', async () => {
      const database = await open(config);
      await database.metadata.claimServerName('acme.test');
      await database.metadata.claimServerName('acme.test');
      const error = await failure(database.metadata.claimServerName('bolt.test'));
      await database.close();
      assert.ok(error instanceof StorageError);
      assert.equal(error.code, 'wrong-server');
      assert.match(error.message, /acme\.test.*bolt\.test/);
    });
  });
}
