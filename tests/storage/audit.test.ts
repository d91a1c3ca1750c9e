import assert from 'node:assert/strict';
import type { AuditEvent, AuditRecord } from '../../storage/audit/chain.ts';
import { ChainVerifier } from '../../storage/audit/chain.ts';
import { failure, onBothDatabases } from './support.ts';

function suspended(partner: string): AuditEvent {
  return { action: 'partner.suspend', outcome: 'done', actor: '@root:a.test', subject: partner };
}

onBothDatabases('The audit log', (database) => {
  it('is empty, and whole', async () => {
    assert.deepEqual(await database().audit.verify(), { lines: 0, fault: undefined });
    assert.equal(await database().audit.head(), undefined);
  });

  it('keeps each line with the hash of the one before', async () => {
    const { audit } = database();
    await audit.append([suspended('b.test'), suspended('c.test')]);
    await audit.append([{ ...suspended('d.test'), detail: { reason: 'a\u0000b', codes: [1, 'x'] } }]);
    const lines = await audit.page();
    assert.deepEqual(
      lines.map(({ seq, subject }) => [seq, subject]),
      [
        [1, 'b.test'],
        [2, 'c.test'],
        [3, 'd.test'],
      ],
    );
    assert.deepEqual(
      lines.map(({ prev }) => prev),
      ['', lines[0]?.hash, lines[1]?.hash],
    );
    assert.deepEqual(lines[2]?.detail, { reason: 'a\u0000b', codes: [1, 'x'] });
    assert.deepEqual(await audit.verify(), { lines: 3, fault: undefined });
    assert.deepEqual(await audit.page({ after: 2 }), lines.slice(2));
  });

  it('has one chain, whoever writes at the same time', async () => {
    const { audit } = database();
    const told: number[] = [];
    const end = audit.onRecord((records) => told.push(...records.map(({ seq }) => seq)));
    const before = (await audit.head())?.seq ?? 0;
    for (let index = 0; index < 20; index++) audit.record(suspended(`recorded-${index}`));
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => audit.append([suspended(`appended-${index}`)])),
    );
    await audit.settled();
    end();
    assert.deepEqual(await audit.verify(), { lines: before + 40, fault: undefined });
    assert.deepEqual(
      told.sort((a, b) => a - b),
      Array.from({ length: 40 }, (_, index) => before + 1 + index),
    );
  });

  it('has a line if and only if what it tells of has happened', async () => {
    const { audit, metadata, writer } = database();
    await audit.append([suspended('e.test')], metadata.put('suspended', 'e.test'));
    assert.equal(await metadata.get('suspended'), 'e.test');
    const before = (await audit.head())?.seq;
    const bad = { kind: 'insert', table: 'metadata', rows: [{ key: 'suspended', value: 'again' }] } as const;
    await failure(audit.append([suspended('f.test')], [bad]));
    assert.equal((await audit.head())?.seq, before);
    await audit.append([suspended('g.test')]);
    assert.equal((await audit.verify()).fault, undefined);
    await writer.idle();
  });

  it('notices a line that was altered, removed, added or cut off at the end', async () => {
    const { audit, writer } = database();
    const tamper = async (sql: string, restore: string): Promise<unknown> => {
      await writer.transact('tamper', (tx) => tx.query(sql));
      const { fault } = await audit.verify();
      await writer.transact('restore', (tx) => tx.query(restore));
      assert.equal((await audit.verify()).fault, undefined);
      return fault;
    };
    assert.deepEqual(
      await tamper(
        "UPDATE audit SET actor = '@eve:a.test' WHERE seq = 2",
        "UPDATE audit SET actor = '@root:a.test' WHERE seq = 2",
      ),
      { kind: 'altered', seq: 2 },
    );
    const head = (await audit.head())?.seq ?? 0;
    assert.deepEqual(
      await tamper(
        'UPDATE audit SET seq = 999999 WHERE seq = 2',
        'UPDATE audit SET seq = 2 WHERE seq = 999999',
      ),
      { kind: 'missing', seq: 2 },
    );
    assert.deepEqual(
      await tamper(
        `UPDATE audit SET seq = -1 WHERE seq = ${head}`,
        `UPDATE audit SET seq = ${head} WHERE seq = -1`,
      ),
      { kind: 'missing', seq: head },
    );
  });
});

describe('An exported audit log', () => {
  it('can be checked from any line on', () => {
    const verifier = new ChainVerifier(undefined);
    const altered: AuditRecord = { ...suspended('b.test'), seq: 7, ts: 1, prev: 'x', hash: 'y' };
    assert.deepEqual(verifier.check([altered]), { kind: 'altered', seq: 7 });
  });
});
