import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import SqliteDatabase from 'better-sqlite3';
import { DataSource } from 'typeorm';
import { type Database, StorageError } from '../../storage/database.ts';
import { isDatabaseLocked, lockDatabase } from '../../storage/lock.ts';
import { assertDurable } from '../../storage/sources/sqlite.ts';
import type { WriteOp } from '../../storage/writer.ts';
import { temporaryFolder } from '../support/folder.ts';
import { emptySqlite, failure, open } from './support.ts';

async function refusal(promise: Promise<unknown>): Promise<StorageError> {
  const error = await failure(promise);
  assert.ok(error instanceof StorageError, `${error.name}: ${error.message}`);
  return error;
}

function row(id: string, length: number): WriteOp {
  return {
    kind: 'insert',
    table: 'filters',
    rows: [{ user_id: '@a:b', filter_id: id, json: 'x'.repeat(length) }],
  };
}

async function ids(database: Database): Promise<string[]> {
  const rows = await database.reader.query<{ filter_id: string }>(
    'SELECT filter_id FROM filters ORDER BY filter_id',
  );
  return rows.map((entry) => entry.filter_id);
}

describe('SQLite durability', () => {
  it('writes with synchronous=FULL in WAL mode', async () => {
    const database = await open(emptySqlite());
    const settings = await database.writer.transact('t', async (tx) => [
      await tx.query('PRAGMA synchronous'),
      await tx.query('PRAGMA journal_mode'),
    ]);
    await database.close();
    assert.deepEqual(settings, [[{ synchronous: 2 }], [{ journal_mode: 'wal' }]]);
  });

  it('refuses a source that would lose what was committed', async () => {
    for (const pragmas of [
      ['journal_mode = WAL'],
      ['journal_mode = DELETE', 'synchronous = FULL'],
      ['journal_mode = WAL', 'synchronous = NORMAL'],
    ]) {
      const { path } = emptySqlite();
      // The driver's own level for WAL files applies to files that are in this mode already.
      const first = new SqliteDatabase(path);
      first.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x)');
      first.close();
      const source = new DataSource({
        type: 'better-sqlite3',
        database: path,
        prepareDatabase: (handle: SqliteDatabase.Database) => {
          for (const pragma of pragmas) handle.pragma(pragma);
        },
      });
      await source.initialize();
      const error = await refusal(assertDurable(source, 'x.db'));
      await source.destroy();
      assert.equal(error.code, 'unsafe');
    }
  });

  it('has the rows of an event on disk when the fail point is reached, and has answered nobody', async () => {
    const config = emptySqlite();
    const seen: { rows: unknown; answered: boolean }[] = [];
    let answered = false;
    const database = await open(config, {
      failPoint: (name) => {
        assert.equal(name, 'event-stored');
        const other = new SqliteDatabase(config.path, { readonly: true });
        seen.push({ rows: other.prepare('SELECT COUNT(*) AS count FROM events').get(), answered });
        other.close();
      },
    });
    await database.writer.submit({ label: 'no event', ops: [row('a', 1)] });
    assert.deepEqual(seen, []);
    const pdu = {
      type: 'm.room.message',
      sender: '@a:b',
      content: {},
      prev_events: [],
      auth_events: [],
      depth: 1,
      origin_server_ts: 1,
      hashes: { sha256: '' },
      signatures: {},
    };
    const event = { nid: database.ids.next('event'), eventId: '$e', roomNid: 1, pdu, receivedTs: 1 };
    await database.writer.submit({ label: 'event', ops: database.events.insert(event) }).then(() => {
      answered = true;
    });
    await database.close();
    assert.deepEqual(seen, [{ rows: { count: 1 }, answered: false }]);
  });
});

