import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { temporaryFolder } from '../support/folder.ts';
import { ConfigFolder, partnerEntry, verifyKey } from './support.ts';

/** What follows a first line `server_name: acme.example`, and the one complaint about it. */
const second: readonly [name: string, text: string, complaint: string][] = [
  ['an unknown key', 'listners: []', '2:1: unknown key "listners" (did you mean "listeners"?)'],
  ['an unknown key that is near nothing', 'colour: blue', '2:1: unknown key "colour"'],
  [
    'letters that changed places',
    'listeners: [{prot: 8008, port: 8008}]',
    '2:14: unknown key "prot" (did you mean "port"?)',
  ],
  [
    'an unknown key further in, with those that are known there',
    'organization: {colour: blue}',
    '2:16: unknown key "colour" (known here: name, admin_contact)',
  ],
  [
    'a key that is written twice',
    'max_upload_size: 1M\nmax_upload_size: 2M',
    '3:1: the key "max_upload_size" stands here a second time (keep one of them)',
  ],
  ['a tab', 'listeners:\n\t- port: 8008', '3:1: a tab is used for indentation (YAML allows spaces only)'],
  ['a bracket that is not closed', 'listeners: [', '2:12: the [ that is opened here is not closed'],
  [
    'a quotation mark that is not closed',
    'public_baseurl: "https://acme.example\nlisteners: []',
    '2:17: the " that is opened here is not closed',
  ],
  [
    'a line that is indented too far',
    'max_upload_size: 1M\n  enable_registration: false',
    '2:18: this value is followed by another key, on its line or indented below it (begin each key at its own level, and put text with ": " in it in quotes)',
  ],
  [
    'a line that is not indented like the others',
    'listeners:\n  - port: 8008\n    x_forwarded: false\n   resources: [client]',
    '5:1: this line is not indented like its neighbours',
  ],
  [
    'text that needs quotes',
    'registration_shared_secret: @secret',
    '2:29: not proper YAML: plain value cannot start with reserved character @ (if this is text, put it in quotes)',
  ],
  [
    'a name that nothing has',
    'public_baseurl: *url',
    '2:17: nothing in this file is named &url (if this is text, put it in quotes)',
  ],
  [
    'a second document',
    '---\nserver_name: bolt.example',
    '2:1: a second document begins here (remove the line "---")',
  ],
  [
    'a number that is too large',
    'listeners: [{port: 80080}]',
    '2:20: listeners[0].port must be a whole number from 1 to 65535, and is 80080',
  ],
  [
    'a number in quotes',
    'listeners: [{port: "8008"}]',
    '2:20: listeners[0].port must be a whole number from 1 to 65535, and is "8008" (write it without quotes)',
  ],
  [
    'text that YAML takes for a number',
    'default_room_version: 12',
    '2:23: default_room_version must be text, and is 12 (write it in quotes: "12")',
  ],
  [
    'a truth in other words',
    'enable_registration: yes',
    '2:22: enable_registration must be true or false, and is "yes" (write true)',
  ],
  [
    'a choice that there is not',
    'database: {type: postgre}',
    '2:18: database.type must be one of sqlite, postgres, and is "postgre" (did you mean "postgres"?)',
  ],
  [
    'a negative duration',
    'card_lifetime: -5m',
    '2:16: card_lifetime must be a duration such as 30s, 5m, 2h or 1d, and is "-5m" (a duration cannot be negative)',
  ],
  [
    'a duration that is no word for none',
    'offline_notice_after: "off"',
    '2:23: offline_notice_after must be a duration such as 5m, or never, and is "off" (write never)',
  ],
  [
    'a user name that nobody could have',
    'server_notices: {system_mxid_localpart: Notices}',
    '2:41: server_notices.system_mxid_localpart must be the part of a user id before the colon, of a-z, 0-9 and . _ = - / +, and is "Notices"',
  ],
  [
    'a size with another unit',
    'max_upload_size: 50MB',
    '2:18: max_upload_size must be a size such as 512K, 50M or 2G, and is "50MB" (write 50M)',
  ],
  [
    'a URL without its scheme',
    'public_baseurl: chat.acme.example',
    '2:17: public_baseurl must be the URL of this island as seen from outside, such as https://chat.acme.example/, and is "chat.acme.example" (write https://chat.acme.example)',
  ],
  [
    'an address that is a name',
    'listeners: [{port: 8008, bind_addresses: [localhost]}]',
    '2:43: listeners[0].bind_addresses[0] must be an IP address, and is "localhost" (write 127.0.0.1)',
  ],
  [
    'a single thing where a list belongs',
    'listeners: 8008',
    '2:12: listeners must be a list (begin each entry with "- ")',
  ],
  [
    'two listeners on one port',
    'listeners: [{port: 8008}, {port: 8008}]',
    '2:27: listeners[0] listens on 127.0.0.1 port 8008 already',
  ],
  [
    'a proxy of which nobody knows who it is',
    'listeners: [{port: 8008, x_forwarded: true}]',
    '2:39: x_forwarded needs to know whom to believe (add trusted_proxies: [127.0.0.1])',
  ],
  [
    'a key server',
    'trusted_key_servers: [matrix.org]',
    '2:22: trusted_key_servers must stay empty: only pinned keys are believed here',
  ],
  [
    'PostgreSQL without an address',
    'database: {type: postgres}',
    '2:11: the key "url" is missing (add url_path: FILE, or url)',
  ],
  [
    'an address of PostgreSQL that is none, without showing the password in it',
    'database: {type: postgres, url: "postgre://ann:hush@db/island"}',
    '2:33: database.url must be a URL such as postgres://USER:PASSWORD@HOST/DATABASE',
  ],
  [
    'a key of the other database',
    'database: {type: sqlite, url: "postgres://db/island"}',
    '2:31: database.url belongs to type: postgres (SQLite has path)',
  ],
  [
    'a secret file that is not there',
    'registration_shared_secret_path: secret.txt',
    '2:34: registration_shared_secret_path names a file that is not there: DIR/secret.txt',
  ],
  [
    'a partner without keys',
    'partners:\n  - server_name: bolt.example',
    '3:5: partners[0]: the key "verify_keys" is missing',
  ],
  [
    'a key that is no Base64',
    'partners:\n  - server_name: bolt.example\n    verify_keys: {"ed25519:a1": {key: "not/base64!"}}',
    '4:39: partners[0].verify_keys.ed25519:a1.key must be an Ed25519 public key in Base64, and is "not/base64!"',
  ],
  [
    'a key of the wrong length',
    'partners:\n  - server_name: bolt.example\n    verify_keys: {"ed25519:a1": {key: "AAAA"}}',
    '4:39: partners[0].verify_keys.ed25519:a1.key must be an Ed25519 public key of 32 bytes, and has 3',
  ],
  [
    'a key of a kind that there is not',
    `partners:\n  - server_name: bolt.example\n    verify_keys: {"rsa:1": {key: ${verifyKey}}}`,
    '4:19: partners[0].verify_keys has keys of the form ed25519:VERSION, and this is "rsa:1"',
  ],
  [
    'the URL of a web page for a link',
    `partners:\n${partnerEntry('bolt.example')}    transport: {urls: ["https://bolt.example"]}`,
    '5:24: partners[0].transport.urls[0] must be a URL that begins with wss:// (or ws://), and is "https://bolt.example" (write wss://bolt.example)',
  ],
  [
    'a partner that nobody can dial',
    `partners:\n${partnerEntry('bolt.example')}    transport: {dial: outbound}`,
    '5:23: only we dial this partner, and there is no URL to dial (add transport.urls)',
  ],
  [
    'a day that there is not',
    `partners:\n${partnerEntry('bolt.example')}    valid_until: 2027-02-30`,
    '5:18: partners[0].valid_until must be a date such as 2027-12-31, or a time such as 2027-12-31T18:00:00Z, and is "2027-02-30"',
  ],
  [
    'ourselves as a partner',
    `partners:\n${partnerEntry('acme.example')}`,
    '3:18: acme.example is this island itself: it cannot be its own partner',
  ],
  [
    'two partners of one name',
    `partners:\n${partnerEntry('bolt.example')}${partnerEntry('bolt.example')}`,
    '5:18: the partner bolt.example stands in DIR/homeserver.yaml:3 already (keep one of them)',
  ],
];

