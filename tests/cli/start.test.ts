import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { open } from '../storage/support.ts';
import { buildProgram, IslandProcess, spawnProgram, succeeds } from '../support/program.ts';
import { until } from '../support/until.ts';
import { fails, logIn, newIsland } from './support.ts';

const password = 'a good password';

describe('archipelago start', function () {
  this.timeout(60_000);

  before(buildProgram);

  describe('from the first start on', () => {
    let config: string;
    let data: string;
    let island: IslandProcess;

    before(async () => {
      config = await newIsland('island.localhost');
      data = join(dirname(config), 'data');
      island = await IslandProcess.start(config);
    });

    after(() => island.kill());

    it('has keys and a database for its own user only', () => {
      for (const name of ['signing.key', 'link.key', 'homeserver.db', 'control.sock'])
        assert.equal(statSync(join(data, name)).mode & 0o777, 0o600, name);
    });

    it('says how to go on, and that the name is for trying out', async () => {
      const hint = await island.logged('there are no users yet; this command makes the first admin');
      assert.match(String(hint['command']), /archipelago user add NAME --admin -c /);
      const warning = await island.logged(
        'this server name is for trying out, and the name of an island can never change; init makes an island with a real name',
      );
      assert.match(String(warning['command']), /archipelago init --server-name/);
    });

    it('tells people with a browser what it is, and which clients to use', async () => {
      const page = await fetch(island.url);
      assert.equal(page.status, 200);
      assert.match(await page.text(), /Matrix client.*Element.*Cinny/s);
    });

    it('refuses to run twice, and the first goes on', async () => {
      await fails(
        ['start', '-c', config],
        new RegExp(`island.localhost runs already, as process ${island.pid}`),
      );
      // Another configuration on the same database.
      const other = join(dirname(config), 'other.yaml');
      const text = readFileSync(config, 'utf8').replace('data/signing.key', 'other/signing.key');
      writeFileSync(other, text.replace(/port: \d+/, 'port: 1025'));
      await fails(
        ['start', '-c', other],
        /homeserver\.db is in use: the island runs already, or a command works/,
      );
      assert.equal((await fetch(island.url)).status, 200);
    });

    it('starts again after kill -9, with the same keys and everything that it had acknowledged', async () => {
      await succeeds(['user', 'add', 'ann', '--password', password, '-c', config]);
      const key = readFileSync(join(data, 'signing.key'), 'utf8');
      await island.kill();
      // It was one process: nothing of it is left but the socket that nobody answers.
      await assert.rejects(fetch(island.url));
      assert.equal(existsSync(join(data, 'control.sock')), true);
      island = await IslandProcess.start(config);
      assert.equal((await logIn(island.url, 'ann', password)).status, 200);
      assert.equal(readFileSync(join(data, 'signing.key'), 'utf8'), key);
    });

    it('stops accepting at SIGTERM, finishes what is open, and ends with 0', async () => {
      const { access_token: token } = (await logIn(island.url, 'ann', password)).body;
      const path = '/_matrix/client/v3/sync?timeout=60000';
      const headers = { Authorization: `Bearer ${String(token)}` };
      const since = await json(`${island.url}${path}&timeout=0`, headers);
      const waiting = json(`${island.url}${path}&since=${String(since['next_batch'])}`, headers);
      // A file whose second half is still to come when the signal arrives.
      const upload = request(`${island.url}/_matrix/media/v3/upload`, {
        method: 'POST',
        headers: { ...headers, 'Content-Length': '20', Expect: '100-continue' },
      });
      upload.flushHeaders();
      await once(upload, 'continue');
      upload.write('first half');
      const started = performance.now();
      island.signal('SIGTERM');
      // Connections that stand open hold nothing up, and take nothing new.
      await until(async () => !(await isAnswered(island.url)));
      upload.end('second bit');
      const [answer] = await once(upload, 'response');
      assert.equal(answer.statusCode, 200);
      answer.resume();
      assert.ok((await waiting)['next_batch']);
      assert.equal(await island.ended(), 0);
      assert.ok(performance.now() - started < 10_000);
      assert.equal(island.stderr, '');
      assert.equal(existsSync(join(data, 'control.sock')), false);
    });
  });

  it('says whose port it is', async () => {
    const config = await newIsland('acme.test');
    const port = Number(/port: (\d+)/.exec(readFileSync(config, 'utf8'))?.[1]);
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    try {
      await fails(
        ['start', '-c', config],
        new RegExp(`Port ${port} of 127.0.0.1 cannot be opened: another program listens there`),
      );
      assert.equal((other.address() as AddressInfo).port, port);
    } finally {
      other.close();
    }
  });

  it('refuses a database that is damaged, newer, or of another name, and leaves it as it is', async () => {
    const config = await newIsland('acme.test');
    const file = join(dirname(config), 'data', 'homeserver.db');
    const database = await open({ type: 'sqlite', path: file });
    await database.metadata.claimServerName('acme.test');
    await database.close();
    const whole = readFileSync(file);
    const refused = async (command: readonly string[], content: Buffer, message: RegExp): Promise<void> => {
      writeFileSync(file, content);
      await fails([...command, '-c', config], message);
      assert.ok(readFileSync(file).equals(content), 'the file was changed');
    };
    const torn = Buffer.from(whole);
    torn.fill(0xa5, 4096 * 3, 4096 * 12);
    await refused(
      ['start'],
      torn,
      /is damaged\. Nothing was changed: keep a copy of the file and restore a backup/,
    );
    await refused(
      ['user', 'list'],
      await changed(
        whole,
        file,
        "INSERT INTO migrations (timestamp, name) VALUES (9999, 'FromTheFuture9999')",
      ),
      /was written by a newer version of Archipelago \(it has FromTheFuture9999\)\. Nothing was changed/,
    );
    writeFileSync(file, whole);
    const renamed = join(dirname(config), 'renamed.yaml');
    writeFileSync(renamed, readFileSync(config, 'utf8').replace(/acme\.test/g, 'bolt.test'));
    await fails(
      ['user', 'list', '-c', renamed],
      /belongs to the server acme\.test, and the configuration says bolt\.test/,
    );
  });

  it('refuses a damaged key and leaves it alone', async () => {
    const config = await newIsland('acme.test');
    const key = join(dirname(config), 'data', 'signing.key');
    mkdirSync(dirname(key));
    writeFileSync(key, 'ed25519 a_1 tooshort\n', { mode: 0o600 });
    await fails(
      ['partner', 'card', '-c', config],
      /signing\.key is damaged: .* It was not touched: restore it from a backup/,
    );
    assert.equal(readFileSync(key, 'utf8'), 'ed25519 a_1 tooshort\n');
  });

  it('says every mistake of the configuration with its place, and starts nothing', async () => {
    const config = await newIsland('acme.test');
    writeFileSync(config, `${readFileSync(config, 'utf8')}listners: []\nmax_upload_size: much\n`);
    const lines = readFileSync(config, 'utf8').split('\n').length;
    for (const command of [
      ['start'],
      ['check-config'],
      ['user', 'list'],
      ['partner', 'card'],
      ['partner', 'list'],
    ]) {
      const { stderr, stdout } = await fails(
        [...command, '-c', config],
        /the configuration has 2 mistakes:\n.*homeserver\.yaml:\d+:1: unknown key "listners" \(did you mean "listeners"\?\)\n/,
      );
      assert.match(stderr, new RegExp(`:${lines - 1}:18: max_upload_size must be a size`));
      assert.equal(stdout, '');
    }
    assert.equal(existsSync(join(dirname(config), 'data')), false);
    await fails(
      ['start', '-c', join(dirname(config), 'none.yaml')],
      /there is no such file \(make one with: archipelago init/,
    );
  });

  it('logs for people where that is wanted', async () => {
    const config = await newIsland('acme.test');
    const { stdout, code } = await untilReady(['start', '-c', config, '--log-format', 'pretty']);
    assert.match(
      stdout,
      /^\[\d\d:\d\d:\d\d\] INFO: island ready \{.*"urls":\["http:\/\/127\.0\.0\.1:\d+"\]/m,
    );
    assert.equal(code, 0, stdout);
  });
});

/** Runs a start until its output says that it is ready, and stops it. */
async function untilReady(args: readonly string[]): Promise<{ stdout: string; code: number | null }> {
  const child = spawnProgram(args);
  let stdout = '';
  for await (const chunk of child.stdout) {
    stdout += String(chunk);
    if (stdout.includes('island ready') && !child.killed) child.kill('SIGTERM');
  }
  if (child.exitCode === null) await once(child, 'exit');
  return { stdout, code: child.exitCode };
}

async function isAnswered(url: string): Promise<boolean> {
  return fetch(`${url}/_matrix/client/versions`).then(
    () => true,
    () => false,
  );
}

async function json(url: string, headers: Record<string, string>): Promise<Record<string, unknown>> {
  const response = await fetch(url, { headers });
  assert.equal(response.status, 200);
  // The endpoint answers with a JSON object.
  return (await response.json()) as Record<string, unknown>;
}

/** What a database file is after a statement. */
async function changed(whole: Buffer, file: string, statement: string): Promise<Buffer> {
  writeFileSync(file, whole);
  const database = new SqliteDatabase(file);
  database.pragma('journal_mode = DELETE');
  database.exec(statement);
  database.close();
  return readFileSync(file);
}
