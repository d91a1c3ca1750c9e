import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { buildProgram } from '../support/program.ts';

const demo = fileURLToPath(new URL('../../examples/demo/main.ts', import.meta.url));

describe('npm run demo -- --once', () => {
  before(buildProgram);

  it('shows two companies that talk, and that a power cut loses nothing', async () => {
    const child = spawn(process.execPath, ['--import', 'tsx', demo, '--once'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = await Promise.all([text(child.stdout), once(child, 'close')]);
    assert.equal(child.exitCode, 0, said);
    assert.match(said, /acme\.localhost at http:\/\/127\.0\.0\.1:\d+ \(user alice, password .+\)\n/);
    assert.match(said, /bolt\.localhost added acme\.localhost\n/);
    assert.match(said, /signed by +acme\.localhost \(ed25519:\w+\)\n +[A-Za-z0-9+/]{86}\n/);
    assert.match(said, /signed by +bolt\.localhost/);
    assert.match(said, /Acme keeps [1-9]\d* events for Bolt, on disk/);
    assert.match(said, /Both sides hold the same 6 messages, each once: nothing was lost\.\n$/);
  });
});