/** Whole files. */
const whole: readonly [name: string, text: string | Buffer, complaint: string][] = [
  [
    'an empty file',
    '',
    '1:1: the key "server_name" is missing (add the name of this island, such as server_name: acme.example)',
  ],
  [
    'a file of comments',
    '# nothing yet\n',
    '1:1: the key "server_name" is missing (add the name of this island, such as server_name: acme.example)',
  ],
  [
    'a name without a value',
    'server_name:\n',
    '1:1: server_name has no value (add the name of this island, such as server_name: acme.example)',
  ],
  [
    'a file that is a list',
    '- acme.example\n',
    '1:1: the file must consist of keys with values (key: value)',
  ],
  ['a file that is a word', 'acme.example', '1:1: the file must consist of keys with values (key: value)'],
  ['a file that is no text', Buffer.from([0x73, 0xff, 0xfe, 0x00]), '1:1: the file is not text in UTF-8'],
  [
    'a URL for a name',
    'server_name: https://acme.example/\n',
    '1:14: server_name must be a server name such as acme.example, and is "https://acme.example/" (write acme.example, without https://)',
  ],
  [
    'a user for a name',
    'server_name: "@ann:acme.example"\n',
    '1:14: server_name must be a server name such as acme.example, and is "@ann:acme.example" (write acme.example, without the user)',
  ],
  [
    'a name of digits',
    'server_name: 1234\n',
    '1:14: server_name must be text, and is 1234 (write it in quotes: "1234")',
  ],
  [
    'a name in brackets without quotes',
    'server_name: [::1]:8448\n',
    '1:19: not proper YAML: unexpected scalar at node end (if this is text, put it in quotes)',
  ],
  [
    'a mistake in a file with the line ends of Windows',
    'server_name: acme.example\r\nmax_upload_size: 1M\r\nlistners: []\r\n',
    '3:1: unknown key "listners" (did you mean "listeners"?)',
  ],
  [
    'a mistake in the first line of a file with a byte order mark',
    '\uFEFFservername: acme.example\n',
    '1:1: unknown key "servername" (did you mean "server_name"?)',
  ],
];

