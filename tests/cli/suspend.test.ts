import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PartnerSummary } from '../../server/admin/operations/partners.ts';
import { type AuditRecord, ChainVerifier, chainStart } from '../../storage/audit/chain.ts';
import { temporaryFolder } from '../support/folder.ts';
import { buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { until } from '../support/until.ts';
import { controlOf, fails, newIsland } from './support.ts';

describe('archipelago partner suspend, resume and audit', function () {
  this.timeout(60_000);

  let acme: string;
  let bolt: string;
  let islands: IslandProcess[];

  before(async () => {
    await buildProgram();
    acme = await newIsland('acme.test');
    bolt = await newIsland('bolt.test');
    islands = await Promise.all([IslandProcess.start(acme), IslandProcess.start(bolt)]);
    await introduce(acme, bolt);
    await introduce(bolt, acme);
    await until(async () => (await partnerOf(acme)).link.state === 'connected');
  });

  after(() => Promise.all(islands.map((island) => island.stop())));

  async function introduce(guest: string, host: string): Promise<void> {
    const file = join(temporaryFolder(), 'partner.card');
    writeFileSync(file, await succeeds(['partner', 'card', '-c', guest]));
    await succeeds(['partner', 'add', file, '--yes', '-c', host]);
  }

  async function partnerOf(config: string): Promise<PartnerSummary> {
    const { partners } = await (await controlOf(config)).call('partner.list', {});
    const [partner] = partners;
    assert.ok(partner);
    return partner;
  }

  it('cut a partner off before they answer, and connect it again', async () => {
    const said = await succeeds(['partner', 'suspend', 'bolt.test', '--reason', 'a leak', '-c', acme]);
    assert.match(said, /bolt\.test is suspended/);
    const { state, link } = await partnerOf(acme);
    assert.deepEqual([state, link.state], ['suspended', 'down']);
    await until(async () => (await partnerOf(bolt)).link.state !== 'connected');
    assert.match(await succeeds(['partner', 'suspend', 'bolt.test', '-c', acme]), /was suspended already/);
    assert.match(await succeeds(['partner', 'resume', 'bolt.test', '-c', acme]), /is active again/);
    await until(async () => (await partnerOf(acme)).link.state === 'connected');
    assert.match(await succeeds(['partner', 'resume', 'bolt.test', '-c', acme]), /was not suspended/);
  });

  it('say that a server is no partner', async () => {
    await fails(['partner', 'suspend', 'dock.test', '-c', acme], /dock\.test is not a partner/);
  });

  it('work on an island that does not run, and outlive its start', async () => {
    const [island] = islands;
    await island?.stop();
    await succeeds(['partner', 'suspend', 'bolt.test', '-c', acme]);
    islands[0] = await IslandProcess.start(acme);
    assert.equal((await partnerOf(acme)).state, 'suspended');
    await succeeds(['partner', 'resume', 'bolt.test', '-c', acme]);
  });

  it('are in the audit log, which is whole and can be checked elsewhere', async () => {
    await succeeds(['user', 'add', 'ann', '--password', 'a canary in a coal mine', '-c', acme]);
    assert.match(await succeeds(['audit', 'verify', '-c', acme]), /The audit log is whole: \d+ lines\./);
    const text = await succeeds(['audit', 'export', '-c', acme]);
    assert.ok(!text.includes('canary'));
    const lines = text
      .trim()
      .split('\n')
      .map((line): AuditRecord => JSON.parse(line));
    assert.equal(new ChainVerifier({ seq: 0, hash: chainStart }).check(lines), undefined);
    assert.deepEqual(
      lines
        .filter(({ actor }) => actor === 'command line')
        .map(({ action, outcome, subject, detail }) => [action, outcome, subject, detail]),
      [
        [
          'config.reload',
          'done',
          'bolt.test',
          { added: ['bolt.test'], changed: [], removed: [], keys: [], waiting: [] },
        ],
        ['partner.suspend', 'done', 'bolt.test', { keep_rooms: false, reason: 'a leak' }],
        [
          'partner.suspend',
          'done',
          'bolt.test',
          { server_name: 'bolt.test', keep_rooms: false, unchanged: true },
        ],
        ['partner.resume', 'done', 'bolt.test', undefined],
        ['partner.resume', 'done', 'bolt.test', { server_name: 'bolt.test', unchanged: true }],
        [
          'partner.suspend',
          'failed',
          'dock.test',
          {
            server_name: 'dock.test',
            keep_rooms: false,
            error: 'dock.test is not a partner of this server',
          },
        ],
        ['partner.suspend', 'done', 'bolt.test', { keep_rooms: false }],
        ['partner.resume', 'done', 'bolt.test', undefined],
        ['user.add', 'done', '@ann:acme.test', { admin: false }],
      ],
    );
  });
});
