import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../../config/load.ts';
import { initialConfig } from '../../server/cli/initial-config.ts';
import { localhostPem } from '../support/configured-island.ts';
import { ConfigFolder, partnerEntry, verifyKey } from './support.ts';

const main = 'server_name: acme.example\n';

describe('homeserver.yaml', () => {
  it('needs a name only: the rest has defaults, in the folder of the file', async () => {
    const folder = new ConfigFolder(main);
    const config = await folder.config();
    const at = (path: string): string => join(folder.directory, path);
    assert.equal(config.serverName, 'acme.example');
    assert.equal(config.directory, folder.directory);
    assert.equal(config.signingKeyPath, at('data/signing.key'));
    assert.equal(config.linkKeyPath, at('data/link.key'));
    assert.equal(config.dataDirectory, at('data'));
    assert.deepEqual(config.database, { type: 'sqlite', path: at('data/homeserver.db') });
    assert.equal(config.mediaStorePath, at('data/media'));
    assert.equal(config.maxUploadSize, 50 * 1024 * 1024);
    assert.equal(config.enableRegistration, false);
    assert.equal(config.defaultRoomVersion, '12');
    assert.equal(config.offlineNoticeAfterMs, 5 * 60_000);
    assert.deepEqual(config.serverNotices, {
      localpart: 'notices',
      displayName: 'Server notices',
      roomName: 'Server notices',
    });
    assert.deepEqual(config.partners, []);
    assert.deepEqual(config.listeners, [
      {
        port: 8008,
        bindAddresses: ['127.0.0.1'],
        xForwarded: false,
        trustedProxies: [],
        resources: ['client', 'federation', 'link'],
      },
    ]);
  });

  it('cannot be changed after it was read, not even inside', async () => {
    const config = await new ConfigFolder(main).config();
    assert.throws(() => Object.assign(config, { serverName: 'bolt.example' }), TypeError);
    assert.throws(() => Object.assign(config.listeners[0] ?? {}, { port: 1 }), TypeError);
  });

  it('is read with the line ends of Windows and with a byte order mark', async () => {
    const config = await new ConfigFolder(
      '\uFEFFserver_name: acme.example\r\nmax_upload_size: 1M\r\n',
    ).config();
    assert.equal(config.serverName, 'acme.example');
    assert.equal(config.maxUploadSize, 1024 * 1024);
  });

  it('takes a key without a value for one that is absent', async () => {
    const config = await new ConfigFolder(`${main}partners:\nlisteners:\npublic_baseurl: null\n`).config();
    assert.equal(config.listeners[0]?.port, 8008);
    assert.equal(config.publicBaseurl, undefined);
  });

  it('takes secrets in place or from a file of their own', async () => {
    const inPlace = new ConfigFolder(`${main}registration_shared_secret: hush\n`);
    assert.equal((await inPlace.config()).registrationSharedSecret, 'hush');
    const apart = new ConfigFolder(`${main}registration_shared_secret_path: secrets/hush\n`, {
      'secrets/hush': ' hush\n',
    });
    assert.equal((await apart.config()).registrationSharedSecret, 'hush');
    const postgres = new ConfigFolder(`${main}database: {type: postgres, url_path: url}\n`, {
      url: 'postgres://a:b@db/island\n',
    });
    assert.deepEqual((await postgres.config()).database, {
      type: 'postgres',
      url: 'postgres://a:b@db/island',
    });
  });

  it('takes partners from every file of conf.d, and knows where each stands', async () => {
    const folder = new ConfigFolder(`${main}partners:\n${partnerEntry('bolt.example')}`, {
      'conf.d/partners/[::1]:8448.yaml': `partners:\n${partnerEntry('"[::1]:8448"')}`,
      'conf.d/more.yaml': `max_upload_size: 3M\n`,
      'conf.d/partners/.half.yaml': 'a file that is being written',
      'conf.d/notes.txt': 'not for us',
    });
    const config = await folder.config();
    assert.equal(config.maxUploadSize, 3 * 1024 * 1024);
    assert.deepEqual(
      config.partners.map(({ serverName, source }) => [serverName, source.file, source.line]),
      [
        ['bolt.example', folder.file, 3],
        ['[::1]:8448', join(folder.directory, 'conf.d/partners/[::1]:8448.yaml'), 2],
      ],
    );
  });

  it('gives a partner its defaults, and what its entry says', async () => {
    const text = `${main}partners:\n${partnerEntry('bolt.example')}${[
      '    display_name: Bolt Ltd',
      '    relation: supplier',
      '    valid_until: 2027-12-31',
      '    transport: {urls: ["wss://bolt.example"], dial: inbound, allow_private_ip: true}',
      '    card: {issued: 2026-11-01T10:00:00.000Z}',
      '',
    ].join('\n')}${partnerEntry('dock.example')}`;
    const [bolt, dock] = (await new ConfigFolder(text).config({ now: Date.UTC(2026, 11, 1) })).partners;
    assert.equal(bolt?.displayName, 'Bolt Ltd');
    assert.equal(bolt.relation, 'supplier');
    // The last day of the contract counts in full.
    assert.equal(bolt.validUntil, Date.UTC(2028, 0, 1));
    assert.deepEqual(bolt.card, { issued: Date.UTC(2026, 10, 1, 10) });
    assert.deepEqual(bolt.transport, {
      type: 'link',
      urls: ['wss://bolt.example'],
      dial: 'inbound',
      allowPrivateIp: true,
      allowCleartext: false,
      tls: { caPath: undefined },
    });
    assert.equal(dock?.state, 'active');
    assert.equal(dock.transport.dial, 'both');
    assert.deepEqual(dock.verifyKeys, { 'ed25519:a1': { key: verifyKey } });
  });

  it('warns of what is no mistake and still wants attention', async () => {
    const now = Date.UTC(2028, 0, 2);
    const ended = new ConfigFolder(
      `${main}partners:\n${partnerEntry('bolt.example')}    valid_until: 2027-12-31\n`,
    );
    assert.deepEqual(await ended.warnings({ now }), [
      'homeserver.yaml:5:18: the partnership with bolt.example has ended, so it is suspended',
    ]);
    const misnamed = new ConfigFolder(main, {
      'conf.d/partners/bolt.yml': `partners:\n${partnerEntry('bolt.example')}`,
    });
    assert.deepEqual(await misnamed.warnings(), [
      'conf.d/partners/bolt.yml:1:1: this file is not read (only names in .yaml are: rename it)',
    ]);
  });

  it('can be tried with files as they are to become, and nothing is written', async () => {
    const kept = `partners:\n${partnerEntry('bolt.example')}`;
    const folder = new ConfigFolder(main, { 'conf.d/partners/bolt.example.yaml': kept });
    const bolt = join(folder.directory, 'conf.d/partners/bolt.example.yaml');
    const dock = join(folder.directory, 'conf.d/partners/dock.example.yaml');
    const names = async (planned: Map<string, string | null>): Promise<string[]> =>
      (await folder.config({ planned })).partners.map(({ serverName }) => serverName);
    assert.deepEqual(await names(new Map([[dock, `partners:\n${partnerEntry('dock.example')}`]])), [
      'bolt.example',
      'dock.example',
    ]);
    assert.deepEqual(await names(new Map([[bolt, null]])), []);
    assert.deepEqual(await names(new Map([[bolt, `partners:\n${partnerEntry('new.example')}`]])), [
      'new.example',
    ]);
    assert.equal(readFileSync(bolt, 'utf8'), kept);
    const [mistake] = await folder.mistakes({ planned: new Map([[dock, kept]]) });
    assert.match(mistake ?? '', /the partner bolt.example stands in .* already/);
  });
});