describe('A mistake in homeserver.yaml is said with its place and what to do:', () => {
  for (const [name, text, complaint] of second)
    it(name, async () => {
      const folder = new ConfigFolder(`server_name: acme.example\n${text}\n`);
      assert.deepEqual(await folder.mistakes(), [`homeserver.yaml:${complaint}`]);
    });

  for (const [name, text, complaint] of whole)
    it(name, async () => {
      const [first] = await new ConfigFolder(text).mistakes();
      assert.equal(first, `homeserver.yaml:${complaint}`);
    });

  it('all mistakes at once, each with its own line', async () => {
    const folder = new ConfigFolder('server_name: acme.example\nlistners: []\nmax_upload_size: much\n');
    assert.deepEqual(
      (await folder.mistakes()).map((line) => line.split(': ', 1)[0]),
      ['homeserver.yaml:2:1', 'homeserver.yaml:3:18'],
    );
  });

  it('a file that is not there', async () => {
    const missing = await loadConfig(join(temporaryFolder(), 'homeserver.yaml'));
    assert.ok(!missing.ok);
    assert.equal(missing.problems.length, 1);
    assert.equal(missing.problems[0]?.message, 'there is no such file');
    assert.match(missing.problems[0]?.suggestion ?? '', /archipelago init/);
  });

  it('a folder in the place of the file, and a file that cannot be read', async () => {
    const directory = temporaryFolder();
    const folder = await loadConfig(directory);
    assert.ok(!folder.ok);
    assert.equal(folder.problems[0]?.message, 'this is a folder, and the file in it is asked for');
    // A link that leads in a circle cannot be read by anybody, root included.
    const circle = join(directory, 'homeserver.yaml');
    symlinkSync(circle, circle);
    const unreadable = await loadConfig(circle);
    assert.ok(!unreadable.ok);
    assert.match(unreadable.problems[0]?.message ?? '', /^the file cannot be read: ELOOP/);
  });

  it('a secret that everybody on the machine can read, in a file of its own or in place', async () => {
    const text = 'server_name: acme.example\nregistration_shared_secret_path: secret.txt\n';
    const folder = new ConfigFolder(text);
    folder.write('secret.txt', 'hush', 0o644);
    assert.deepEqual(await folder.mistakes(), [
      'homeserver.yaml:2:34: registration_shared_secret_path names a file that everybody on this machine can read: DIR/secret.txt (chmod 600 DIR/secret.txt)',
    ]);
    folder.write('secret.txt', 'hush', 0o640);
    assert.deepEqual(await folder.mistakes(), []);
    folder.write('homeserver.yaml', 'server_name: acme.example\nregistration_shared_secret: hush\n', 0o604);
    assert.deepEqual(await folder.mistakes(), [
      'homeserver.yaml:2:29: registration_shared_secret is a secret, and everybody on this machine can read this file (chmod 600 DIR/homeserver.yaml, or use registration_shared_secret_path)',
    ]);
  });

  it('a signing key that everybody on the machine can read', async () => {
    const folder = new ConfigFolder('server_name: acme.example\n');
    folder.write('data/signing.key', 'ed25519 a_1 …', 0o644);
    const [mistake] = await folder.mistakes();
    assert.match(
      mistake ?? '',
      /signing_key_path names a file that everybody .* \(chmod 600 DIR\/data\/signing.key\)$/,
    );
  });

  it('a secret that is given twice', async () => {
    const folder = new ConfigFolder(
      'server_name: acme.example\nregistration_shared_secret: a\nregistration_shared_secret_path: b\n',
    );
    assert.deepEqual(await folder.mistakes(), [
      'homeserver.yaml:3:34: registration_shared_secret and registration_shared_secret_path are both set (keep one of them)',
    ]);
  });

  it('a database where no folder can be', async () => {
    const folder = new ConfigFolder(
      'server_name: acme.example\ndatabase: {type: sqlite, path: file/island.db}\n',
    );
    folder.write('file', '');
    assert.deepEqual(await folder.mistakes(), [
      'homeserver.yaml:2:32: database.path leads through something that is not a folder: DIR/file/island.db',
    ]);
  });

  it('a folder in the place of the database', async () => {
    const folder = new ConfigFolder('server_name: acme.example\ndatabase: {type: sqlite, path: island.db}\n');
    mkdirSync(join(folder.directory, 'island.db'));
    assert.deepEqual(await folder.mistakes(), [
      'homeserver.yaml:2:32: database.path is not a file: DIR/island.db',
    ]);
  });
});