describe('The lock of a SQLite database', () => {
  it('keeps a second island out, in this process too, until the first one closes', async () => {
    const config = emptySqlite();
    const first = await open(config);
    assert.equal(isDatabaseLocked(config.path), true);
    const error = await refusal(open(config));
    assert.equal(error.code, 'locked');
    assert.match(error.message, /in use: the island runs already/);
    await first.metadata.claimServerName('still.works');
    await first.close();
    assert.equal(isDatabaseLocked(config.path), false);
    await (await open(config)).close();
  });

  it('is freed when its process is killed, and what it had answered is there', async function () {
    this.timeout(30_000);
    const config = emptySqlite();
    const child = startHolder(config.path);
    try {
      const [written] = await once(child, 'message');
      const error = await refusal(open(config));
      assert.equal(error.code, 'locked');
      child.kill('SIGKILL');
      await once(child, 'exit');
      const database = await open(config);
      assert.equal(await database.metadata.get('written'), written);
      await database.close();
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('serves commands that work while no island runs', async () => {
    const config = emptySqlite();
    const lock = lockDatabase(config.path);
    assert.equal((await refusal(open(config))).code, 'locked');
    lock.release();
    await (await open(config)).close();
  });
});

function startHolder(path: string): ChildProcess {
  const script = fileURLToPath(new URL('./hold-database.ts', import.meta.url));
  return spawn(process.execPath, ['--import', 'tsx', script, path], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

describe('Trouble with the disk', () => {
  it('says that a file is no database, and leaves it alone', async () => {
    const config = emptySqlite();
    const text = 'This is not a database. '.repeat(1_000);
    writeFileSync(config.path, text);
    const error = await refusal(open(config));
    assert.equal(error.code, 'corrupt');
    assert.match(error.message, /is damaged\. Nothing was changed.*restore a backup/);
    assert.equal(readFileSync(config.path, 'utf8'), text);
    assert.equal(isDatabaseLocked(config.path), false);
  });

  it('notices a damaged page, and a file that was cut off', async () => {
    const config = emptySqlite();
    const database = await open(config);
    for (let n = 0; n < 200; n += 1) await database.writer.submit({ label: 't', ops: [row(`f${n}`, 2_000)] });
    await database.close();
    const whole = `${config.path}.copy`;
    copyFileSync(config.path, whole);
    const { size } = statSync(whole);

    truncateSync(config.path, Math.floor(size / 2 / 4096) * 4096);
    assert.equal((await refusal(open(config))).code, 'corrupt');

    const bytes = readFileSync(whole);
    bytes.fill(0xa5, 4096 * 40, 4096 * 60);
    writeFileSync(config.path, bytes);
    assert.equal((await refusal(open(config))).code, 'corrupt');

    copyFileSync(whole, config.path);
    const restored = await open(config);
    assert.equal((await ids(restored)).length, 200);
    await restored.close();
  });

  it('says that a folder cannot be written', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    for (const path of [join(file, 'island.db'), join(file, 'deeper', 'island.db')]) {
      const error = await refusal(open({ type: 'sqlite', path }));
      assert.equal(error.code, 'unwritable');
      assert.match(error.message, /check that its folder exists, its permissions and the disk/);
    }
  });

  it('refuses writes when the disk is full, goes on reading, and has lost nothing', async () => {
    const config = emptySqlite();
    const database = await open({ ...config, maxPageCount: 160 });
    const stored: string[] = [];
    let error: unknown;
    for (let n = 0; n < 1_000 && error === undefined; n += 1) {
      const id = `f${String(n).padStart(4, '0')}`;
      try {
        await database.writer.submit({ label: 't', ops: [row(id, 4_000)] });
        stored.push(id);
      } catch (cause) {
        error = cause;
      }
    }
    assert.ok(error instanceof StorageError);
    assert.equal(error.code, 'full');
    assert.match(error.message, /No space is left.*nothing before it is lost/);
    assert.ok(stored.length > 10);
    assert.deepEqual(await ids(database), stored);

    // Of a batch only what does not fit is refused.
    const results = await Promise.allSettled([
      database.writer.submit({ label: 'large', ops: [row('large', 100_000)] }),
      database.writer.submit({
        label: 'makes room',
        ops: [{ kind: 'delete', table: 'filters', where: { user_id: '@a:b', filter_id: stored[0] ?? '' } }],
      }),
    ]);
    assert.deepEqual(
      results.map((result) => result.status),
      ['rejected', 'fulfilled'],
    );
    await database.writer.submit({ label: 'fits again', ops: [row('small', 3_000)] });
    const left = [...stored.slice(1), 'small'].sort();
    assert.deepEqual(await ids(database), left);
    await database.close();
    const again = await open(config);
    assert.deepEqual(await ids(again), left);
    await again.close();
  });
});
