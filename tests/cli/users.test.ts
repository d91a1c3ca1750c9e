import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { temporaryFolder } from '../support/folder.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { fails, logIn, newIsland, whoami } from './support.ts';

const password = 'a good password';
const another = 'quite another one';

async function users(config: string): Promise<Record<string, unknown>[]> {
  return JSON.parse(await succeeds(['user', 'list', '--json', '-c', config]));
}

describe('archipelago user', () => {
  before(function () {
    this.timeout(120_000);
    buildProgram();
  });

  describe('while the island runs', () => {
    let config: string;
    let island: IslandProcess;

    before(async () => {
      config = await newIsland('acme.test');
      island = await IslandProcess.start(config);
    });

    after(() => island.stop());

    it('add makes a user that can sign in at once', async () => {
      const said = await succeeds(['user', 'add', 'ann', '--admin', '--password', password, '-c', config]);
      assert.equal(said, 'Added @ann:acme.test, an administrator\n');
      const { status, body } = await logIn(island.url, 'ann', password);
      assert.equal(status, 200);
      assert.equal(body['user_id'], '@ann:acme.test');
    });

    it('add takes the password from standard input, where the list of processes does not show it', async () => {
      const args = ['user', 'add', '@bob:acme.test', '-c', config];
      assert.equal(
        await succeeds(args, { input: `${password}\r\nnot this line\n` }),
        'Added @bob:acme.test\n',
      );
      assert.equal((await logIn(island.url, 'bob', password)).status, 200);
    });

    it('add refuses what cannot be, says why, and makes nobody', async () => {
      const add = (...args: string[]): string[] => ['user', 'add', ...args, '-c', config];
      await fails(add('ann', '--password', password), /The user name ann is taken/);
      await fails(
        add('Carl', '--password', password),
        /"Carl" cannot be a user name\. .*a-z, 0-9 .*\(did you mean "carl"\?\)/,
      );
      await fails(add('carl', '--password', '1234567'), /A password has at least 8 characters/);
      await fails(add('carl'), /There is no password: use --password, or give it on standard input/);
    });

    it('list shows everybody, for people and for programs', async () => {
      const list = await users(config);
      assert.deepEqual(
        list.map(({ created_ts: _, ...user }) => user),
        [
          {
            user_id: '@ann:acme.test',
            localpart: 'ann',
            display_name: null,
            admin: true,
            deactivated: false,
          },
          {
            user_id: '@bob:acme.test',
            localpart: 'bob',
            display_name: null,
            admin: false,
            deactivated: false,
          },
        ],
      );
      assert.ok(Number(list[0]?.['created_ts']) > Date.now() - 600_000);
      const table = (await succeeds(['user', 'list', '-c', config])).split('\n');
      assert.match(table[0] ?? '', /^USER +NAME +ROLE +STATE +SINCE$/);
      assert.match(table[1] ?? '', /^@ann:acme\.test +admin +active +\d{4}-\d\d-\d\d$/);
    });

    it('reset-password ends every session at once', async () => {
      const { access_token: token } = (await logIn(island.url, 'ann', password)).body;
      assert.equal(await whoami(island.url, token), 200);
      const said = await succeeds(['user', 'reset-password', 'ann', '--password', another, '-c', config]);
      assert.match(said, /^@ann:acme\.test has the new password; \d sessions? ended\n$/);
      assert.equal(await whoami(island.url, token), 401);
      assert.equal((await logIn(island.url, 'ann', password)).status, 403);
      assert.equal((await logIn(island.url, 'ann', another)).status, 200);
    });

    it('deactivate ends every session at once, and for good', async () => {
      const { access_token: token } = (await logIn(island.url, 'bob', password)).body;
      await succeeds(['user', 'deactivate', 'bob', '-c', config]);
      assert.equal(await whoami(island.url, token), 401);
      assert.equal((await logIn(island.url, 'bob', password)).status, 403);
      await fails(
        ['user', 'reset-password', 'bob', '--password', another, '-c', config],
        /The user @bob:acme\.test is deactivated/,
      );
      await fails(['user', 'deactivate', 'eve', '-c', config], /There is no user @eve:acme\.test/);
      assert.deepEqual(
        (await users(config)).map((user) => user['deactivated']),
        [false, true],
      );
    });
  });

  it('works before the first start, and while the island is stopped', async () => {
    const config = await newIsland('acme.test');
    await succeeds(['user', 'add', 'ann', '--password', password, '-c', config]);
    const island = await IslandProcess.start(config);
    try {
      assert.equal((await logIn(island.url, 'ann', password)).status, 200);
    } finally {
      assert.equal(await island.stop(), 0);
    }
    await succeeds(['user', 'deactivate', 'ann', '-c', config]);
    assert.deepEqual(
      (await users(config)).map((user) => user['deactivated']),
      [true],
    );
  });

  it('waits for another command that has the database, and for an island that is just starting', async () => {
    const config = await newIsland('acme.test');
    const add = (name: string) => succeeds(['user', 'add', name, '--password', password, '-c', config]);
    const starting = IslandProcess.start(config);
    try {
      await Promise.all([add('ann'), add('bob')]);
      const { url } = await starting;
      for (const name of ['ann', 'bob']) assert.equal((await logIn(url, name, password)).status, 200);
    } finally {
      await (await starting).stop();
    }
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const config = await newIsland('acme.test', join(temporaryFolder(), 'a'.repeat(60), 'b'.repeat(60)));
    const link = join(dirname(config), 'data', 'control.sock');
    const killed = await IslandProcess.start(config);
    const left = readlinkSync(link);
    assert.equal(lstatSync(left).mode & 0o777, 0o600);
    assert.equal(lstatSync(dirname(left)).mode & 0o777, 0o700);
    await succeeds(['user', 'add', 'ann', '--password', password, '-c', config]);
    await killed.kill();
    const island = await IslandProcess.start(config);
    try {
      // What the killed process left is gone, and what it had acknowledged is there.
      assert.throws(() => lstatSync(dirname(left)), { code: 'ENOENT' });
      assert.equal((await logIn(island.url, 'ann', password)).status, 200);
    } finally {
      await island.stop();
    }
    assert.throws(() => lstatSync(link), { code: 'ENOENT' });
  });

  it('works the same on PostgreSQL', async () => {
    const config = await newIsland('acme.test');
    const { url } = await emptyPostgres();
    const secret = join(dirname(config), 'postgres.url');
    writeFileSync(secret, url);
    chmodSync(secret, 0o600);
    const text = readFileSync(config, 'utf8');
    writeFileSync(
      config,
      text.replace(/^database: .*$/m, 'database: {type: postgres, url_path: postgres.url}'),
    );
    await succeeds(['user', 'add', 'ann', '--password', password, '-c', config]);
    const island = await IslandProcess.start(config);
    try {
      const { access_token: token } = (await logIn(island.url, 'ann', password)).body;
      await fails(['start', '-c', config], new RegExp(`runs already, as process ${island.pid}`));
      await succeeds(['user', 'deactivate', 'ann', '-c', config]);
      assert.equal(await whoami(island.url, token), 401);
    } finally {
      assert.equal(await island.stop(), 0);
    }
    assert.deepEqual(
      (await users(config)).map((user) => user['deactivated']),
      [true],
    );
  });

  it('says what is in its way', async () => {
    const config = await newIsland('acme.test');
    mkdirSync(join(dirname(config), 'data', 'homeserver.db.lock'), { recursive: true });
    await fails(
      ['user', 'list', '-c', config],
      /homeserver\.db\.lock cannot be read or written: check that its folder exists, its permissions and the disk/,
    );
  });
});