describe('The configurations that come with the program', () => {
  it('are right: the one of npm start', async () => {
    const loaded = await loadConfig(fileURLToPath(new URL('../../homeserver.yaml', import.meta.url)));
    assert.ok(loaded.ok);
    assert.equal(loaded.config.serverName, 'island.localhost');
    assert.equal(loaded.config.listeners[0]?.port, 8008);
  });

  for (const name of [
    'acme.test',
    'localhost:8008',
    '[2001:db8::1]:8448',
    '10.0.0.7',
    '1234',
    '1e3',
    'null',
    'A-b.example',
  ])
    it(`are right: what init writes for ${name}`, async () => {
      const folder = new ConfigFolder(initialConfig(name, 8123));
      const config = await folder.config();
      assert.equal(config.serverName, name);
      assert.equal(config.listeners[0]?.port, 8123);
      assert.deepEqual(await folder.warnings(), []);
    });
});

describe('TLS of a listener', () => {
  const tls = 'listeners: [{port: 8448, tls: {certificate_path: tls.crt, private_key_path: tls.key}}]\n';
  const pem = (which: 'first' | 'renewed', form: 'crt' | 'key'): string =>
    readFileSync(localhostPem(which, form), 'utf8');
  const files = { 'tls.crt': pem('first', 'crt'), 'tls.key': pem('first', 'key') };

  it('is read with the configuration, so that what was checked is what is served', async () => {
    const config = await new ConfigFolder(`${main}${tls}`, files).config();
    assert.equal(config.listeners[0]?.tls?.certificate, files['tls.crt']);
  });

  it('is refused with its line where the files are none, of each other or for all to read', async () => {
    const complaint = async (others: Record<string, string>): Promise<string[]> =>
      new ConfigFolder(`${main}${tls}`, others).mistakes();
    assert.deepEqual(await complaint({ ...files, 'tls.key': pem('renewed', 'key') }), [
      'homeserver.yaml:2:77: listeners[0].tls.private_key_path is not the key of the certificate: DIR/tls.key',
    ]);
    assert.deepEqual(await complaint({ ...files, 'tls.crt': 'none' }), [
      'homeserver.yaml:2:50: listeners[0].tls.certificate_path is not a file with certificates in PEM: DIR/tls.crt',
    ]);
    assert.deepEqual(await complaint({ ...files, 'tls.key': 'none' }), [
      'homeserver.yaml:2:77: listeners[0].tls.private_key_path is not a private key in PEM without a passphrase: DIR/tls.key',
    ]);
    assert.deepEqual(await complaint({}), [
      'homeserver.yaml:2:50: listeners[0].tls.certificate_path names a file that this user cannot read: DIR/tls.crt',
      'homeserver.yaml:2:77: listeners[0].tls.private_key_path names a file that is not there: DIR/tls.key',
    ]);
    const open = new ConfigFolder(`${main}${tls}`, files);
    open.write('tls.key', pem('first', 'key'), 0o644);
    assert.deepEqual(await open.mistakes(), [
      'homeserver.yaml:2:77: listeners[0].tls.private_key_path names a file that everybody on this machine can read: DIR/tls.key (chmod 600 DIR/tls.key)',
    ]);
  });

  it('is warned of when the certificate has ended', async () => {
    const folder = new ConfigFolder(`${main}${tls}`, files);
    const [warning] = await folder.warnings({ now: Date.UTC(2130, 0, 1) });
    assert.match(warning ?? '', /^homeserver\.yaml:2:50: the certificate has ended on 2126-10-30: /);
  });
});

