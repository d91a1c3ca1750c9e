import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { importSynapse } from '../../server/cli/import-synapse.ts';
import { localhostPem } from '../support/configured-island.ts';
import { ConfigFolder } from './support.ts';

const synapse = readFileSync(new URL('./synapse/homeserver.yaml', import.meta.url), 'utf8');

/** A folder with what came of it, and the files that it names. */
function imported(text: string): ConfigFolder {
  return new ConfigFolder(importSynapse(text).text, {
    'tls/fullchain.pem': readFileSync(localhostPem('first', 'crt'), 'utf8'),
    'tls/privkey.pem': readFileSync(localhostPem('first', 'key'), 'utf8'),
    'secrets/pg.url': 'postgres://island@db.acme.example/island\n',
  });
}

describe('archipelago config import-synapse', () => {
  it('keeps what has the same name and meaning, and our loader takes it', async () => {
    const folder = imported(synapse.replaceAll('/data/', './data/'));
    const config = await folder.config();
    assert.equal(config.serverName, 'acme.example');
    assert.equal(config.publicBaseurl, 'https://matrix.acme.example/');
    assert.equal(config.mediaStorePath, join(folder.directory, 'data/media_store'));
    assert.equal(config.signingKeyPath, join(folder.directory, 'data/acme.example.signing.key'));
    assert.equal(config.maxUploadSize, 50 * 1024 * 1024);
    assert.equal(config.defaultRoomVersion, '11');
    assert.equal(config.organization?.adminContact, 'mailto:it@acme.example');
    assert.equal(config.database.type, 'postgres');
    assert.deepEqual(
      config.listeners.map(({ port, bindAddresses, xForwarded, resources, tls }) => ({
        port,
        bindAddresses,
        xForwarded,
        resources,
        tls: tls !== undefined,
      })),
      [
        {
          port: 8008,
          bindAddresses: ['::1', '127.0.0.1'],
          xForwarded: true,
          resources: ['client', 'federation', 'link'],
          tls: false,
        },
        {
          port: 8448,
          bindAddresses: ['0.0.0.0'],
          xForwarded: false,
          resources: ['federation', 'link'],
          tls: true,
        },
      ],
    );
  });

  it('makes nobody a partner by a name alone, and lists whom to ask for a card', async () => {
    const folder = imported(synapse.replaceAll('/data/', './data/'));
    assert.deepEqual((await folder.config()).partners, []);
    const { text, notes } = importSynapse(synapse);
    assert.match(text, /^# Partners, 2 in federation_domain_whitelist: add each by its card/m);
    assert.match(text, /^# {3}bolt\.example$/m);
    // What stands in the other file stays within its comment.
    assert.equal(parse(text).server_name, 'acme.example');
    assert.doesNotMatch(text, /^server_name: injected/m);
    assert.ok(notes.some((note) => note.startsWith('Copy the signing key of Synapse')));
    const open = importSynapse('server_name: acme.example\n');
    assert.match(
      open.text,
      /Synapse spoke with every server\. Here there are no partners until you add them/,
    );
  });

  it('writes no secret of the other file', () => {
    const { text, notes } = importSynapse(synapse);
    assert.doesNotMatch(text + notes.join(), /canary/);
    assert.match(text, /synapse_user at db\.acme\.example:5432, database synapse/);
    assert.match(text, /registration_shared_secret: put it into a file that only this user can read/);
  });

  it('lists what has no counterpart, with what became of it where that is known', () => {
    const { text } = importSynapse(synapse);
    assert.match(text, /^# {3}trusted_key_servers: no server is asked for keys here/m);
    assert.match(text, /^# {3}a_key_of_the_future$/m);
    assert.match(text, /the listener on port 9000 serves what there is not here \(metrics\)/);
    const named = Object.keys(parse(synapse)).filter((key) => !text.includes(key));
    // Said in other words: by the listener that has them.
    assert.deepEqual(named, ['tls_certificate_path', 'tls_private_key_path']);
  });

  it('takes the smallest file, and refuses what is none of Synapse', async () => {
    const { text } = importSynapse(
      'server_name: acme.example\ndatabase: {name: sqlite3, args: {database: /x.db}}\n',
    );
    assert.equal((await new ConfigFolder(text).config()).database.type, 'sqlite');
    assert.throws(
      () => importSynapse('- a\n- b\n'),
      /This is not a configuration of Synapse: it has no keys/,
    );
    assert.throws(() => importSynapse('a: b\n'), /it has no server_name/);
    assert.throws(() => importSynapse('a: [\n'), /This is not proper YAML/);
  });
});
