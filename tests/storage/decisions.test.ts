import assert from 'node:assert/strict';
import type { DecisionRecord } from '../../storage/stores/decision-store.ts';
import { onBothDatabases } from './support.ts';

function decision(digest: string, ts: number, times = 1): DecisionRecord {
  const question = { action: 'talk', direction: 'inbound', remoteServer: 'b.test' };
  const violations = [{ code: 'not_a_partner', message: 'a\u0000b', rule: 'partners: (no entry)' }];
  return { digest, question, violations, firstTs: ts, lastTs: ts, times };
}

onBothDatabases('Recorded decisions', (database) => {
  it('are one row for equal ones, with the first and the last time and their number', async () => {
    const { decisions } = database();
    await decisions.add([decision('one', 10, 3), decision('two', 20)]);
    await decisions.add([decision('one', 30, 2)]);
    const expected = [{ ...decision('one', 10, 5), lastTs: 30 }, decision('two', 20)];
    assert.deepEqual(await decisions.page(0), expected);
    assert.deepEqual(await decisions.page(0, 'one'), expected.slice(1));
    assert.deepEqual(await decisions.page(25), expected.slice(0, 1));
  });

  it('are forgotten when they are old, and the oldest when there are too many', async () => {
    const { decisions } = database();
    await decisions.prune(15, 100);
    assert.deepEqual(
      (await decisions.page(0)).map(({ digest }) => digest),
      ['one', 'two'],
    );
    await decisions.prune(25, 100);
    await decisions.add([decision('three', 40), decision('four', 50)]);
    await decisions.prune(0, 2);
    assert.deepEqual(
      (await decisions.page(0)).map(({ digest }) => digest),
      ['four', 'three'],
    );
  });
});
