import assert from 'node:assert/strict';
import { chmodSync, lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ControlClient } from '../../server/control/control-client.ts';
import { temporaryFolder } from '../support/folder.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { archipelago, buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { controlOf, fails, logIn, newIsland, whoami } from './support.ts';

const password = 'a good password';
const another = 'quite another one';

async function users(config: string): Promise<Record<string, unknown>[]> {
  return JSON.parse(await succeeds(['user', 'list', '--json', '-c', config]));
}

describe('archipelago user', function () {
  this.timeout(60_000);

  before(buildProgram);

  describe('while the island runs', () => {
    let config: string;
    let island: IslandProcess;
    /** What the commands speak to; spares a process where only the island's answer counts. */
    let control: ControlClient;

    before(async () => {
      config = await newIsland('acme.test');
      island = await IslandProcess.start(config);
      control = await controlOf(config);
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

    it('add refuses what cannot be, and says why', async () => {
      const add = ['user', 'add', 'ann', '-c', config];
      await fails([...add, '--password', password], /The user name ann is taken/);
      await fails(add, /There is no password: use --password, or give it on standard input/);
      await assert.rejects(
        control.call('user.add', { user: 'Carl', password, admin: false }),
        /"Carl" cannot be a user name\. .*a-z, 0-9 .*\(did you mean "carl"\?\)/,
      );
      await assert.rejects(
        control.call('user.add', { user: 'carl', password: '1234567', admin: false }),
        /A password has at least 8 characters/,
      );
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
            roles: ['owner', 'admin', 'partner-manager', 'security'],
            departments: [],
            deactivated: false,
          },
          {
            user_id: '@bob:acme.test',
            localpart: 'bob',
            display_name: null,
            roles: [],
            departments: [],
            deactivated: false,
          },
        ],
      );
      assert.ok(Number(list[0]?.['created_ts']) > Date.now() - 600_000);
      const table = (await succeeds(['user', 'list', '-c', config])).split('\n');
      assert.match(table[0] ?? '', /^USER +NAME +ROLES +DEPARTMENTS +STATE +SINCE$/);
      assert.match(
        table[1] ?? '',
        /^@ann:acme\.test +owner, admin, partner-manager, security +active +\d{4}-\d\d-\d\d$/,
      );
    });

    it('role add and remove say who administers the island, and an owner stays', async () => {
      const role = (verb: string, user: string, name: string) =>
        succeeds(['user', 'role', verb, user, name, '-c', config]);
      assert.equal(await role('add', 'bob', 'auditor'), '@bob:acme.test is auditor now.\n');
      assert.equal(await role('add', 'bob', 'auditor'), '@bob:acme.test was auditor already.\n');
      assert.deepEqual((await users(config))[1]?.['roles'], ['auditor']);
      assert.equal(
        await role('remove', '@bob:acme.test', 'auditor'),
        '@bob:acme.test is no longer auditor.\n',
      );
      assert.deepEqual((await users(config))[1]?.['roles'], []);
      const only = /@ann:acme\.test is the only owner of this island: make somebody else an owner first/;
      await fails(['user', 'role', 'remove', 'ann', 'owner', '-c', config], only);
      await fails(['user', 'deactivate', 'ann', '-c', config], only);
      await fails(
        ['user', 'role', 'add', 'eve', 'support', '-c', config],
        /There is no user @eve:acme\.test/,
      );
      const wrong = await archipelago(['user', 'role', 'add', 'bob', 'boss', '-c', config]);
      assert.equal(wrong.code, 2);
      assert.match(
        wrong.stderr,
        /Allowed choices are owner, admin, partner-manager, security, auditor, support/,
      );
    });

    it('department add and remove say what policies go by', async () => {
      const department = (verb: string, user: string, name: string) =>
        succeeds(['user', 'department', verb, user, name, '-c', config]);
      assert.equal(
        await department('add', 'bob', 'purchasing desk'),
        '@bob:acme.test belongs to "purchasing desk" now.\n',
      );
      assert.match(await department('add', '@bob:acme.test', 'purchasing desk'), /belonged to .* already/);
      assert.deepEqual((await users(config))[1]?.['departments'], ['purchasing desk']);
      await assert.rejects(
        control.call('department.add', { user: 'bob', department: 'sales ' }),
        /The parameter department must match pattern/,
      );
      assert.match(await department('remove', 'bob', 'purchasing desk'), /no longer belongs/);
      assert.match(await department('remove', 'bob', 'purchasing desk'), /did not belong/);
      assert.deepEqual((await users(config))[1]?.['departments'], []);
    });

    it('sessions lists where somebody is signed in, logout ends it', async () => {
      const { access_token: token, device_id: device } = (await logIn(island.url, 'bob', password)).body;
      const list = await succeeds(['user', 'sessions', 'bob', '-c', config]);
      assert.match(list, /^DEVICE +NAME +LAST SEEN +FROM\n/);
      assert.ok(list.includes(String(device)));
      const logout = ['user', 'logout', 'bob', '-c', config];
      assert.equal(
        await succeeds([...logout, '--device', String(device)]),
        '1 session of @bob:acme.test ended\n',
      );
      assert.equal(await whoami(island.url, token), 401);
      await fails([...logout, '--device', 'NONE'], /@bob:acme\.test has no session NONE/);
      assert.equal(await succeeds(['quarantine', 'list', '-c', config]), 'Nothing is in quarantine.\n');
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
      await assert.rejects(
        control.call('user.reset-password', { user: 'bob', password: another }),
        /The user @bob:acme\.test is deactivated/,
      );
      await fails(['user', 'deactivate', '@eve:acme.test', '-c', config], /There is no user @eve:acme\.test/);
      await fails(
        ['user', 'deactivate', '@eve:bolt.test', '-c', config],
        /@eve:bolt\.test is not a user of acme\.test/,
      );
      assert.deepEqual(
        (await control.call('user.list', {})).users.map((user) => user.deactivated),
        [false, true],
      );
    });
  });

  it('works while the island starts, runs and is stopped, in a folder whose path is too long for a socket', async () => {
    const config = await newIsland('acme.test', join(temporaryFolder(), 'a'.repeat(60), 'b'.repeat(60)));
    const link = join(dirname(config), 'data', 'control.sock');
    const add = (name: string) => succeeds(['user', 'add', name, '--password', password, '-c', config]);
    // Two commands and the start all want the database: each waits for the others.
    const [killed] = await Promise.all([IslandProcess.start(config), add('ann'), add('bob')]);
    for (const name of ['ann', 'bob']) assert.equal((await logIn(killed.url, name, password)).status, 200);
    const left = readlinkSync(link);
    assert.equal(lstatSync(left).mode & 0o777, 0o600);
    assert.equal(lstatSync(dirname(left)).mode & 0o777, 0o700);
    await killed.kill();
    await succeeds(['user', 'deactivate', 'ann', '-c', config]);
    const island = await IslandProcess.start(config);
    try {
      // What the killed process left is gone, and what it had acknowledged is there.
      assert.throws(() => lstatSync(dirname(left)), { code: 'ENOENT' });
      assert.equal((await (await controlOf(config)).call('user.list', {})).users.length, 2);
      assert.equal((await logIn(island.url, 'ann', password)).status, 403);
      assert.equal((await logIn(island.url, 'bob', password)).status, 200);
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
