import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { DuplicateRow, StorageError } from '../../storage/database.ts';
import type { PublishedNote } from '../../storage/streams.ts';
import {
  backfilledPosition,
  nextPosition,
  RoomConflict,
  type Row,
  type WriteOp,
} from '../../storage/writer.ts';
import { failure, onBothDatabases, open } from './support.ts';

function meta(key: string, value = 'v'): WriteOp {
  return { kind: 'insert', table: 'metadata', rows: [{ key, value }] };
}

function item(lane: string, position: Row[string], eventId = '$e'): WriteOp {
  return {
    kind: 'insert',
    table: 'outbox',
    rows: [{ destination: 'bolt.test', lane, position, event_id: eventId, edu: null, dedup_key: null }],
  };
}

onBothDatabases('The writer', (database) => {
  const keys = async (like: string): Promise<string[]> => {
    const rows = await database().reader.query<{ key: string }>(
      'SELECT key FROM metadata WHERE key LIKE ? ORDER BY key',
      [like],
    );
    return rows.map((row) => row.key);
  };
  const positionsIn = async (lane: string): Promise<number[]> => {
    const rows = await database().outbox.pending('bolt.test', lane, -1_000_000, 100);
    return rows.map((row) => row.position);
  };

  it('answers when the rows are there for every reader', async () => {
    await database().writer.submit({ label: 't', ops: [meta('seen')] });
    assert.equal(await database().metadata.get('seen'), 'v');
  });

  it('puts what is submitted together into one commit, told to listeners once', async () => {
    const batches: (readonly PublishedNote[])[] = [];
    const end = database().streams.subscribe((batch) => batches.push(batch));
    const notes = [1, 2, 3].map((n) => ({ stream: 'users' as const, key: `@u${n}:a` }));
    await Promise.all(
      notes.map((note, n) =>
        database().writer.submit({ label: 't', ops: [meta(`together-${n}`)], notes: [note] }),
      ),
    );
    end();
    assert.deepEqual(
      batches.map((batch) => batch.map((note) => note.key)),
      [['@u1:a', '@u2:a', '@u3:a']],
    );
  });

  it('refuses only the guilty set of a batch, and stores all of the others in order', async () => {
    await database().writer.submit({ label: 't', ops: [meta('taken')] });
    const sets = [
      { label: 'good 1', ops: [meta('guilt-1'), item('guilt', nextPosition())] },
      { label: 'guilty', ops: [meta('guilt-2'), meta('taken')] },
      { label: 'good 2', ops: [meta('guilt-3'), item('guilt', nextPosition())] },
      { label: 'nonsense', ops: [{ kind: 'delete', table: 'no_such_table', where: { a: 1 } } as const] },
      { label: 'good 3', ops: [item('guilt', nextPosition())] },
    ];
    const results = await Promise.allSettled(sets.map((set) => database().writer.submit(set)));
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'],
    );
    assert.ok(results[1]?.status === 'rejected' && results[1].reason instanceof DuplicateRow);
    assert.deepEqual(await keys('guilt-%'), ['guilt-1', 'guilt-3']);
    const [first = 0, ...rest] = await positionsIn('guilt');
    assert.deepEqual(rest, [first + 1, first + 2]);
  });

  it('keeps rows that were acknowledged while another transaction was open and then failed', async () => {
    // On one TypeORM source B would become a savepoint inside A and go down with it.
    const failing = database().writer.transact('A', async (tx) => {
      await tx.apply([meta('shared-a')]);
      await delay(20);
      throw new Error('A gives up');
    });
    const single = database().writer.submit({ label: 'B', ops: [meta('shared-b')] });
    const whole = database().writer.transact('C', (tx) => tx.apply([meta('shared-c')]));
    assert.match((await failure(failing)).message, /A gives up/);
    await Promise.all([single, whole]);
    assert.deepEqual(await keys('shared-%'), ['shared-b', 'shared-c']);
  });

  it('keeps rows acknowledged before an outer transaction fails, whatever the order of the calls', async () => {
    const results = await Promise.allSettled([
      database().writer.submit({ label: '1', ops: [meta('mixed-1')] }),
      database().writer.transact('2', async (tx) => {
        await tx.apply([meta('mixed-2')]);
        await tx.query('SELECT no_such_column FROM metadata');
      }),
      database().writer.submit({ label: '3', ops: [meta('mixed-3'), meta('mixed-3')] }),
      database().writer.submit({ label: '4', ops: [meta('mixed-4')] }),
    ]);
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(await keys('mixed-%'), ['mixed-1', 'mixed-4']);
  });

  it('gives positions at commit, in order, one number for one placeholder', async () => {
    const [a, b] = [nextPosition(), nextPosition()];
    const [first, second] = await Promise.all([
      database().writer.submit({ label: 't', ops: [item('order', a), item('order-copy', a)] }),
      database().writer.submit({ label: 't', ops: [item('order', b)] }),
    ]);
    assert.equal(second.positionOf(b), first.positionOf(a) + 1);
    assert.equal(first.position, first.positionOf(a));
    assert.deepEqual(await positionsIn('order'), [first.positionOf(a), second.positionOf(b)]);
    assert.deepEqual(await positionsIn('order-copy'), [first.positionOf(a)]);
    assert.equal(database().streams.position, second.position);
    assert.throws(() => first.positionOf(nextPosition()), /not of this write set/);
  });

  it('leaves no gap where a set was refused, and goes backwards for backfilled positions', async () => {
    const before = database().streams.position;
    await failure(
      database().writer.submit({ label: 't', ops: [item('gap', nextPosition()), meta('taken')] }),
    );
    const [older, oldest] = [backfilledPosition(), backfilledPosition()];
    const set = { label: 't', ops: [item('gap', nextPosition()), item('gap', older), item('gap', oldest)] };
    const committed = await database().writer.submit(set);
    assert.equal(committed.position, before + 1);
    assert.ok(committed.positionOf(older) < 0);
    assert.equal(committed.positionOf(oldest), committed.positionOf(older) - 1);
  });

  it('tells listeners after the commit, with positions, before the promise resolves', async () => {
    const order: string[] = [];
    const position = nextPosition();
    let seen: readonly PublishedNote[] = [];
    let visible = 0;
    const end = database().streams.subscribe((batch) => {
      seen = batch;
      visible = database().streams.position;
      order.push('listener');
    });
    const committed = await database().writer.submit({
      label: 't',
      ops: [item('notes', position)],
      notes: [
        { stream: 'outbox', key: 'bolt.test', position, payload: 7 },
        { stream: 'users', key: '@a:b' },
      ],
    });
    order.push('caller');
    end();
    assert.deepEqual(order, ['listener', 'caller']);
    assert.equal(visible, committed.position);
    assert.deepEqual(seen, [
      { stream: 'outbox', key: 'bolt.test', position: committed.position, payload: 7 },
      { stream: 'users', key: '@a:b', position: committed.position },
    ]);
  });

  it('tells nobody of a set that was refused', async () => {
    const notes: PublishedNote[] = [];
    const end = database().streams.subscribe((batch) => notes.push(...batch));
    const note = { stream: 'users' as const, key: '@nobody:a' };
    await failure(database().writer.submit({ label: 't', ops: [meta('taken')], notes: [note] }));
    await failure(
      database().writer.transact('t', async (tx) => {
        tx.note(note);
        await tx.apply([meta('taken')]);
      }),
    );
    end();
    assert.deepEqual(notes, []);
  });

  it('goes on when a listener throws', async () => {
    const heard: string[] = [];
    const ends = [
      database().streams.subscribe(() => {
        throw new Error('a broken listener');
      }),
      database().streams.subscribe((batch) => heard.push(...batch.map((note) => note.key))),
    ];
    await database().writer.submit({
      label: 't',
      ops: [meta('listener')],
      notes: [{ stream: 'users', key: 'k' }],
    });
    for (const end of ends) end();
    assert.deepEqual(heard, ['k']);
  });

  it('keeps the order of changes to one table, among sets and within', async () => {
    const row = (value: string): Row => ({ key: 'ordered', value });
    const [, , , last] = await Promise.all([
      database().writer.submit({ label: '1', ops: [meta('ordered', 'a')] }),
      database().writer.submit({
        label: '2',
        ops: [
          { kind: 'delete', table: 'metadata', where: { key: 'ordered' } },
          { kind: 'insert', table: 'metadata', rows: [row('b')] },
        ],
      }),
      database().writer.submit({
        label: '3',
        ops: [{ kind: 'update', table: 'metadata', set: { value: 'c' }, where: { key: 'ordered' } }],
      }),
      database().writer.submit({
        label: '4',
        ops: [
          { kind: 'upsert', table: 'metadata', key: ['key'], rows: [row('d'), row('e')] },
          {
            kind: 'upsert',
            table: 'metadata',
            key: ['key'],
            rows: [{ key: 'ordered-2', value: 'x' }, row('f')],
          },
        ],
      }),
    ]);
    assert.ok(last);
    assert.equal(await database().metadata.get('ordered'), 'f');
    assert.equal(await database().metadata.get('ordered-2'), 'x');
  });

  it('applies many updates of one form, the last one of each row, and leaves other rows alone', async () => {
    const names = Array.from({ length: 300 }, (_, n) => `many-${String(n).padStart(3, '0')}`);
    await database().writer.submit({
      label: 't',
      ops: [{ kind: 'insert', table: 'metadata', rows: names.map((key) => ({ key, value: 'old' })) }],
    });
    const update = (key: string, value: string): WriteOp => ({
      kind: 'update',
      table: 'metadata',
      set: { value },
      where: { key },
    });
    const changed = names.slice(0, 299);
    await Promise.all([
      database().writer.submit({ label: 't', ops: changed.map((key) => update(key, `${key}!`)) }),
      database().writer.submit({ label: 't', ops: [update('many-000', 'last')] }),
    ]);
    const rows = await database().reader.query<{ key: string; value: string }>(
      "SELECT key, value FROM metadata WHERE key LIKE 'many-%' ORDER BY key",
    );
    const expected = names.map((key) => ({ key, value: `${key}!` }));
    expected[0] = { key: 'many-000', value: 'last' };
    expected[299] = { key: 'many-299', value: 'old' };
    assert.deepEqual(rows, expected);
    await database().writer.submit({
      label: 't',
      ops: changed.map((key) => ({ kind: 'delete', table: 'metadata', where: { key } })),
    });
    assert.deepEqual(await keys('many-%'), ['many-299']);
  });

  it('deletes and updates by several columns and by null', async () => {
    const rows = ['a', 'b', 'c', 'd'].map((lane, n) => ({
      destination: 'null.test',
      lane,
      position: n,
      event_id: n === 3 ? '$x' : null,
      edu: null,
      dedup_key: null,
    }));
    const where = (lane: string, position: number): Row => ({ destination: 'null.test', lane, position });
    await database().writer.submit({
      label: 't',
      ops: [
        { kind: 'insert', table: 'outbox', rows },
        { kind: 'delete', table: 'outbox', where: where('a', 0) },
        { kind: 'delete', table: 'outbox', where: where('b', 1) },
        { kind: 'delete', table: 'outbox', where: where('c', 99) },
        {
          kind: 'update',
          table: 'outbox',
          set: { event_id: '$new', edu: '{}' },
          where: { destination: 'null.test', event_id: null },
        },
      ],
    });
    const left = await database().reader.query(
      "SELECT lane, event_id, edu FROM outbox WHERE destination = 'null.test' ORDER BY lane",
    );
    assert.deepEqual(left, [
      { lane: 'c', event_id: '$new', edu: '{}' },
      { lane: 'd', event_id: '$x', edu: null },
    ]);
  });

  it('compares the revision of a room and sets it, along a chain within one batch', async () => {
    const roomNid = database().ids.next('room');
    const room = {
      roomNid,
      roomId: '!cas:a',
      version: '12',
      stateGroup: null,
      joinedVia: null,
      createdTs: 1,
    };
    const set = (expectedRevision: number, ops: WriteOp[]) => ({
      label: 't',
      ops,
      room: { roomNid, expectedRevision },
    });
    const tip = (id: string): WriteOp[] => database().rooms.update(roomNid, { extremities: [id] });
    await Promise.all([
      database().writer.submit(set(0, database().rooms.insert({ ...room, revision: 0, extremities: [] }))),
      database().writer.submit(set(1, tip('$1'))),
      database().writer.submit(set(2, tip('$2'))),
    ]);
    assert.deepEqual(await database().rooms.get('!cas:a'), { ...room, revision: 3, extremities: ['$2'] });
    const results = await Promise.allSettled([
      database().writer.submit(set(3, tip('$3'))),
      database().writer.submit(set(3, tip('$wrong'))),
      database().writer.submit(set(9, [...tip('$wrong'), meta('cas-wrong')])),
      database().writer.submit(set(4, tip('$4'))),
      database().writer.submit({ label: 'other', ops: [meta('cas-other')] }),
    ]);
    assert.deepEqual(
      results.map((result) =>
        result.status === 'rejected' ? result.reason instanceof RoomConflict : 'stored',
      ),
      ['stored', true, true, 'stored', 'stored'],
    );
    assert.deepEqual(await database().rooms.byNid(roomNid), { ...room, revision: 5, extremities: ['$4'] });
    assert.deepEqual(await keys('cas-%'), ['cas-other']);
  });

  it('writes sets of many rows while other work gets its turn', async () => {
    const rows = Array.from({ length: 6_001 }, (_, n) => ({
      user_id: '@big:a',
      filter_id: `f${n}`,
      json: '{}',
    }));
    let turns = 0;
    const count = () => {
      turns += 1;
      if (turns < 1_000) next = setImmediate(count);
    };
    let next = setImmediate(count);
    const submitted = database().writer.submit({
      label: 't',
      ops: [{ kind: 'insert', table: 'filters', rows }],
    });
    await submitted;
    clearImmediate(next);
    assert.ok(turns >= 3, `${turns} turns`);
    const [row] = await database().reader.query<{ count: number }>(
      "SELECT COUNT(*) AS count FROM filters WHERE user_id = '@big:a'",
    );
    assert.equal(row?.count, 6_001);
  });

  it('runs transactions that read what they write, and gives what they return', async () => {
    const result = await database().writer.transact('t', async (tx) => {
      const position = nextPosition();
      const applied = await tx.apply([item('tx', position), meta('tx-1')]);
      const rows = await tx.query('SELECT value FROM metadata WHERE key = ?', ['tx-1']);
      return { rows, first: applied.positionOf(position), second: await tx.position() };
    });
    assert.deepEqual(result.rows, [{ value: 'v' }]);
    assert.equal(result.second, result.first + 1);
    assert.equal(database().streams.position, result.second);
  });

  it('keeps texts with U+0000 and U+0001, and long texts, as they are', async () => {
    const texts = ['\u0000', 'a\u0000b', '\u00010', '\u0001\u0000\u00011', '\u{1F980}'.repeat(5_000), ''];
    for (const [n, value] of texts.entries())
      await database().writer.submit({ label: 't', ops: [meta(`nul-${n}${value.slice(0, 9)}`, value)] });
    for (const [n, value] of texts.entries())
      assert.equal(await database().metadata.get(`nul-${n}${value.slice(0, 9)}`), value);
  });

  it('refuses rows that make no sense, and says why', async () => {
    const bad: [WriteOp, RegExp][] = [
      [{ kind: 'insert', table: 'metadata', rows: [{ key: 'x', nonsense: 1 }] }, /no column nonsense/],
      [{ kind: 'insert', table: 'metadata', rows: [{ key: 'x', value: 'y' }, { key: 'z' }] }, /no value/],
      [{ kind: 'delete', table: 'metadata', where: {} }, /names no rows/],
    ];
    for (const [op, pattern] of bad)
      assert.match((await failure(database().writer.submit({ label: 't', ops: [op] }))).message, pattern);
  });

  it('does not put the values of a failed statement into its error', async () => {
    const ops = [meta('secret-key', 'hunter2-secret'), meta('secret-key', 'hunter2-secret')];
    const error = await failure(database().writer.submit({ label: 't', ops }));
    const seen = new Set<unknown>();
    const dump = (value: unknown): string => {
      if (typeof value !== 'object' || value === null) return String(value);
      if (seen.has(value)) return '';
      seen.add(value);
      return Reflect.ownKeys(value)
        .map((key) => dump(Reflect.get(value, key)))
        .join('\n');
    };
    assert.doesNotMatch(dump(error), /hunter2/);
  });

  it('cannot be gone around by way of the reader', async () => {
    const error = await failure(database().reader.query('DELETE FROM metadata'));
    assert.match(error.message, /read.?only/i);
  });
});

onBothDatabases('Closing', (_, config) => {
  it('writes what was submitted before, and refuses what comes after', async () => {
    // The suite's own database is open on SQLite; this one needs the file for itself.
    const other =
      config().type === 'sqlite' ? { type: 'sqlite' as const, path: `${pathOf(config())}-2` } : config();
    const database = await open(other);
    const submitted = database.writer.submit({ label: 't', ops: [meta('closing')] });
    const closed = database.close();
    await submitted;
    const late = await failure(database.writer.submit({ label: 't', ops: [meta('late')] }));
    assert.ok(late instanceof StorageError && late.code === 'closed');
    await closed;
    const again = await open(other);
    assert.equal(await again.metadata.get('closing'), 'v');
    assert.equal(await again.metadata.get('late'), undefined);
    await again.close();
  });
});

function pathOf(config: { type: string; path?: string }): string {
  return config.path ?? '';
}
