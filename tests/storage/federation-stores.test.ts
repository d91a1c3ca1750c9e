import assert from 'node:assert/strict';
import { nextPosition, type WriteOp } from '../../storage/writer.ts';
import { failure, onBothDatabases } from './support.ts';

onBothDatabases('Stores of federation', (database) => {
  const write = (ops: WriteOp[]) => database().writer.submit({ label: 't', ops });
  const at = { destination: 'bolt.test', lane: 'pdu' };

  it('keep the rows of a lane in order until they are removed', async () => {
    const { outbox } = database();
    await write(
      outbox.enqueue([
        { ...at, position: nextPosition(), eventId: '$1' },
        { ...at, position: nextPosition(), eventId: '$2' },
        { ...at, lane: 'ephemeral', position: nextPosition(), edu: '{}', dedupKey: 'r' },
        { ...at, position: nextPosition(), eventId: '$3' },
      ]),
    );
    const rows = await outbox.pending('bolt.test', 'pdu', 0, 10);
    assert.deepEqual(
      rows.map((row) => row.eventId),
      ['$1', '$2', '$3'],
    );
    const [first = 0, second = 0, third = 0] = rows.map((row) => row.position);
    assert.deepEqual(await outbox.pending('bolt.test', 'pdu', first, 1), [rows[1]]);
    assert.deepEqual(await outbox.at('bolt.test', 'pdu', [third, first, 999]), [rows[0], rows[2]]);
    assert.deepEqual(await outbox.counts(), [
      { destination: 'bolt.test', lane: 'ephemeral', count: 1 },
      { destination: 'bolt.test', lane: 'pdu', count: 3 },
    ]);
    await write(outbox.removeAt('bolt.test', 'pdu', [first, second]));
    assert.deepEqual(await outbox.pending('bolt.test', 'pdu', 0, 10), [rows[2]]);
  });

  it('keep lanes, transactions and retired epochs', async () => {
    const { outbox } = database();
    const lane = { ...at, epoch: 'e1', nextSeq: 5, ackedSeq: 2, boundPos: 77 };
    await write(outbox.putLane(lane));
    await write(outbox.putLane({ ...lane, epoch: 'e2' }));
    assert.deepEqual(await outbox.lane('bolt.test', 'pdu'), { ...lane, epoch: 'e2' });
    assert.deepEqual(await outbox.lanes(), [{ ...lane, epoch: 'e2' }]);
    const transaction = (firstSeq: number) => ({
      ...at,
      firstSeq,
      lastSeq: firstSeq + 1,
      txnId: `t${firstSeq}`,
      epoch: 'e2',
      items: '[1]',
    });
    await write([3, 1, 5].flatMap((seq) => outbox.addTransaction(transaction(seq))));
    assert.deepEqual(await outbox.transactions('bolt.test', 'pdu'), [1, 3, 5].map(transaction));
    await write(outbox.removeTransaction('bolt.test', 'pdu', 1));
    assert.equal((await outbox.transactions('bolt.test', 'pdu')).length, 2);
    await write(outbox.removeTransactions('bolt.test', 'pdu'));
    assert.deepEqual(await outbox.transactions('bolt.test', 'pdu'), []);
    await write([
      ...outbox.retireEpoch('bolt.test', 'pdu', 'e1'),
      ...outbox.retireEpoch('bolt.test', 'pdu', 'e1'),
    ]);
    assert.deepEqual(await outbox.retiredEpochs('bolt.test', 'pdu'), new Set(['e1']));
  });

  it('stage what was received, with its transaction, until it is processed or given up', async () => {
    const { inbox, ids } = database();
    const entry = (kind: 'pdu' | 'edu', eventId: string | null) => ({
      nid: ids.next('staged'),
      origin: 'bolt.test',
      kind,
      roomId: '!r',
      eventId,
      json: '{}',
      receivedTs: 1,
      attempts: 0,
      nextTryTs: null,
      deadReason: null,
    });
    const [a, b, c] = [entry('pdu', '$1'), entry('edu', null), entry('pdu', '$3')];
    const transaction = { origin: 'bolt.test', txnId: 't1', digest: 'd', response: '{}', receivedTs: 50 };
    const lane = { origin: 'bolt.test', lane: 'pdu', epoch: 'e', lastSeq: 3 };
    await write([...inbox.stage([a, b, c]), ...inbox.addTransaction(transaction), ...inbox.putLane(lane)]);
    assert.deepEqual(await inbox.staged(0, 10), [a, b, c]);
    assert.deepEqual(await inbox.staged(a.nid, 1), [b]);
    assert.deepEqual(await inbox.transaction('bolt.test', 't1'), transaction);
    assert.deepEqual(await inbox.lane('bolt.test', 'pdu'), lane);
    assert.deepEqual(await inbox.lanesOf('bolt.test'), [lane]);
    assert.equal((await failure(write(inbox.addTransaction(transaction)))).name, 'DuplicateRow');
    await write([...inbox.remove(a.nid), ...inbox.retryLater(b.nid, 2, 99), ...inbox.bury(c.nid, 'why')]);
    assert.deepEqual(await inbox.staged(0, 10), [{ ...b, attempts: 2, nextTryTs: 99 }]);
    assert.deepEqual(await inbox.dead(10), [{ ...c, deadReason: 'why' }]);
    assert.deepEqual(await inbox.counts(), [{ origin: 'bolt.test', waiting: 1, dead: 1 }]);
    await write(inbox.revive(c.nid));
    assert.deepEqual(await inbox.dead(10), []);
    assert.deepEqual(await inbox.transactionsBefore(51, 5), [{ origin: 'bolt.test', txnId: 't1' }]);
    assert.deepEqual(await inbox.transactionsBefore(50, 5), []);
    await write(inbox.removeTransaction('bolt.test', 't1'));
    assert.equal(await inbox.transaction('bolt.test', 't1'), undefined);
  });

  it('remember things about partners', async () => {
    const { partnerStates } = database();
    await write([...partnerStates.put('a.test', '1'), ...partnerStates.put('b.test', '2')]);
    await write(partnerStates.put('a.test', '3'));
    assert.equal(await partnerStates.get('a.test'), '3');
    assert.equal((await partnerStates.all()).size, 2);
  });
});
