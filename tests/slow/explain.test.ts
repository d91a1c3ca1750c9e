import assert from 'node:assert/strict';
import { compareExplained } from '../support/explained/compare.ts';

describe('what policy explain says and what islands do', () => {
  it('agree in a thousand cases', async function () {
    this.timeout(600_000);
    const { cases, denied } = await compareExplained({ seed: 20_261_125, policies: 60, deedsEach: 14 });
    assert.equal(cases, 60 * 18);
    const expected = ['create-room', 'file', 'invite', 'join', 'message', 'profile', 'receipt', 'typing'];
    assert.deepEqual([...denied.keys()].sort(), expected, 'some actions were never denied');
  });
});
