import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readCard } from '../../federation/partners/card.ts';
import { loadKeys } from '../../server/keys.ts';
import type { PartnerView } from '../../server/partners/show-partner.ts';
import { type AuditRecord, ChainVerifier, chainStart } from '../../storage/audit/chain.ts';
import { fails, logIn, newIsland } from '../cli/support.ts';
import { temporaryFolder } from '../support/folder.ts';
import { archipelago, buildProgram, IslandProcess, spawnProgram, succeeds } from '../support/program.ts';
import { realRandom } from '../support/runtime.ts';

/** The whole life of a partnership, with the program alone: two islands without DNS and without a public CA. */
describe('a partnership from the first card to the last key', function () {
  this.timeout(240_000);

  const names = { acme: 'acme.test', bolt: 'bolt.test' } as const;
  type Side = keyof typeof names;
  const configs: Record<Side, string> = { acme: '', bolt: '' };
  const islands: Partial<Record<Side, IslandProcess>> = {};
  const tokens: Record<Side, string> = { acme: '', bolt: '' };
  const folder = temporaryFolder();
  let roomId = '';
  let transaction = 0;

  const cli = (side: Side, ...args: string[]): Promise<string> => succeeds([...args, '-c', configs[side]]);
  const userOf = (side: Side): string => `@u:${names[side]}`;

  before(async () => {
    buildProgram();
    for (const side of ['acme', 'bolt'] as const) {
      configs[side] = await newIsland(names[side]);
      await cli(side, 'user', 'add', 'u', '--password', 'a test password');
      islands[side] = await IslandProcess.start(configs[side]);
    }
  });

  after(() => Promise.all(Object.values(islands).map((island) => island.stop())));

  async function start(side: Side): Promise<void> {
    islands[side] = await IslandProcess.start(configs[side]);
  }

  async function stop(side: Side): Promise<void> {
    await islands[side]?.stop();
    delete islands[side];
  }

  async function call(
    side: Side,
    method: string,
    path: string,
    body?: object,
  ): Promise<Record<string, unknown>> {
    const response = await fetch(`${islands[side]?.url}/_matrix/client/v3${path}`, {
      method,
      headers: { Authorization: `Bearer ${tokens[side]}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Record<string, unknown>; // The client API answers with objects.
    assert.equal(response.status, 200, `${method} ${path}: ${JSON.stringify(answer)}`);
    return answer;
  }

  async function say(side: Side, text: string): Promise<void> {
    transaction += 1;
    const path = `/rooms/${encodeURIComponent(roomId)}/send/m.room.message/t${transaction}`;
    await call(side, 'PUT', path, { msgtype: 'm.text', body: text });
  }

  async function hears(side: Side, text: string): Promise<void> {
    await eventually(`${side} hears "${text}"`, async () => {
      const answer = await call(side, 'GET', `/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=50`);
      return JSON.stringify(answer).includes(JSON.stringify(text));
    });
  }

  async function talk(text: string): Promise<void> {
    await say('acme', `${text} from acme`);
    await say('bolt', `${text} from bolt`);
    await hears('bolt', `${text} from acme`);
    await hears('acme', `${text} from bolt`);
  }

  async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
    const giveUp = Date.now() + 30_000;
    while (!(await isSo())) {
      if (Date.now() > giveUp) throw new Error(`It never happened: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** How `side` sees the other one. */
  async function view(side: Side): Promise<PartnerView> {
    const other = side === 'acme' ? names.bolt : names.acme;
    return JSON.parse(await cli(side, 'partner', 'show', other, '--json'));
  }

  async function keysInUse(side: Side): Promise<string[]> {
    const { effective } = await view(side);
    return effective.keys
      .filter(({ state, valid_until_ts: end }) => state === 'in use' && end === undefined)
      .map(({ key_id: id }) => id);
  }

  async function ownKey(side: Side): Promise<string> {
    const reading = readCard(await cli(side, 'partner', 'card'), { now: Date.now() });
    assert.ok(reading.ok);
    return [...reading.card.verifyKeys.keys()].join();
  }

  let paper = '';

  it('begins with two text files', async () => {
    paper = await cli('acme', 'partner', 'recovery-key');
    assert.match(paper, /^-----BEGIN ARCHIPELAGO RECOVERY KEY-----\nServer: +acme\.test\n/);
    // It is on paper and nowhere else.
    const seed = /ed25519 \S+ (\S+)/.exec(paper)?.[1] ?? 'none';
    const data = join(dirname(configs.acme), 'data');
    for (const name of ['signing.key', 'key-record.json', 'homeserver.db', 'homeserver.db-wal'])
      if (existsSync(join(data, name)))
        assert.ok(!readFileSync(join(data, name), 'latin1').includes(seed), name);
    await fails(['partner', 'recovery-key', '-c', configs.acme], /There is a recovery key already/);
    for (const [side, other] of [
      ['acme', 'bolt'],
      ['bolt', 'acme'],
    ] as const) {
      const file = join(folder, `${side}.card`);
      writeFileSync(file, await cli(side, 'partner', 'card'));
      const said = await cli(other, 'partner', 'add', file, '--yes');
      assert.match(said, /What people of .* may do then:/);
      assert.match(said, /This is what our configuration and their card both allow/);
    }
    await eventually('the link is up', async () =>
      (await cli('acme', 'partner', 'doctor', names.bolt).catch(() => '')).includes('ok    link: connected'),
    );
    for (const side of ['acme', 'bolt'] as const) {
      const { body } = await logIn(String(islands[side]?.url), 'u', 'a test password');
      tokens[side] = String(body['access_token']);
    }
    const room = await call('acme', 'POST', '/createRoom', {
      preset: 'private_chat',
      invite: [userOf('bolt')],
    });
    roomId = String(room['room_id']);
    await eventually('bolt is invited', async () =>
      JSON.stringify(await call('bolt', 'GET', '/sync')).includes(roomId),
    );
    await call('bolt', 'POST', `/join/${encodeURIComponent(roomId)}?via=${names.acme}`);
    await talk('hello');
  });

  it('goes on when one side rotates while the other is down', async () => {
    const old = await ownKey('acme');
    await stop('bolt');
    assert.match(await cli('acme', 'partner', 'rotate-key'), new RegExp(`${old} has ended`));
    await say('acme', 'while bolt was away');
    await start('bolt');
    await hears('bolt', 'while bolt was away');
    assert.deepEqual(await keysInUse('bolt'), [await ownKey('acme')]);
    await talk('after the rotation');
  });

  it('goes on when a side rotates while it is stopped', async () => {
    await stop('acme');
    await cli('acme', 'partner', 'rotate-key');
    await start('acme');
    await talk('after a rotation at rest');
    assert.deepEqual(await keysInUse('bolt'), [await ownKey('acme')]);
  });

  it('survives kill -9 at any moment of a rotation', async () => {
    for (let round = 0; round < 12; round += 1) {
      const island = islands.acme;
      const command = spawnProgram(['partner', 'rotate-key', '-c', configs.acme]);
      command.stdin.end();
      const over = new Promise((resolve) => command.once('close', resolve));
      // From before the command reaches the island to after it was answered.
      await new Promise((resolve) => setTimeout(resolve, 150 + round * 25));
      await island?.kill();
      await over;
      await start('acme');
      await say('acme', `round ${round}`);
      await hears('bolt', `round ${round}`);
      assert.deepEqual(await keysInUse('bolt'), [await ownKey('acme')]);
      const { own } = await loadKeys(
        {
          signingKeyPath: join(dirname(configs.acme), 'data', 'signing.key'),
          linkKeyPath: join(dirname(configs.acme), 'data', 'link.key'),
        },
        realRandom,
      );
      assert.ok(!own.oldKeys.has(own.current.keyId));
    }
    await cli('acme', 'audit', 'verify');
    await talk('after all of that');
  });

  it('ends at once with a revoked key, and comes back by the recovery key', async () => {
    const stolen = await ownKey('acme');
    assert.match(await cli('bolt', 'partner', 'revoke-key', names.acme, stolen), /is revoked/);
    const { stdout } = await fails(
      ['partner', 'doctor', names.acme, '-c', configs.bolt],
      /not well with acme\.test/,
    );
    assert.match(stdout, /fail {2}keys: /);
    await fails(
      ['partner', 'rotate-key', '--compromised', '-c', configs.acme],
      /cannot vouch for the next one/,
    );
    const file = join(folder, 'recovery.key');
    writeFileSync(file, paper);
    await cli('acme', 'partner', 'rotate-key', '--compromised', '--recovery-key-file', file);
    await talk('without the thief');
    const { effective } = await view('bolt');
    assert.deepEqual(await keysInUse('bolt'), [await ownKey('acme')]);
    assert.equal(effective.keys.find(({ key_id: id }) => id === stolen)?.state, 'revoked');
  });

  it('is found again after the signing key was lost, by a statement on paper', async () => {
    await stop('acme');
    const key = join(dirname(configs.acme), 'data', 'signing.key');
    renameSync(key, `${key}.lost`);
    await start('acme');
    await eventually(
      'bolt says loudly that the key is another',
      async () => (await view('bolt')).wrong_key !== undefined,
    );
    const { wrong_key: wrong, effective } = await view('bolt');
    assert.equal(wrong?.key_id, await ownKey('acme'));
    const { stdout } = await archipelago(['partner', 'doctor', names.acme, '-c', configs.bolt]);
    const pinned = effective.keys.find(({ state }) => state === 'in use');
    assert.ok(
      stdout.includes(wrong?.fingerprint ?? 'none') && stdout.includes(pinned?.fingerprint ?? 'none'),
      stdout,
    );
    // By mail, since bolt need not wait for the next handshake.
    const statement = join(folder, 'statement.txt');
    await cli(
      'acme',
      'partner',
      'rotate-key',
      '--recovery-key-file',
      join(folder, 'recovery.key'),
      '--statement',
      statement,
    );
    const said = await cli('bolt', 'partner', 'accept-key', names.acme, '--statement', statement);
    assert.match(said, new RegExp(`${wrong?.key_id} is the key of acme\\.test`));
    await talk('found again');
    assert.equal((await view('bolt')).wrong_key, undefined);
  });

  it('has left every step in both audit logs', async () => {
    const actions = async (side: Side): Promise<Set<string>> => {
      const lines = (await cli(side, 'audit', 'export'))
        .trim()
        .split('\n')
        .map((line): AuditRecord => JSON.parse(line));
      assert.equal(new ChainVerifier({ seq: 0, hash: chainStart }).check(lines), undefined);
      return new Set(lines.map(({ action }) => action));
    };
    const acme = await actions('acme');
    for (const action of ['key.recovery-key', 'key.rotate', 'key.replaced'])
      assert.ok(acme.has(action), action);
    const bolt = await actions('bolt');
    for (const action of ['partner.accept-key', 'partner.revoke-key', 'link.wrong-key'])
      assert.ok(bolt.has(action), action);
    assert.ok(
      !(await cli('acme', 'audit', 'export')).includes(/ed25519 \S+ (\S+)/.exec(paper)?.[1] ?? 'none'),
    );
  });
});
