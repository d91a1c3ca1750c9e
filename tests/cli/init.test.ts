import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/folder.ts';
import { archipelago, buildProgram, succeeds } from '../support/program.ts';
import { assertOneMessage, fails } from './support.ts';

describe('archipelago init', function () {
  this.timeout(60_000);

  before(buildProgram);

  it('writes a configuration that is in order, makes the folder, and says what to do next', async () => {
    const directory = join(temporaryFolder(), 'srv', 'acme');
    const said = await succeeds(['init', '--server-name', 'acme.test', '--dir', directory, '--port', '8123']);
    const file = join(directory, 'homeserver.yaml');
    assert.match(said, /^Wrote .*homeserver\.yaml for the island acme\.test\.\n/);
    assert.match(said, new RegExp(` start -c ${file}`));
    assert.match(said, new RegExp(` user add NAME --admin -c ${file}`));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const checked = await succeeds(['check-config', '-c', file]);
    assert.match(checked, /homeserver\.yaml is in order: acme\.test, no partners/);
    // It was only checked: nothing was made.
    assert.equal(existsSync(join(directory, 'data')), false);
  });

  it('takes a folder that is there, and the one it is started in', async () => {
    const directory = temporaryFolder();
    writeFileSync(join(directory, 'notes.txt'), 'mine');
    await succeeds(['init', '--server-name', 'localhost:8008'], { cwd: directory });
    assert.equal(readFileSync(join(directory, 'notes.txt'), 'utf8'), 'mine');
    assert.match(await succeeds(['check-config'], { cwd: directory }), /localhost:8008/);
  });

  it('never overwrites a file', async () => {
    const directory = temporaryFolder();
    const file = join(directory, 'homeserver.yaml');
    writeFileSync(file, 'precious');
    await fails(
      ['init', '--server-name', 'acme.test', '--dir', directory],
      /is there already\. It was not touched/,
    );
    assert.equal(readFileSync(file, 'utf8'), 'precious');
  });

  it('says why it cannot write', async () => {
    const directory = temporaryFolder();
    writeFileSync(join(directory, 'file'), '');
    const inFile = ['init', '--server-name', 'acme.test', '--dir', join(directory, 'file', 'below')];
    await fails(inFile, /cannot be written: the path leads through something that is not a folder/);
    chmodSync(directory, 0o500);
    // Root may write there all the same, so this holds for other users only.
    if (process.getuid?.() !== 0)
      await fails(
        ['init', '--server-name', 'acme.test', '--dir', join(directory, 'new')],
        /cannot be written: this user may not write there/,
      );
    chmodSync(directory, 0o700);
  });

  it('refuses names and ports that cannot be, with what was meant', async () => {
    for (const [args, message] of [
      [['--server-name', 'https://acme.test'], /write acme\.test, without https:\/\//],
      [['--server-name', 'acme.test', '--port', '80080'], /a number from 1 to 65535/],
      [[], /required option '--server-name <name>' not specified/],
    ] as const) {
      const directory = temporaryFolder();
      const { code, stderr } = await archipelago(['init', ...args], { cwd: directory });
      assert.equal(code, 2, stderr);
      assertOneMessage(stderr);
      assert.match(stderr, message);
      assert.equal(existsSync(join(directory, 'homeserver.yaml')), false);
    }
  });
});
