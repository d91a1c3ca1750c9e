import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { buildProgram } from '../support/program.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

describe('npm start', () => {
  before(buildProgram);

  it('runs the island of the repository until npm is told to stop', async () => {
    // The repository as it is, but for the port and where the data lies.
    const folder = temporaryFolder();
    const port = await freePort();
    copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
    for (const name of ['bin', 'dist', 'node_modules']) symlinkSync(join(root, name), join(folder, name));
    const configuration = readFileSync(join(root, 'homeserver.yaml'), 'utf8');
    assert.match(configuration, /port: 8008/);
    writeFileSync(join(folder, 'homeserver.yaml'), configuration.replace('port: 8008', `port: ${port}`));

    const npm = spawn('npm', ['start'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = once(npm, 'exit');
    let log = '';
    for (const stream of [npm.stdout, npm.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    while (!log.includes('is for trying out'))
      await Promise.race([once(npm.stdout, 'data'), failed(ended, () => log)]);
    assert.match(log, /island ready/);
    assert.match(log, new RegExp(`http://127\\.0\\.0\\.1:${port}`));
    assert.match(log, /user add NAME --admin/);
    const page = await fetch(`http://127.0.0.1:${port}/`);
    assert.match(await page.text(), /Matrix client/);

    npm.kill('SIGTERM');
    await ended;
    assert.match(log, /island stopped/);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
  });
});

async function failed(ended: Promise<unknown>, log: () => string): Promise<void> {
  await ended;
  throw new Error(`npm start ended:\n${log()}`);
}
