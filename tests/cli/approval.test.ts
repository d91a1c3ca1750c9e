import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { Approvals } from '../../federation/approvals/approvals.ts';
import type { ApprovalSummary } from '../../server/admin/operations/approvals.ts';
import { openDatabase } from '../../storage/database.ts';
import { buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { realClock, realRandom } from '../support/runtime.ts';
import { fails, newIsland } from './support.ts';

describe('archipelago approval', function () {
  this.timeout(60_000);

  let config: string;
  const ids: string[] = [];

  before(async () => {
    await buildProgram();
    config = await newIsland('acme.test');
    await succeeds(['user', 'add', 'li', '--password', 'a long password', '-c', config]);
    const deps = { log: pino({ level: 'silent' }), clock: realClock, random: realRandom };
    const path = join(dirname(config), 'data', 'homeserver.db');
    const db = await openDatabase({ type: 'sqlite', path }, deps);
    const approvals = await Approvals.load({ db, ...deps });
    for (const [number, roomName] of ['Prices', 'Plans \u001b[31m'].entries()) {
      const held = await approvals.hold(
        {
          direction: 'inbound',
          roomId: `!room${number}:bolt.test`,
          inviter: '@bo:bolt.test',
          invitee: '@li:acme.test',
          roomName,
        },
        'us',
      );
      ids.push(held?.id ?? '');
    }
    await db.close();
  });

  const list = async (...args: string[]): Promise<ApprovalSummary[]> =>
    JSON.parse(await succeeds(['approval', 'list', ...args, '--json', '-c', config]));

  it('lists what waits, and what was decided lately where that is wanted', async () => {
    const text = await succeeds(['approval', 'list', '-c', config]);
    assert.match(text, /@bo:bolt\.test +@li:acme\.test +Prices \(!room0:bolt\.test\)/);
    assert.ok(!text.includes('\u001b'));
    assert.deepEqual((await list()).map(({ id }) => id).sort(), [...ids].sort());
  });

  it('decides on a stopped island and on a running one, once', async () => {
    const [first = '', second = ''] = ids;
    assert.match(
      await succeeds(['approval', 'deny', first, '-c', config]),
      /The invitation of @li:acme\.test by @bo:bolt\.test is refused/,
    );
    const island = await IslandProcess.start(config);
    try {
      await fails(['approval', 'approve', first, '-c', config], /waits no more: it is denied/);
      await fails(['approval', 'approve', '0123456789ab', '-c', config], /No invitation waits/);
      await fails(['approval', 'approve', 'x', '-c', config], /No invitation waits under the number x/);
      assert.match(await succeeds(['approval', 'approve', second, '-c', config]), /passes/);
      const states = (await list('--all')).map(({ id, state, decided_by }) => [id, state, decided_by]);
      assert.deepEqual(
        states.sort(),
        [
          [first, 'denied', 'command line'],
          [second, 'approved', 'command line'],
        ].sort(),
      );
    } finally {
      await island.stop();
    }
  });
});
