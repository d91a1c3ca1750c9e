import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ControlClient } from '../../server/control/control-client.ts';
import { verifyKey } from '../config/support.ts';
import { ConfiguredIsland } from '../support/configured-island.ts';
import { testPassword } from '../support/test-network.ts';
import { until } from '../support/until.ts';

const listens = (port: number): string => `listeners: [{port: ${port}}]\n`;

describe('A reload of the configuration', () => {
  let acme: ConfiguredIsland;
  let bolt: ConfiguredIsland;
  let dock: ConfiguredIsland;
  let control: ControlClient;

  before(async () => {
    [acme, bolt, dock] = await Promise.all(
      ['acme.test', 'bolt.test', 'dock.test'].map((name) => ConfiguredIsland.start(name, listens)),
    ).then((islands) => islands as [ConfiguredIsland, ConfiguredIsland, ConfiguredIsland]);
    const found = await ControlClient.connect(acme.homeserver.config.dataDirectory);
    assert.ok(found);
    control = found;
    for (const other of [bolt, dock]) {
      acme.folder.write(`conf.d/${other.homeserver.config.serverName}.yaml`, other.asPartner());
      other.folder.write('conf.d/acme.yaml', acme.asPartner());
      await other.running.reloader.reload();
    }
    await control.call('config.reload', {});
    await until(() => ['bolt.test', 'dock.test'].every((name) => link(name).state === 'connected'));
  });

  after(() => Promise.all([acme, bolt, dock].map((island) => island.stop())));

  const link = (name: string) => acme.homeserver.federation.link.status(name);
  const mainFile = (more: string): void => {
    acme.folder.write('homeserver.yaml', `server_name: acme.test\n${listens(acme.port)}${more}`);
  };
  const uploadLimit = async (): Promise<unknown> => {
    const response = await fetch(`${acme.url}/_matrix/media/v3/config`, {
      headers: { Authorization: `Bearer ${await token()}` },
    });
    return ((await response.json()) as Record<string, unknown>)['m.upload.size'];
  };
  let session: Promise<string> | undefined;
  const token = (): Promise<string> => {
    session ??= acme.homeserver.accounts
      .create('ann', testPassword, false)
      .then((userId) => acme.homeserver.accounts.openSession(userId, { remoteAddress: '127.0.0.1' }))
      .then((opened) => opened.accessToken);
    return session;
  };

  it('takes over at once what can change while the island runs, and not before it is asked for', async () => {
    mainFile('max_upload_size: 3M\nenable_registration: true\npublic_baseurl: https://chat.acme.test/\n');
    assert.equal(await uploadLimit(), 50 * 1024 * 1024);
    const report = await control.call('config.reload', {});
    assert.deepEqual(report.changed, ['public_baseurl', 'max_upload_size', 'enable_registration']);
    assert.deepEqual(report.waiting, []);
    assert.equal(await uploadLimit(), 3 * 1024 * 1024);
    const wellKnown = await fetch(`${acme.url}/.well-known/matrix/client`);
    assert.deepEqual(await wellKnown.json(), { 'm.homeserver': { base_url: 'https://chat.acme.test/' } });
    const page = await (await fetch(acme.url)).text();
    assert.match(page, /No account yet\? Make one in the client/);
    // Nothing differs any more.
    const again = await control.call('config.reload', {});
    assert.deepEqual([again.changed, again.waiting, again.partners.changed], [[], [], []]);
  });

  it('says which keys wait for a restart, each time until it comes', async () => {
    mainFile('media_store_path: other\nhttps_proxy: http://127.0.0.1:3128\nmax_upload_size: 4M\n');
    for (const changed of [['max_upload_size'], []]) {
      const report = await control.call('config.reload', {});
      assert.deepEqual(report.waiting, ['media_store_path', 'https_proxy']);
      assert.deepEqual(
        report.changed.filter((key) => key === 'max_upload_size'),
        changed,
      );
    }
    assert.equal(acme.homeserver.config.httpsProxy, undefined);
    assert.equal(await uploadLimit(), 4 * 1024 * 1024);
  });

  it('changes nothing when one partner has a mistake, and says where it is', async () => {
    const before = acme.homeserver.config;
    mainFile('max_upload_size: 9M\n');
    acme.folder.write(
      'conf.d/new.yaml',
      `partners:\n  - {server_name: new.test, verify_keys: {"ed25519:1": {key: no}}}\n`,
    );
    acme.folder.write('conf.d/dock.test.yaml', dock.asPartner('    policy: {files: {direction: none}}\n'));
    const failed = (await acme.audited('config.reload')).length;
    await assert.rejects(control.call('config.reload', {}), /conf\.d\/new\.yaml:2:\d+: .*Ed25519 public key/);
    await assert.rejects(control.call('config.diff', {}), /conf\.d\/new\.yaml:2/);
    assert.equal(acme.homeserver.config, before);
    assert.equal(acme.homeserver.partners.get('new.test'), undefined);
    assert.equal(acme.homeserver.partners.get('dock.test')?.policy.files.direction, 'both');
    assert.equal(await uploadLimit(), 4 * 1024 * 1024);
    const line = (await acme.audited('config.reload'))[failed];
    assert.equal(line?.outcome, 'failed');
    assert.ok(acme.lines.some(({ msg }) => msg === 'the configuration was not reloaded; nothing changed'));
    acme.folder.write('conf.d/new.yaml', '');
  });

  it('refuses another server name', async () => {
    mainFile('');
    const text = readFileSync(acme.folder.file, 'utf8').replace('acme.test', 'other.test');
    acme.folder.write('homeserver.yaml', text);
    await assert.rejects(
      control.call('config.reload', {}),
      /runs as acme\.test, and the configuration now says other\.test \(homeserver\.yaml:1\)/,
    );
    mainFile('max_upload_size: 4M\n');
  });

  it('of a partner ends no waiting client and no link of another', async () => {
    await control.call('config.reload', {});
    const headers = { Authorization: `Bearer ${await token()}` };
    const sync = async (query: string): Promise<Record<string, unknown>> => {
      const response = await fetch(`${acme.url}/_matrix/client/v3/sync?${query}`, { headers });
      assert.equal(response.status, 200);
      return (await response.json()) as Record<string, unknown>;
    };
    const { next_batch: since } = await sync('timeout=0');
    let isOver = false;
    const waiting = sync(`since=${String(since)}&timeout=20000`).then((answer) => {
      isOver = true;
      return answer;
    });
    const before = { bolt: link('bolt.test').since, dock: link('dock.test').since };
    acme.folder.write('conf.d/dock.test.yaml', dock.asPartner('    policy: {files: {direction: inbound}}\n'));
    const changed = await control.call('config.reload', {});
    assert.deepEqual(changed.partners, { total: 2, added: [], changed: ['dock.test'], removed: [] });
    assert.deepEqual([link('bolt.test').since, link('dock.test').since], [before.bolt, before.dock]);
    acme.folder.write('conf.d/dock.test.yaml', '');
    const removed = await control.call('config.reload', {});
    assert.deepEqual(removed.partners.removed, ['dock.test']);
    await until(() => dock.homeserver.federation.link.status('acme.test').state !== 'connected');
    assert.equal(link('bolt.test').state, 'connected');
    assert.equal(link('bolt.test').since, before.bolt);
    assert.equal(isOver, false);
    // The same request is still served: what happens now ends it.
    await fetch(`${acme.url}/_matrix/client/v3/createRoom`, { method: 'POST', headers, body: '{}' });
    assert.ok((await waiting)['next_batch']);
    acme.folder.write('conf.d/dock.test.yaml', dock.asPartner());
    await control.call('config.reload', {});
  });

  it('of one partner takes over nothing else that stands in the files', async () => {
    mainFile('max_upload_size: 5M\n');
    acme.folder.write('conf.d/dock.test.yaml', dock.asPartner('    state: suspended\n'));
    acme.folder.write(
      'conf.d/new.yaml',
      `partners:\n  - {server_name: new.test, verify_keys: {"ed25519:1": {key: ${verifyKey}}}}\n`,
    );
    const report = await control.call('config.reload', { partner: 'new.test' });
    assert.deepEqual(report.partners, { total: 3, added: ['new.test'], changed: [], removed: [] });
    assert.deepEqual(report.pending, ['max_upload_size', 'partners[dock.test].state']);
    assert.equal(acme.homeserver.partners.isActive('dock.test'), true);
    assert.equal(await uploadLimit(), 4 * 1024 * 1024);
    const { changes, partners } = await control.call('config.diff', {});
    assert.deepEqual(partners, { added: [], changed: ['dock.test'], removed: [] });
    assert.deepEqual(changes, [
      { key: 'max_upload_size', before: '"4M"', after: '"5M"', takes_effect: 'reload' },
      { key: 'partners[dock.test].state', before: '"active"', after: '"suspended"', takes_effect: 'reload' },
    ]);
    await control.call('config.reload', {});
    assert.equal(acme.homeserver.partners.isActive('dock.test'), false);
  });

  it('notices a secret whose file changed, takes it over, and never shows it', async () => {
    acme.folder.write('hush', 'the-first-canary');
    mainFile('registration_shared_secret_path: hush\n');
    await control.call('config.reload', {});
    acme.folder.write('hush', 'the-second-canary');
    const { changes } = await control.call('config.diff', {});
    assert.deepEqual(
      changes.map(({ key }) => key),
      ['registration_shared_secret_path'],
    );
    assert.equal(acme.homeserver.config.registrationSharedSecret, 'the-first-canary');
    const report = await control.call('config.reload', {});
    assert.deepEqual(report.changed, ['registration_shared_secret_path']);
    assert.equal(acme.homeserver.config.registrationSharedSecret, 'the-second-canary');
    mainFile('registration_shared_secret: the-third-canary\n');
    const diff = await control.call('config.diff', {});
    assert.deepEqual(
      diff.changes.find(({ key }) => key === 'registration_shared_secret'),
      { key: 'registration_shared_secret', before: null, after: '(secret)', takes_effect: 'reload' },
    );
    await control.call('config.reload', {});
    const lines = await acme.audited('config.reload');
    const said = JSON.stringify([changes, diff, report, lines, acme.lines]);
    assert.doesNotMatch(said, /canary/);
    assert.deepEqual(lines.at(-1)?.detail, {
      added: [],
      changed: [],
      removed: [],
      keys: ['registration_shared_secret', 'registration_shared_secret_path'],
      waiting: [],
    });
    assert.equal(lines.at(-1)?.actor, 'command line');
  });
});
