import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { ConfiguredIsland, localhostPem } from '../support/configured-island.ts';
import { until } from '../support/until.ts';

const pem = (which: 'first' | 'renewed', form: 'crt' | 'key'): string =>
  readFileSync(localhostPem(which, form), 'utf8');
const trusted = [pem('first', 'crt'), pem('renewed', 'crt')];

describe('A listener with TLS of its own', () => {
  let acme: ConfiguredIsland;
  let bolt: ConfiguredIsland;

  before(async () => {
    const listens = (port: number): string =>
      `listeners: [{port: ${port}, tls: {certificate_path: tls.crt, private_key_path: tls.key}, resources: [client, link, health]}]\n`;
    const files = { 'tls.crt': pem('first', 'crt'), 'tls.key': pem('first', 'key') };
    acme = await ConfiguredIsland.start('acme.test', listens, files);
    bolt = await ConfiguredIsland.start('bolt.test', (port) => `listeners: [{port: ${port}}]\n`);
  });

  after(() => Promise.all([acme.stop(), bolt.stop()]));

  /** The answer to a GET, over a connection of its own or a given agent's. */
  async function get(
    path: string,
    agent: Agent | false = false,
  ): Promise<{ status?: number | undefined; body: string }> {
    const asked = request({ host: 'localhost', port: acme.port, path, agent, ca: trusted });
    asked.end();
    const [response] = await once(asked, 'response');
    return { status: response.statusCode, body: await text(response) };
  }

  /** The serial number of the certificate that a new connection sees. */
  async function shown(): Promise<string> {
    const socket = connect({ host: 'localhost', port: acme.port, servername: 'localhost', ca: trusted });
    await once(socket, 'secureConnect');
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  }

  it('serves the client API and says so in its URL', async () => {
    assert.equal(acme.url, `https://127.0.0.1:${acme.port}`);
    const { status, body } = await get('/_matrix/client/versions');
    assert.equal(status, 200);
    assert.match(body, /"v1\.18"/);
  });

  it('takes links', async () => {
    const entry = (name: string, island: ConfiguredIsland, transport: string): string => {
      const { keyId, publicKey } = island.running.homeserver.keys.signingKey;
      return `partners:\n  - {server_name: ${name}, verify_keys: {"${keyId}": {key: ${publicKey}}}, transport: ${transport}}\n`;
    };
    bolt.folder.write('ca.crt', pem('first', 'crt'));
    bolt.folder.write(
      'conf.d/acme.yaml',
      entry('acme.test', acme, `{urls: ["wss://localhost:${acme.port}"], tls: {ca_path: ../ca.crt}}`),
    );
    acme.folder.write('conf.d/bolt.yaml', entry('bolt.test', bolt, '{dial: inbound}'));
    await acme.running.reloader.reload();
    await bolt.running.reloader.reload();
    const state = (): string => bolt.running.homeserver.federation.link.status('acme.test').state;
    await until(() => state() === 'connected');
  });

  it('shows a renewed certificate after a reload, and open connections go on', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: trusted });
    await get('/_matrix/client/versions', agent);
    const before = await shown();
    acme.folder.write('tls.crt', pem('renewed', 'crt'));
    acme.folder.write('tls.key', pem('renewed', 'key'));
    assert.equal(await shown(), before, 'a file that nobody reloaded took effect');
    const { since } = bolt.running.homeserver.federation.link.status('acme.test');
    acme.running.homeserver.reload(await acme.folder.config());
    assert.equal(await shown(), new X509Certificate(pem('renewed', 'crt')).serialNumber);
    assert.notEqual(await shown(), before);
    const asked = request({ host: 'localhost', port: acme.port, path: '/_matrix/client/versions', agent });
    asked.end();
    const [response] = await once(asked, 'response');
    response.resume();
    assert.equal(asked.reusedSocket, true);
    assert.equal(bolt.running.homeserver.federation.link.status('acme.test').since, since);
    agent.destroy();
  });

  it('says whether the island is well, by the database', async () => {
    assert.deepEqual(await get('/_archipelago/health'), { status: 200, body: '{"status":"ok"}' });
    // A listener of other resources does not know the path.
    assert.equal((await fetch(`${bolt.url}/_archipelago/health`)).status, 404);
    await acme.running.homeserver.db.close();
    assert.deepEqual(await get('/_archipelago/health'), { status: 503, body: '{"status":"unavailable"}' });
  });
});
