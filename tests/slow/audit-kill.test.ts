import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { type AuditRecord, ChainVerifier, chainStart } from '../../storage/audit/chain.ts';
import { controlOf, newIsland } from '../cli/support.ts';
import { buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { Seeded } from '../support/seeded.ts';

const rounds = 12;
const admins = 4;

describe('The audit log of an island that is killed again and again', () => {
  it('is one whole chain, and has a line for everything that was acknowledged', async function () {
    this.timeout(300_000);
    buildProgram();
    const random = new Seeded(20_261_125);
    const config = await newIsland('acme.test');
    await succeeds(['user', 'add', 'li', '--password', 'a long password', '-c', config]);
    const acknowledged = new Set<string>();
    for (let round = 0; round < rounds; round += 1) {
      const island = await IslandProcess.start(config);
      // Its output ends with it; nobody waits for more.
      const killed = pause(100 + random.below(400)).then(() => island.signal('SIGKILL'));
      await Promise.all([
        ...Array.from({ length: admins }, (_, admin) =>
          administer(config, `${round}-${admin}`, acknowledged),
        ),
        failLogins(island.url),
        killed,
      ]);
      await island.stop();
      assert.match(await succeeds(['audit', 'verify', '-c', config]), /The audit log is whole/);
    }
    assert.ok(acknowledged.size > rounds, `only ${acknowledged.size} changes were acknowledged`);
    const lines = (await succeeds(['audit', 'export', '-c', config]))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditRecord);
    assert.equal(new ChainVerifier({ seq: 0, hash: chainStart }).check(lines), undefined);
    const told = new Set(
      lines.filter(({ action }) => action === 'department.add').map(({ detail }) => detail?.['department']),
    );
    assert.deepEqual(
      [...acknowledged].filter((department) => !told.has(department)),
      [],
    );
    // Each of its lives but the last one ended in a crash, and the next one says so.
    const starts = lines.filter(({ action }) => action === 'island.start');
    assert.equal(starts.length, rounds);
    assert.ok(starts.slice(1).every(({ detail }) => detail?.['after_a_crash'] === true));
  });
});

/** Changes one thing after the other until the island is gone. */
async function administer(config: string, name: string, acknowledged: Set<string>): Promise<void> {
  try {
    const control = await controlOf(config);
    for (let count = 0; ; count += 1) {
      const department = `department-${name}-${count}`;
      await control.call('department.add', { user: 'li', department });
      acknowledged.add(department);
    }
  } catch {
    return; // Killed: what was not acknowledged may be there or not.
  }
}

/** Lines that nobody waits for, in between. */
async function failLogins(url: string): Promise<void> {
  try {
    for (let count = 0; ; count += 1) {
      const response = await fetch(`${url}/_matrix/client/v3/login`, {
        method: 'POST',
        body: JSON.stringify({
          type: 'm.login.password',
          identifier: { type: 'm.id.user', user: `nobody${count}` },
          password: 'wrong',
        }),
      });
      await response.arrayBuffer();
    }
  } catch {
    return;
  }
}
