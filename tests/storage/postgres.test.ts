import assert from 'node:assert/strict';
import pg from 'pg';
import { type Database, StorageError } from '../../storage/database.ts';
import { nextPosition, RoomConflict } from '../../storage/writer.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { failure, open } from './support.ts';

describe('PostgreSQL', () => {
  let config: { type: 'postgres'; url: string };
  let one: Database;
  let two: Database;

  before(async function () {
    this.timeout(60_000);
    config = await emptyPostgres();
    // At the same time: one of them migrates, the other one waits for it.
    [one, two] = await Promise.all([open(config), open(config)]);
  });

  after(async () => {
    await one.close();
    await two.close();
  });

  it('gives two processes numbers that never collide', () => {
    const mine = Array.from({ length: 100 }, () => one.ids.next('event'));
    const others = Array.from({ length: 100 }, () => two.ids.next('event'));
    assert.equal(new Set([...mine, ...others]).size, 200);
  });

  it('gives two processes positions without gaps or doubles, visible in order', async () => {
    const start = one.streams.position;
    let highest = 0;
    let broken = 0;
    const check = async (): Promise<void> => {
      const [row] = await two.reader.query<{ count: number; top: number | null }>(
        "SELECT COUNT(*) AS count, MAX(position) AS top FROM outbox WHERE lane = 'race'",
      );
      if (row === undefined || row.top === null) return;
      // Everything below the highest that can be seen can be seen as well.
      if (row.count !== row.top - start) broken += 1;
      highest = row.top;
    };
    const write = async (database: Database): Promise<void> => {
      for (let n = 0; n < 40; n += 1) {
        const items = [0, 1, 2].map(() => ({
          destination: 'bolt.test',
          lane: 'race',
          position: nextPosition(),
          eventId: '$e',
        }));
        await Promise.all(
          items.map((item) => database.writer.submit({ label: 't', ops: database.outbox.enqueue([item]) })),
        );
        await check();
      }
    };
    await Promise.all([write(one), write(two)]);
    await check();
    assert.equal(broken, 0);
    assert.equal(highest, start + 240);
  });

  it('lets one of two processes change a room, and tells the other one to reload', async () => {
    const roomNid = one.ids.next('room');
    const record = {
      roomNid,
      roomId: '!r:a',
      version: '12',
      stateGroup: null,
      joinedVia: null,
      createdTs: 1,
    };
    await one.writer.submit({
      label: 'create',
      ops: one.rooms.insert({ ...record, revision: 0, extremities: [] }),
      room: { roomNid, expectedRevision: 0 },
    });
    const results = await Promise.allSettled(
      [one, two].map((database, n) =>
        database.writer.submit({
          label: 't',
          ops: database.rooms.update(roomNid, { extremities: [`$${n}`] }),
          room: { roomNid, expectedRevision: 1 },
        }),
      ),
    );
    const stored = results.findIndex((result) => result.status === 'fulfilled');
    const refused = results.find((result) => result.status === 'rejected');
    assert.ok(refused?.reason instanceof RoomConflict);
    assert.deepEqual(await one.rooms.get('!r:a'), { ...record, revision: 2, extremities: [`$${stored}`] });
  });

  it('parses large integers on its own connections only', async () => {
    const [row] = await one.reader.query<{ big: unknown }>('SELECT CAST(9007199254740991 AS bigint) AS big');
    assert.equal(row?.big, Number.MAX_SAFE_INTEGER);
    const client = new pg.Client({ connectionString: config.url });
    await client.connect();
    const { rows } = await client.query('SELECT CAST(1 AS bigint) AS big');
    await client.end();
    assert.deepEqual(rows, [{ big: '1' }]);
  });

  it('lives on when its connections are cut', async () => {
    const client = new pg.Client({ connectionString: config.url });
    await client.connect();
    await one.metadata.get('x');
    const cut =
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
    await client.query(cut).finally(() => client.end());
    let stored = false;
    for (let attempt = 0; attempt < 3 && !stored; attempt += 1) {
      try {
        await one.writer.submit({ label: 't', ops: one.metadata.put('after-cut', 'v') });
        stored = true;
      } catch (error) {
        assert.ok(error instanceof StorageError, String(error));
        assert.equal(error.code, 'unreachable');
      }
    }
    assert.equal(stored, true);
    assert.equal(await one.metadata.get('after-cut'), 'v');
  });

  it('says that it cannot be reached, without the password', async () => {
    const url = new URL(config.url);
    url.port = '1';
    const gone = await failure(open({ type: 'postgres', url: url.toString() }));
    assert.ok(gone instanceof StorageError && gone.code === 'unreachable', String(gone));
    const wrong = new URL(config.url);
    wrong.pathname = '/no_such_database';
    const missing = await failure(open({ type: 'postgres', url: wrong.toString() }));
    assert.ok(missing instanceof StorageError && missing.code === 'unreachable', String(missing));
    for (const error of [gone, missing]) {
      assert.match(error.message, /cannot be reached: check that it runs/);
      assert.ok(!error.message.includes(url.password));
    }
  });
});
