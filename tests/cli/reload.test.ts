import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { partnerEntry } from '../config/support.ts';
import { archipelago, buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { until } from '../support/until.ts';
import { fails, newIsland } from './support.ts';

describe('archipelago reload', function () {
  this.timeout(60_000);

  let config: string;
  let original: string;
  let island: IslandProcess;

  before(async () => {
    buildProgram();
    config = await newIsland('acme.test');
    original = readFileSync(config, 'utf8');
    mkdirSync(join(dirname(config), 'conf.d', 'partners'), { recursive: true });
    island = await IslandProcess.start(config);
  });

  beforeEach(() => writeFileSync(config, original));

  after(() => island.kill());

  const partnerFile = (name: string): string => join(dirname(config), 'conf.d', 'partners', name);

  /** The lines of the audit log about reloads. */
  async function audited(): Promise<Record<string, unknown>[]> {
    const lines = (await succeeds(['audit', 'export', '-c', config]))
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line)).filter(({ action }) => action === 'config.reload');
  }

  it('says what it took over and what waits, and before it `config diff` says the same', async () => {
    appendFileSync(config, 'max_upload_size: 1M\nhttps_proxy: http://127.0.0.1:3128\n');
    writeFileSync(partnerFile('bolt.yaml'), `partners:\n${partnerEntry('bolt.example')}`);
    assert.equal(
      await succeeds(['config', 'diff', '-c', config]),
      [
        'A reload would change:',
        '  new partner bolt.example',
        '  max_upload_size: "50M" -> "1M"',
        'Waits for a restart:',
        '  https_proxy: not set -> "http://127.0.0.1:3128"',
        '',
      ].join('\n'),
    );
    assert.equal(
      await succeeds(['reload', '-c', config]),
      [
        'The configuration is in force:',
        '  partners added: bolt.example',
        '  in force now: max_upload_size',
        '  waits for a restart: https_proxy',
        '',
      ].join('\n'),
    );
    assert.match(
      await succeeds(['config', 'diff', '-c', config]),
      /^Waits for a restart:\n {2}https_proxy: /,
    );
    const [line] = (await audited()).slice(-1);
    assert.equal(line?.['outcome'], 'done');
    assert.equal(line?.['actor'], 'command line');
    writeFileSync(config, original);
    await succeeds(['reload', '-c', config]);
    assert.equal(
      await succeeds(['config', 'diff', '-c', config]),
      'The running island and its files say the same.\n',
    );
    assert.equal(await succeeds(['reload', '-c', config]), 'Nothing had changed.\n');
  });

  it('fails with the place of a mistake, and the attempt is in the audit log', async () => {
    writeFileSync(partnerFile('dock.yaml'), 'partners:\n  - server_nam: dock.example\n');
    try {
      await fails(['reload', '-c', config], /conf\.d\/partners\/dock\.yaml:2:5: unknown key "server_nam"/);
      await fails(
        ['config', 'diff', '-c', config],
        /conf\.d\/partners\/dock\.yaml:2:5: unknown key "server_nam"/,
      );
    } finally {
      rmSync(partnerFile('dock.yaml'));
    }
    const [line] = (await audited()).slice(-1);
    assert.equal(line?.['outcome'], 'failed');
    await island.logged('the configuration was not reloaded; nothing changed');
  });

  it('comes with SIGHUP too: the island goes on, and the log and the audit log say what came of it', async () => {
    appendFileSync(config, 'enable_registration: true\n');
    const before = (await audited()).length;
    island.signal('SIGHUP');
    await until(() =>
      island.lines.some(({ changed }) => JSON.stringify(changed) === '["enable_registration"]'),
    );
    await until(async () => (await audited()).length > before);
    const [line] = (await audited()).slice(-1);
    assert.deepEqual([line?.['actor'], line?.['outcome']], ['SIGHUP', 'done']);
    island.signal('SIGHUP');
    await until(() => island.lines.some(({ msg }) => /in force already: nothing changed$/.test(String(msg))));
    writeFileSync(config, original.replace('listeners:', 'listners:'));
    island.signal('SIGHUP');
    await until(() => island.lines.some(({ reason }) => /unknown key "listners"/.test(String(reason))));
    assert.equal((await fetch(island.url)).status, 200);
  });

  it('has nothing to say to an island that does not run but that', async () => {
    const other = await newIsland('other.test');
    await fails(
      ['reload', '-c', other],
      /The island does not run: what its files say holds from the next start/,
    );
    assert.match(
      await succeeds(['config', 'diff', '-c', other]),
      /^The island does not run: everything in its files/,
    );
    assert.deepEqual(JSON.parse(await succeeds(['config', 'diff', '--json', '-c', other])), {
      running: false,
    });
    appendFileSync(other, 'colour: blue\n');
    await fails(['reload', '-c', other], /unknown key "colour"/);
  });

  it('is needed after a change by hand: adding a partner takes over nothing but that partner', async () => {
    appendFileSync(config, 'max_upload_size: 7M\n');
    const other = await newIsland('dock.test');
    const card = await succeeds(['partner', 'card', '-c', other]);
    const { code, stderr } = await archipelago(['partner', 'add', '-', '--yes', '-c', config], {
      input: card,
    });
    assert.equal(code, 0);
    assert.match(stderr, /note: the files say something else too that is not in force yet: max_upload_size/);
    assert.match(await succeeds(['config', 'diff', '-c', config]), /max_upload_size: "50M" -> "7M"/);
  });
});

describe('archipelago config show', function () {
  this.timeout(60_000);

  before(buildProgram);

  it('prints what is written, and with --effective every default, each with its source', async () => {
    const config = await newIsland('acme.test');
    const written = await succeeds(['config', 'show', '-c', config]);
    assert.match(written, /^server_name: acme\.test +# homeserver\.yaml:\d+\n/);
    assert.doesNotMatch(written, /default/);
    const effective = await succeeds(['config', 'show', '--effective', '-c', config]);
    assert.match(effective, /^max_upload_size: 50M +# default$/m);
    assert.match(effective, /^ {2}- port: \d+ +# homeserver\.yaml:\d+$/m);
  });
});
