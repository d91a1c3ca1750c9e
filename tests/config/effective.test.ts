import assert from 'node:assert/strict';
import type { Config } from '../../config/config.ts';
import { afterReload } from '../../config/reloadable.ts';
import { renderConfig } from '../../config/render.ts';
import { homeserverSchema } from '../../config/schema.ts';
import { shapeOf } from '../../config/schema-kit.ts';
import { ConfigFolder, partnerEntry } from './support.ts';

const main = 'server_name: acme.example\n';
const rich = `${main}public_baseurl: https://chat.acme.example/
listeners: [{port: 8008, bind_addresses: ["::1"]}, {port: 8009, resources: [health]}]
max_upload_size: 200M
default_room_version: "11"
organization: {name: "ACME: all of it # really"}
partner_defaults:
  transport: {dial: inbound, allow_private_ip: true}
  policy: {files: {max_size: 5M, direction: inbound}, directory: {expose: [{departments: [a b, c]}]}}
partners:
${partnerEntry('"[::1]:8448"')}    policy: {files: {direction: none}, allow_local: [{users: ["@ann:acme.example"]}, {departments: [x]}]}
    transport: {dial: both}
${partnerEntry('bolt.example')}    valid_until: 2027-12-31
`;

/** What rules of it: where each thing stands is another file's business. */
function rules(config: Config): unknown {
  const isPlace = (key: string): boolean => ['file', 'directory', 'source', 'rule', 'rules'].includes(key);
  return JSON.parse(JSON.stringify(config, (key, value) => (isPlace(key) ? undefined : value)));
}

describe('The effective configuration', () => {
  for (const [what, text] of [
    ['of a name and nothing else', main],
    ['of much', rich],
  ] as const)
    it(`${what} says every value with its source, and read again is the same`, async () => {
      const folder = new ConfigFolder(text);
      const { config, effective } = await folder.files();
      const shown = renderConfig(effective, { defaults: true });
      for (const line of shown.trimEnd().split('\n'))
        assert.match(line, /^ *(?:- )?\S+:$|# (?:default|homeserver\.yaml:\d+)$/);
      assert.deepEqual(rules(await new ConfigFolder(shown).config()), rules(config));
    });

  it('without the defaults is what was written, from every file', async () => {
    const folder = new ConfigFolder(`${main}max_upload_size: 1M\n`, {
      'conf.d/bolt.yaml': `# Bolt\npartners:\n${partnerEntry('bolt.example')}`,
    });
    const { effective } = await folder.files();
    assert.deepEqual(
      renderConfig(effective, { defaults: false })
        .split('\n')
        .map((line) => line.replace(/ +#/, ' #')),
      [
        'server_name: acme.example # homeserver.yaml:1',
        'max_upload_size: 1M # homeserver.yaml:2',
        'partners:',
        '  - server_name: bolt.example # conf.d/bolt.yaml:3',
        '    verify_keys:',
        '      ed25519:a1:',
        '        key: Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw # conf.d/bolt.yaml:4',
        '',
      ],
    );
  });

  it('shows no secret', async () => {
    const folder = new ConfigFolder(
      `${main}registration_shared_secret: canary\ndatabase: {type: postgres, url: "postgres://ann:canary@db/island"}\n`,
    );
    const { effective } = await folder.files();
    const shown = renderConfig(effective, { defaults: true });
    assert.doesNotMatch(shown, /canary/);
    assert.match(shown, /registration_shared_secret: \(secret\) +# homeserver\.yaml:2/);
    assert.match(shown, /url: \(secret\) +# homeserver\.yaml:3/);
    // What belongs to the other database is not a default of this one.
    assert.doesNotMatch(shown, /homeserver\.db/);
  });
});

/** Another value of each key, and what of the configuration it becomes. */
const others: Readonly<Record<string, readonly [text: string, read: (config: Config) => unknown]>> = {
  public_baseurl: ['https://other.example/', (config) => config.publicBaseurl],
  signing_key_path: ['other/signing.key', (config) => config.signingKeyPath],
  listeners: ['[{port: 1234}]', (config) => config.listeners[0]?.port],
  database: ['{type: sqlite, path: other.db}', (config) => JSON.stringify(config.database)],
  media_store_path: ['other', (config) => config.mediaStorePath],
  max_upload_size: ['1M', (config) => config.maxUploadSize],
  enable_registration: ['true', (config) => config.enableRegistration],
  registration_shared_secret: ['hush', (config) => config.registrationSharedSecret],
  registration_shared_secret_path: ['secret.txt', (config) => config.registrationSharedSecret],
  https_proxy: ['http://proxy:3128', (config) => config.httpsProxy],
  organization: ['{name: Other}', (config) => config.organization?.name],
  default_room_version: ['"11"', (config) => config.defaultRoomVersion],
  encryption: ['required', (config) => config.encryption?.encryption],
  room_defaults: ['{internal_departments: [board]}', (config) => config.internalDepartments?.length],
  card_lifetime: ['1d', (config) => config.cardLifetimeMs],
  server_notices: ['{room_name: Other}', (config) => config.serverNotices.roomName],
  offline_notice_after: ['1m', (config) => config.offlineNoticeAfterMs],
  audit: ['{syslog: {address: "tcp://log:514"}}', (config) => config.auditSyslog],
  partners: [`\n${partnerEntry('bolt.example')}`, (config) => config.partners.length],
};

describe('Of each key the schema says when a change holds, and so it is:', () => {
  const properties = shapeOf(homeserverSchema).properties ?? {};
  const elsewhere = ['server_name', 'trusted_key_servers', 'partner_defaults'];

  it('every key is looked at', () => {
    assert.deepEqual(
      Object.keys(properties).filter((key) => !elsewhere.includes(key)),
      Object.keys(others),
    );
    for (const [key, { takesEffect }] of Object.entries(properties))
      assert.ok(takesEffect === 'reload' || takesEffect === 'restart', key);
  });

  for (const [key, [text, read]] of Object.entries(others))
    it(key, async () => {
      const folder = new ConfigFolder(main, { 'secret.txt': 'hush' });
      const running = await folder.config();
      folder.write('homeserver.yaml', `${main}${key}: ${text}\n`);
      const files = await folder.config();
      assert.notEqual(read(files), read(running), 'the value is no other one');
      const expected = properties[key]?.takesEffect === 'reload' ? files : running;
      assert.equal(read(afterReload(running, files)), read(expected));
    });
});