describe('partner_defaults.transport', () => {
  it('holds for partners whose entry says nothing else, key by key', async () => {
    const folder = new ConfigFolder(
      `${main}partner_defaults: {transport: {dial: inbound, allow_cleartext: true, tls: {ca_path: ca.crt}}}\npartners:\n${partnerEntry('bolt.example')}${partnerEntry('dock.example')}    transport: {dial: both, allow_cleartext: false}\n`,
      { 'ca.crt': readFileSync(localhostPem('first', 'crt'), 'utf8') },
    );
    const [bolt, dock] = (await folder.config()).partners;
    const caPath = join(folder.directory, 'ca.crt');
    const common = { type: 'link', urls: [], allowPrivateIp: false, tls: { caPath } };
    assert.deepEqual(bolt?.transport, { ...common, dial: 'inbound', allowCleartext: true });
    assert.deepEqual(dock?.transport, { ...common, dial: 'both', allowCleartext: false });
  });

  it('has its mistakes where it stands, once', async () => {
    const folder = new ConfigFolder(
      `${main}partner_defaults: {transport: {tls: {ca_path: none.crt}}}\npartners:\n${partnerEntry('bolt.example')}${partnerEntry('dock.example')}`,
    );
    assert.deepEqual(await folder.mistakes(), [
      'homeserver.yaml:2:47: ca_path names a file that is not there: DIR/none.crt',
    ]);
  });
});
