import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'yaml';
import { loadConfig } from '../../config/load.ts';
import { fingerprint, makeCard, readCard } from '../../federation/partners/card.ts';
import { type SigningKey, signingKeyFromSeed } from '../../protocol/signing.ts';
import type { PartnerSummary } from '../../server/admin/operations/partners.ts';
import { planPartner } from '../../server/partners/add-partner.ts';
import { partnerEntry } from '../config/support.ts';
import { temporaryFolder } from '../support/folder.ts';
import { archipelago, buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { until } from '../support/until.ts';
import { controlOf, fails, newIsland } from './support.ts';

const hour = 3_600_000;
const key = signingKeyFromSeed('ed25519:d1', Buffer.alloc(32, 1));
const newKey = signingKeyFromSeed('ed25519:d2', Buffer.alloc(32, 2));

/** What `partner list --json` says. */
async function list(config: string): Promise<PartnerSummary[]> {
  return JSON.parse(await succeeds(['partner', 'list', '--json', '-c', config]));
}

/** The same from a running island, without a process for each question. */
async function ask(config: string): Promise<PartnerSummary[]> {
  return (await (await controlOf(config)).call('partner.list', {})).partners;
}

/** A file with a card of an island that is not there. */
function cardFile(
  overrides: Partial<Parameters<typeof makeCard>[0]> = {},
  signingKey: SigningKey = key,
): string {
  const file = join(temporaryFolder(), 'partner.card');
  const card = makeCard({
    serverName: 'dock.test',
    signingKeys: [signingKey],
    urls: ['ws://127.0.0.1:9/_archipelago/link/v1'],
    software: { name: 'Archipelago', version: '0.1.0' },
    organization: 'Dock Ltd',
    issued: Date.now() - hour,
    ...overrides,
  });
  writeFileSync(file, card);
  return file;
}

function partnerFiles(config: string): string[] {
  const folder = join(dirname(config), 'conf.d', 'partners');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

describe('archipelago partner', function () {
  this.timeout(60_000);

  before(buildProgram);

  describe('with two islands that run', () => {
    let acme: string;
    let bolt: string;
    let islands: IslandProcess[];
    const odd = 'localhost:8448';

    before(async () => {
      acme = await newIsland('acme.test');
      bolt = await newIsland(odd);
      islands = await Promise.all([IslandProcess.start(acme), IslandProcess.start(bolt)]);
    });

    after(() => Promise.all(islands.map((island) => island.stop())));

    it('card prints the card and nothing else, with the URL of the listener', async () => {
      const { stdout, stderr, code } = await archipelago(['partner', 'card', '-c', bolt]);
      assert.equal(code, 0);
      const reading = readCard(stdout, { now: Date.now() });
      assert.ok(reading.ok);
      assert.equal(reading.card.serverName, odd);
      assert.deepEqual(reading.card.urls, [`${islands[1]?.url.replace('http', 'ws')}/_archipelago/link/v1`]);
      assert.equal(stdout.split('-----END')[1], ' ARCHIPELAGO PARTNER CARD-----\n');
      assert.match(
        stderr,
        /^note: the URL on the card leads to this machine only\. .* set public_baseurl first\.\n$/,
      );
      writeFileSync(join(dirname(bolt), 'own.card'), stdout);
    });

    it('add shows whom one lets in, and takes nothing over where nobody can say yes', async () => {
      const { stdout } = await fails(
        ['partner', 'add', join(dirname(bolt), 'own.card'), '-c', acme],
        /Nothing was changed, since nobody can be asked here\. Compare the fingerprint .* again with --yes/,
      );
      assert.match(stdout, /^localhost:8448\n {2}Fingerprint: {2}(\d{5} ){5}\d{5} /);
      assert.match(
        stdout,
        /What people of acme\.test may do then:\n {2}invite people of localhost:8448 into rooms/,
      );
      assert.match(
        stdout,
        /What people of localhost:8448 may do then:\n {2}invite people of acme\.test into rooms/,
      );
      assert.deepEqual(partnerFiles(acme), []);
      assert.deepEqual(await ask(acme), []);
    });

    it('add makes a partner at once, and the link comes up when both sides did', async () => {
      const said = await succeeds(['partner', 'add', join(dirname(bolt), 'own.card'), '--yes', '-c', acme]);
      assert.match(said, /localhost:8448 is a partner now\. The running island has taken it over\.\n/);
      assert.deepEqual(partnerFiles(acme), [`${odd}.yaml`]);
      const [listed] = await ask(acme);
      assert.equal(listed?.state, 'active');
      assert.notEqual(listed.link.state, 'connected');
      const card = await succeeds(['partner', 'card', '-c', acme]);
      await succeeds(['partner', 'add', '-', '--yes', '-c', bolt], { input: card });
      await until(async () => (await ask(acme))[0]?.link.state === 'connected');
    });

    it('list says who, in which state, since when and dialled by whom, and what waits', async () => {
      const [[a], [b]] = await Promise.all([list(acme), ask(bolt)]);
      assert.deepEqual(Object.keys(a ?? {}), ['server_name', 'state', 'link', 'outbox']);
      assert.deepEqual(Object.keys(a?.link ?? {}), ['state', 'since', 'dialled_by']);
      assert.deepEqual(a?.outbox, { pdu: 0, device: 0, ephemeral: 0 });
      assert.deepEqual([a.server_name, b?.server_name], [odd, 'acme.test']);
      assert.ok(Math.abs(Number(a.link.since) - Date.now()) < 600_000);
      assert.deepEqual([a.link.dialled_by, b?.link.dialled_by].sort(), ['them', 'us']);
      const table = (await succeeds(['partner', 'list', '-c', acme])).split('\n');
      assert.match(table[0] ?? '', /^PARTNER +STATE +LINK +SINCE +TO DELIVER$/);
      assert.match(table[1] ?? '', /^localhost:8448 +active +connected, dialled by \w+ +\d{4}-.* +0 events$/);
    });

    it('add of the same card again changes nothing', async () => {
      const file = join(dirname(acme), 'conf.d', 'partners', `${odd}.yaml`);
      const before = readFileSync(file, 'utf8');
      const said = await succeeds(['partner', 'add', join(dirname(bolt), 'own.card'), '-c', acme]);
      assert.match(said, /is a partner by this very card already\. Nothing was changed/);
      assert.equal(readFileSync(file, 'utf8'), before);
    });

    it('remove deletes the file, and the link closes', async () => {
      const said = await succeeds(['partner', 'remove', odd, '-c', acme]);
      assert.equal(said, 'localhost:8448 is no longer a partner. The running island has taken it over.\n');
      assert.deepEqual(partnerFiles(acme), []);
      assert.deepEqual(await ask(acme), []);
      await until(async () => (await ask(bolt))[0]?.link.state !== 'connected');
      await fails(['partner', 'remove', odd, '-c', acme], /localhost:8448 is not a partner of acme\.test/);
    });

    it('add changes nothing if the rest of the configuration is wrong, and the island goes on', async () => {
      const broken = join(dirname(acme), 'conf.d', 'broken.yaml');
      writeFileSync(broken, 'listners: []\n');
      try {
        await fails(
          ['partner', 'add', cardFile(), '--yes', '-c', acme],
          /conf\.d\/broken\.yaml:1:1: unknown key/,
        );
      } finally {
        rmSync(broken);
      }
      assert.deepEqual(partnerFiles(acme), []);
      assert.deepEqual(await ask(acme), []);
    });

    it('add puts everything back if the running island does not take it over', async () => {
      // What the island reads is another file than the command's: the name in it is not the island's.
      const text = readFileSync(acme, 'utf8');
      const other = join(dirname(acme), 'other.yaml');
      writeFileSync(other, text);
      writeFileSync(acme, 'server_name: renamed.test\n');
      try {
        await fails(
          ['partner', 'add', cardFile(), '--yes', '-c', other],
          /The running island did not take it over, and nothing was changed: The island runs as acme\.test/,
        );
      } finally {
        writeFileSync(acme, text);
      }
      assert.deepEqual(partnerFiles(acme), []);
    });
  });

  describe('while the island is stopped', () => {
    let config: string;
    const file = (): string => join(dirname(config), 'conf.d', 'partners', 'dock.test.yaml');
    const add = (card: string, ...options: string[]): string[] => [
      'partner',
      'add',
      card,
      '--yes',
      ...options,
      '-c',
      config,
    ];

    beforeEach(async () => {
      config = await newIsland('acme.test');
    });

    it('add writes a file that holds from the next start, and list shows it', async () => {
      const said = await succeeds(add(cardFile()));
      assert.match(said, /^dock\.test \(Dock Ltd\)\n/);
      assert.match(
        said,
        /dock\.test is a partner now\. The island does not run: it holds from its next start\.\n/,
      );
      const [entry] = parse(readFileSync(file(), 'utf8')).partners;
      assert.equal(entry.server_name, 'dock.test');
      assert.equal(entry.display_name, 'Dock Ltd');
      assert.deepEqual(entry.verify_keys, { 'ed25519:d1': { key: key.publicKey } });
      assert.equal(entry.transport.dial, 'both');
      assert.equal(entry.policy, undefined);
      assert.deepEqual(await list(config), [
        {
          server_name: 'dock.test',
          state: 'active',
          link: { state: 'down', since: null, dialled_by: null },
          outbox: { pdu: 0, device: 0, ephemeral: 0 },
        },
      ]);
    });

    it('add refuses a card that was altered, has expired, is our own, or none at all', async () => {
      const altered = cardFile();
      writeFileSync(altered, readFileSync(altered, 'utf8').replace('127.0.0.1', '127.0.0.2'));
      await fails(add(altered), /The card was altered: its text is not the text that was signed/);
      await fails(add(join(dirname(config), 'none.card')), /There is no file .*none\.card/);
      const refused = async (file: string, reason: RegExp): Promise<void> => {
        const loaded = await loadConfig(config);
        assert.ok(loaded.ok);
        const options = { now: Date.now(), replaceKeys: false };
        await assert.rejects(planPartner(loaded.config, readFileSync(file, 'utf8'), options), reason);
      };
      const expired = cardFile({ issued: Date.now() - 800 * hour });
      await refused(expired, /The card expired on \d{4}-\d\d-\d\dT.*: ask for a new one/);
      await refused(cardFile({ serverName: 'acme.test' }), /This is the card of acme\.test itself/);
      await refused(config, /This is not a partner card: the line "-----BEGIN .*" is missing/);
      // What `add` would write for this name would be no configuration.
      await refused(
        cardFile({ serverName: 'a..test' }),
        /Nothing was changed, since .* must be a server name/s,
      );
      assert.deepEqual(partnerFiles(config), []);
    });

    it('add takes a newer card, keeps what the admin wrote beside it, and refuses an older one', async () => {
      await succeeds(add(cardFile()));
      writeFileSync(
        file(),
        readFileSync(file(), 'utf8')
          .replace('display_name: Dock Ltd', 'display_name: The Dock # as we call them')
          .replace('dial: both', 'dial: outbound'),
      );
      const newer = { issued: Date.now(), urls: ['wss://dock.test/_archipelago/link/v1'] };
      const said = await succeeds(add(cardFile(newer)));
      assert.match(said, /The new card of dock\.test is in force/);
      const text = readFileSync(file(), 'utf8');
      assert.match(text, /display_name: The Dock # as we call them\n/);
      assert.match(text, /dial: outbound\n/);
      assert.match(text, /wss:\/\/dock\.test/);
      assert.doesNotMatch(text, /127\.0\.0\.1/);
      await fails(add(cardFile()), /The card is older than the one in force \(\d{4}-/);
      assert.equal(readFileSync(file(), 'utf8'), text);
    });

    it('add takes other keys only when told so, and keeps the old ones for old events', async () => {
      await succeeds(add(cardFile()));
      const before = readFileSync(file(), 'utf8');
      const anew = cardFile({ issued: Date.now() }, newKey);
      await fails(
        add(anew),
        /other signing keys than the pinned ones; compare the fingerprints, then use --replace-keys/,
      );
      assert.equal(readFileSync(file(), 'utf8'), before);
      const said = await succeeds(add(anew, '--replace-keys'));
      assert.ok(said.includes(`${fingerprint(newKey.publicKey)}  (ed25519:d2, NEW)`), said);
      const [entry] = parse(readFileSync(file(), 'utf8')).partners;
      assert.deepEqual(entry.verify_keys['ed25519:d2'], { key: newKey.publicKey });
      assert.equal(entry.verify_keys['ed25519:d1'].key, key.publicKey);
      assert.ok(Date.parse(entry.verify_keys['ed25519:d1'].valid_until) <= Date.now());
    });

    it('add and remove leave partners alone that were written by hand, and say where they stand', async () => {
      const hand = `partners:\n${partnerEntry('dock.test')}`;
      writeFileSync(config, `${readFileSync(config, 'utf8')}${hand}`);
      const line =
        readFileSync(config, 'utf8')
          .split('\n')
          .findIndex((text) => text.includes('- server_name')) + 1;
      const before = readFileSync(config, 'utf8');
      await fails(
        add(cardFile(), '--replace-keys'),
        new RegExp(`The partner dock\\.test stands in ${config}:${line}, which`),
      );
      await fails(
        ['partner', 'remove', 'dock.test', '-c', config],
        new RegExp(`was written by hand: remove the entry that begins at ${config}:${line}, then`),
      );
      assert.equal(readFileSync(config, 'utf8'), before);
      // A second partner in the file that `add` would write makes it somebody's file too.
      const pier = join(dirname(config), 'conf.d', 'partners', 'pier.test.yaml');
      mkdirSync(dirname(pier), { recursive: true });
      writeFileSync(pier, `partners:\n${partnerEntry('pier.test')}${partnerEntry('quay.test')}`);
      await fails(['partner', 'remove', 'pier.test', '-c', config], /pier\.test\.yaml:\d+, then/);
      assert.ok(existsSync(pier));
    });

    it('add says that it cannot write, and changes nothing', async () => {
      mkdirSync(join(dirname(config), 'conf.d'));
      writeFileSync(join(dirname(config), 'conf.d', 'partners'), '');
      await fails(add(cardFile()), /dock\.test\.yaml cannot be changed, and nothing was: .*E(EXIST|NOTDIR)/);
    });

    it('card takes its URL from public_baseurl', async () => {
      writeFileSync(
        config,
        `${readFileSync(config, 'utf8')}public_baseurl: https://chat.acme.test/\norganization: {name: ACME Corp}\ncard_lifetime: 1d\n`,
      );
      const { stdout, stderr } = await archipelago(['partner', 'card', '-c', config]);
      const reading = readCard(stdout, { now: Date.now() });
      assert.ok(reading.ok);
      assert.deepEqual(reading.card.urls, ['wss://chat.acme.test/_archipelago/link/v1']);
      assert.equal(reading.card.organization, 'ACME Corp');
      assert.equal(reading.card.expires - reading.card.issued, 24 * hour);
      assert.equal(stderr, '');
    });
  });
});
