import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { logIn, newIsland } from '../cli/support.ts';
import { buildProgram, IslandProcess, succeeds } from '../support/program.ts';

const password = 'a good password';

describe('An island that is told to stop while a client never finishes', () => {
  before(buildProgram);

  async function withStuckClient(): Promise<IslandProcess> {
    const config = await newIsland('acme.test');
    await succeeds(['user', 'add', 'ann', '--password', password, '-c', config]);
    const island = await IslandProcess.start(config);
    const { access_token: token } = (await logIn(island.url, 'ann', password)).body;
    const upload = request(`${island.url}/_matrix/media/v3/upload`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${String(token)}`, 'Content-Length': '20', Expect: '100-continue' },
    });
    upload.on('error', () => undefined);
    upload.flushHeaders();
    await once(upload, 'continue');
    return island;
  }

  it('ends with 0 within ten seconds', async () => {
    const island = await withStuckClient();
    const started = performance.now();
    assert.equal(await island.stop(), 0);
    assert.ok(performance.now() - started < 10_000);
  });

  it('ends at once when it is told a second time', async () => {
    const island = await withStuckClient();
    island.signal('SIGTERM');
    await island.logged('stopping');
    const second = performance.now();
    island.signal('SIGINT');
    assert.equal(await island.ended(), 130);
    assert.ok(performance.now() - second < 2_000);
  });
});