describe('A mistake in the files of conf.d', () => {
  const main = 'server_name: acme.example\n';

  it('is said with its own file', async () => {
    const folder = new ConfigFolder(main, {
      'conf.d/partners/bolt.yaml': `partners:\n  - server: bolt.example\n`,
    });
    const [mistake] = await folder.mistakes();
    assert.match(mistake ?? '', /^conf.d\/partners\/bolt.yaml:2:5: unknown key "server"/);
  });

  it('is a partner that another file has', async () => {
    const folder = new ConfigFolder(`${main}partners:\n${partnerEntry('bolt.example')}`, {
      'conf.d/partners/bolt.yaml': `partners:\n${partnerEntry('bolt.example')}`,
    });
    assert.deepEqual(await folder.mistakes(), [
      'conf.d/partners/bolt.yaml:2:18: the partner bolt.example stands in DIR/homeserver.yaml:3 already (keep one of them)',
    ]);
  });

  it('is a key that another file has', async () => {
    const folder = new ConfigFolder(`${main}max_upload_size: 1M\n`, {
      'conf.d/a.yaml': 'max_upload_size: 2M\n',
    });
    assert.deepEqual(await folder.mistakes(), [
      'conf.d/a.yaml:1:1: max_upload_size is set in DIR/homeserver.yaml:2 already (keep one of them)',
    ]);
  });

  it('is a folder of that name that is none: partners would be lost without a word', async () => {
    const folder = new ConfigFolder(main, { 'conf.d': '' });
    const [mistake] = await folder.mistakes();
    assert.match(mistake ?? '', /^conf.d:1:1: the folder cannot be read: ENOTDIR/);
  });
});
