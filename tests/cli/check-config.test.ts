import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { partnerEntry } from '../config/support.ts';
import { freePort } from '../support/free-port.ts';
import { archipelago, buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { fails, newIsland } from './support.ts';

const alone = {
  NODE_OPTIONS: `--import=${new URL('./fixtures/no-network.mjs', import.meta.url).href}`,
};
const expired = `partners:\n${partnerEntry('bolt.example')}    valid_until: 2020-12-31\n`;

describe('archipelago check-config', function () {
  this.timeout(60_000);

  let config: string;

  before(buildProgram);

  beforeEach(async () => {
    config = await newIsland('acme.test');
  });

  it('says that all is in order, or every mistake with its place', async () => {
    assert.match(
      await succeeds(['check-config', '-c', config]),
      /homeserver\.yaml is in order: acme\.test, no partners, so it talks to nobody\n$/,
    );
    appendFileSync(config, 'colour: blue\n');
    await fails(['check-config', '-c', config], /homeserver\.yaml:\d+:1: unknown key "colour"/);
  });

  it('takes warnings for what they are, and with --strict for mistakes', async () => {
    appendFileSync(config, expired);
    const { code, stderr } = await archipelago(['check-config', '-c', config]);
    assert.equal(code, 0);
    assert.match(stderr, /^warning: .*homeserver\.yaml:\d+:18: the partnership with bolt\.example has ended/);
    await fails(['check-config', '--strict', '-c', config], /the configuration has 1 warning\n$/);
  });

  it('gives JSON for other programs: problems with their places, and nothing else on standard output', async () => {
    appendFileSync(config, expired);
    const cwd = dirname(config);
    const warned = await archipelago(['check-config', '--json'], { cwd });
    assert.equal(warned.code, 0);
    const [warning] = JSON.parse(warned.stdout);
    assert.deepEqual(Object.keys(warning), ['file', 'line', 'column', 'severity', 'message', 'suggestion']);
    assert.deepEqual([warning.file, warning.severity], ['homeserver.yaml', 'warning']);
    assert.equal((await archipelago(['check-config', '--json', '--strict'], { cwd })).code, 1);
    appendFileSync(config, 'listners: []\n');
    const failed = await archipelago(['check-config', '--json'], { cwd });
    assert.equal(failed.code, 1);
    const [mistake] = JSON.parse(failed.stdout);
    assert.deepEqual(
      [mistake.severity, mistake.message, mistake.suggestion, mistake.column],
      ['error', 'unknown key "listners"', 'did you mean "listeners"?', 1],
    );
  });

  it('uses no network and writes nothing, and with --online does dial', async () => {
    const port = await freePort();
    appendFileSync(
      config,
      `partners:\n${partnerEntry('bolt.example')}    transport: {urls: ["ws://127.0.0.1:${port}"]}\n`,
    );
    assert.match(await succeeds(['check-config', '-c', config], { env: alone }), /is in order/);
    assert.equal(existsSync(join(dirname(config), 'data')), false);
    // The guard does see it when somebody dials.
    const dialling = await archipelago(['check-config', '--online', '-c', config], { env: alone });
    assert.equal(dialling.code, 99, dialling.stderr);
    const { stdout } = await fails(
      ['check-config', '--online', '-c', config],
      /1 URL of partners cannot be reached/,
    );
    assert.match(stdout, /^error {4}bolt\.example: ws:\/\/127\.0\.0\.1:\d+: .*ECONNREFUSED/);
  });

  it('--online goes as far as the handshake, on which both sides have to agree', async () => {
    const bolt = await newIsland('bolt.test');
    const island = await IslandProcess.start(bolt);
    try {
      const card = await succeeds(['partner', 'card', '-c', bolt]);
      await succeeds(['partner', 'add', '-', '--yes', '-c', config], { input: card });
      // Before the first start there is no key to prove oneself with.
      const keyless = await succeeds(['check-config', '--online', '-c', config]);
      assert.match(keyless, /handshake not tried, since there is no signing key yet/);
      const ownCard = await succeeds(['partner', 'card', '-c', config]);
      const stranger = await fails(['check-config', '--online', '-c', config], /cannot be reached/);
      assert.match(stranger.stdout, /^error {4}bolt\.test: ws:.*no handshake: It answered 403/);
      await succeeds(['partner', 'add', '-', '--yes', '-c', bolt], {
        input: ownCard,
      });
      const said = await succeeds(['check-config', '--online', '-c', config]);
      assert.match(said, /^ok {7}bolt\.test: ws:.*: reached in \d+ ms, clocks agree, handshake done\n/);
      const json = JSON.parse(await succeeds(['check-config', '--online', '--json', '-c', config]));
      assert.deepEqual(
        json.map(({ severity, line }: { severity: string; line: number }) => [severity, line]),
        [['info', 3]],
      );
      // Another key than the pinned one answers.
      const file = join(dirname(config), 'conf.d', 'partners', 'bolt.test.yaml');
      mkdirSync(dirname(file), { recursive: true });
      const text = readFileSync(file, 'utf8').replace(
        /key: \S+/,
        'key: Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw',
      );
      writeFileSync(file, text);
      const wrong = await fails(['check-config', '--online', '-c', config], /cannot be reached/);
      assert.match(wrong.stdout, /no handshake: whoever answers does not hold a pinned key of this partner/);
    } finally {
      await island.kill();
    }
  });
});
