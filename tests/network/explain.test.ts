import assert from 'node:assert/strict';
import { compareExplained } from '../support/explained/compare.ts';

describe('what policy explain says and what islands do', () => {
  it('agree, for some policies, people, actions, directions and rooms', async function () {
    this.timeout(60_000);
    const { cases, denied } = await compareExplained({ seed: 4, policies: 4, deedsEach: 9 });
    assert.equal(cases, 4 * 13);
    for (const action of ['message', 'invite', 'file']) assert.ok(denied.has(action), action);
  });
});
