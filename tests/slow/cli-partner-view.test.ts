import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fingerprint, makeCard } from '../../federation/partners/card.ts';
import { signingKeyFromSeed } from '../../protocol/signing.ts';
import type { Finding } from '../../server/partners/doctor.ts';
import type { PartnerView } from '../../server/partners/show-partner.ts';
import { controlOf, fails, newIsland } from '../cli/support.ts';
import { partnerEntry } from '../config/support.ts';
import { temporaryFolder } from '../support/folder.ts';
import { archipelago, buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { until } from '../support/until.ts';

const fixtures = join(dirname(dirname(fileURLToPath(import.meta.url))), 'link', 'fixtures');
const hour = 3_600_000;
const key = signingKeyFromSeed('ed25519:d1', Buffer.alloc(32, 1));

function cardFile(urls: readonly string[], overrides: Partial<Parameters<typeof makeCard>[0]> = {}): string {
  const file = join(temporaryFolder(), 'partner.card');
  const software = { name: 'Archipelago', version: '0.1.0' };
  const card = makeCard({
    serverName: 'dock.test',
    signingKeys: [key],
    urls,
    software,
    issued: Date.now() - hour,
    ...overrides,
  });
  writeFileSync(file, card);
  return file;
}

describe('archipelago partner show, doctor and share', function () {
  this.timeout(60_000);

  let acme: string;
  let bolt: string;
  let islands: IslandProcess[];

  before(async () => {
    buildProgram();
    acme = await newIsland('acme.test');
    bolt = await newIsland('bolt.test');
    islands = await Promise.all([IslandProcess.start(acme), IslandProcess.start(bolt)]);
    for (const [guest, host] of [
      [acme, bolt],
      [bolt, acme],
    ] as const) {
      const card = await succeeds(['partner', 'card', '-c', guest]);
      await succeeds(['partner', 'add', '-', '--yes', '-c', host], { input: card });
    }
    await until(async () => {
      const { partners } = await (await controlOf(acme)).call('partner.list', {});
      return partners[0]?.link.state === 'connected';
    });
  });

  after(() => Promise.all(islands.map((island) => island.stop())));

  const view = async (name: string): Promise<PartnerView> =>
    JSON.parse(await succeeds(['partner', 'show', name, '--json', '-c', acme]));

  async function findings(name: string): Promise<Map<string, Finding>> {
    const { stdout } = await archipelago(['partner', 'doctor', name, '--json', '-c', acme]);
    const list: Finding[] = JSON.parse(stdout);
    return new Map(list.map((finding) => [finding.check, finding]));
  }

  it('show says of everything where it stands, and which of file and record is stricter', async () => {
    await succeeds(['partner', 'suspend', 'bolt.test', '--reason', 'a leak', '-c', acme]);
    const suspended = await view('bolt.test');
    assert.equal(suspended.files.state, 'active');
    assert.equal(suspended.overlay.suspended?.reason, 'a leak');
    assert.equal(suspended.effective.state, 'suspended');
    assert.match(suspended.effective.from, /^suspended by command line at /);
    const text = await succeeds(['partner', 'show', 'bolt.test', '-c', acme]);
    assert.match(text, /What the files say \(conf\.d\/partners\/bolt\.test\.yaml:\d+\)/);
    assert.match(text, /suspended by command line at .*: a leak/);
    await succeeds(['partner', 'resume', 'bolt.test', '-c', acme]);
    const { effective } = await view('bolt.test');
    assert.equal(effective.state, 'active');
    const [pinned] = effective.keys;
    assert.equal(pinned?.state, 'in use');
    assert.equal(pinned.fingerprint, fingerprint(pinned.key));
    assert.deepEqual(
      effective.policy.find((row) => row.key === 'share.typing'),
      { key: 'share.typing', value: 'true', from: 'default of share.typing' },
    );
    await fails(['partner', 'show', 'pier.test', '-c', acme], /pier\.test is not a partner/);
  });

  it('share shows the switches, and writes one into the partner’s own file, in effect at once', async () => {
    assert.match(
      await succeeds(['partner', 'share', 'bolt.test', '-c', acme]),
      /typing +on +default of share\.typing/,
    );
    const said = await succeeds(['partner', 'share', 'bolt.test', 'typing=off', 'presence=on', '-c', acme]);
    assert.match(said, /typing +off +conf\.d\/partners\/bolt\.test\.yaml:\d+/);
    assert.match(said, /presence +on +conf\.d/);
    assert.match(said, /receipts +on +default/);
    const file = readFileSync(join(dirname(acme), 'conf.d', 'partners', 'bolt.test.yaml'), 'utf8');
    assert.match(file, /Written by `archipelago partner add`/);
    assert.match(file, /share:\n +typing: false\n +presence: true\n/);
    await fails(['partner', 'share', 'bolt.test', 'typing=maybe', '-c', acme], /"typing=maybe" is no switch/);
    const lines = await succeeds(['audit', 'export', '-c', acme]);
    assert.match(lines, /"action":"partner\.share".*"subject":"bolt\.test"/);
  });

  it('share leaves a partner alone that was written by hand, and says which lines to change', async () => {
    const hand = await newIsland('hand.test');
    writeFileSync(
      hand,
      `${readFileSync(hand, 'utf8')}partners:\n${partnerEntry('dock.test')}    policy:\n      share:\n        typing: true\n`,
    );
    const before = readFileSync(hand, 'utf8');
    await fails(
      ['partner', 'share', 'dock.test', 'typing=off', 'receipts=off', '-c', hand],
      /was written by hand\. Change it there, then reload: typing \(homeserver\.yaml:\d+\), receipts \(to be added below homeserver\.yaml:\d+\)/,
    );
    assert.equal(readFileSync(hand, 'utf8'), before);
    assert.ok(!existsSync(join(dirname(hand), 'conf.d')));
  });

  it('doctor finds everything well where it is, a line for each', async () => {
    const text = await succeeds(['partner', 'doctor', 'bolt.test', '-c', acme]);
    for (const line of [
      /^ok {4}state: active, without an end$/m,
      /^ok {4}keys: pinned is ed25519:\S+ (\d{5} ){5}\d{5}$/m,
      /^ok {4}link: connected since \S+, dialled by (us|them), latency \d+ ms$/m,
      /^ok {4}door: ws:\/\/127\.0\.0\.1:\d+\S* answers in \d+ ms, after \d+ ms to connect$/m,
      /^ok {4}clock: the clocks agree$/m,
      /^ok {4}queue: nothing waits to be delivered$/m,
    ])
      assert.match(text, line);
  });

  it('doctor says what is in the way and what to do: nobody there, the wrong door, another clock', async () => {
    const wrong = createServer((_request, response) => {
      response.sendDate = false;
      response.writeHead(404, { date: new Date(Date.now() + 2 * hour).toUTCString() }).end();
    });
    wrong.listen(0, '127.0.0.1');
    await once(wrong, 'listening');
    // A listening TCP server has an address of this kind.
    const { port } = wrong.address() as AddressInfo;
    try {
      await succeeds(['partner', 'add', cardFile([`ws://127.0.0.1:${port}/`]), '--yes', '-c', acme]);
      const found = await findings('dock.test');
      assert.deepEqual([found.get('link')?.status, found.get('door')?.status], ['fail', 'fail']);
      assert.match(
        found.get('door')?.message ?? '',
        /answers 404, and an island says 426\. Their reverse proxy/,
      );
      assert.equal(found.get('clock')?.status, 'fail');
      assert.match(
        found.get('clock')?.message ?? '',
        /their clock is 7(199|200|201) s ahead of ours\. Set up NTP/,
      );
    } finally {
      wrong.closeAllConnections();
      wrong.close();
    }
    const { get } = await closedDoor();
    assert.match(get('connection')?.message ?? '', /ECONNREFUSED.* Look whether a firewall/);
    const { stderr } = await fails(
      ['partner', 'doctor', 'dock.test', '-c', acme],
      /2 things are not well with dock\.test/,
    );
    assert.ok(!stderr.includes('{'));

    async function closedDoor() {
      const found = await findings('dock.test');
      return { get: (check: string) => found.get(check) };
    }
  });

  it('doctor looks at a certificate that is not believed, and says who issued it', async () => {
    const server = createTlsServer(
      {
        cert: readFileSync(join(fixtures, 'localhost.crt')),
        key: readFileSync(join(fixtures, 'localhost.key')),
      },
      (_request, response) => response.writeHead(426).end(),
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo; // As above.
    try {
      const file = cardFile([`wss://localhost:${port}/`], { issued: Date.now() });
      await succeeds(['partner', 'add', file, '--yes', '-c', acme]);
      const tls = (await findings('dock.test')).get('tls');
      assert.equal(tls?.status, 'fail');
      assert.match(tls.message, /is not believed here \(\S+\)\. .* set transport\.tls\.ca_path at conf\.d/);
      // With the authority named it is believed, and the next run remembers it.
      const entry = join(dirname(acme), 'conf.d', 'partners', 'dock.test.yaml');
      const text = readFileSync(entry, 'utf8');
      writeFileSync(
        entry,
        text.replace(/(\n +)dial: both/, `$1dial: both$1tls: {ca_path: ${join(fixtures, 'localhost.crt')}}`),
      );
      await succeeds(['reload', '-c', acme]);
      const found = await findings('dock.test');
      assert.match(
        found.get('tls')?.message ?? '',
        /^the certificate ".*" by ".*" is valid for -?\d+ more days/,
      );
      assert.equal(found.get('door')?.status, 'ok');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('add takes the card of a partner that rotated without being told to replace keys', async () => {
    await succeeds(['partner', 'rotate-key', '-c', bolt]);
    await until(async () => (await view('bolt.test')).overlay.accepted_keys.length === 1);
    const card = await succeeds(['partner', 'card', '-c', bolt]);
    const said = await succeeds(['partner', 'add', '-', '--yes', '-c', acme], { input: card });
    assert.match(said, /The new card of bolt\.test is in force/);
    const { effective } = await view('bolt.test');
    assert.equal(
      effective.keys.filter(({ state, valid_until_ts: end }) => state === 'in use' && end === undefined)
        .length,
      1,
    );
  });

  it('show and doctor do not advise to accept the key that was revoked, and say what 403 means', async () => {
    const shown = (await view('bolt.test')).effective.keys.find(
      ({ state, valid_until_ts: end }) => state === 'in use' && end === undefined,
    );
    await succeeds(['partner', 'revoke-key', 'bolt.test', shown?.key_id ?? '', '-c', acme]);
    await until(async () => (await view('bolt.test')).wrong_key?.key_id === shown?.key_id);
    const text = await succeeds(['partner', 'show', 'bolt.test', '-c', acme]);
    assert.match(text, /THEY SHOW ANOTHER KEY.*\n +It was revoked here, and stays so\. Seen /);
    const keys = (await findings('bolt.test')).get('keys');
    assert.match(keys?.message ?? '', /which was revoked here and stays so\. Ask them to rotate/);
    assert.ok(!`${text}${keys?.message}`.includes('accept-key'));
    await until(async () => {
      const { stdout } = await archipelago(['partner', 'doctor', 'acme.test', '-c', bolt]);
      return /It answered 403\. They have not added this island, have suspended it/.test(stdout);
    });
  });
});
