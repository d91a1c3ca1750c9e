import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../config/load.ts';
import { defaultPartnerPolicy, type PartnerPolicy, ruleOf } from '../../policy/partner-policy.ts';

const key = 'Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw';

describe('The policy of a partner in the files', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'archipelago-policy-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function load(main: string, partner: string) {
    await mkdir(join(directory, 'conf.d/partners'), { recursive: true });
    await writeFile(join(directory, 'homeserver.yaml'), `server_name: acme.example\n${main}`);
    const entry = `partners:\n  - server_name: bolt.example\n    verify_keys: {"ed25519:a1": {key: ${key}}}\n`;
    await writeFile(join(directory, 'conf.d/partners/bolt.yaml'), entry + partner);
    return loadConfig(join(directory, 'homeserver.yaml'));
  }

  async function policyOf(main: string, partner: string): Promise<PartnerPolicy> {
    const loaded = await load(main, partner);
    assert.ok(loaded.ok, JSON.stringify(loaded));
    const [entry] = loaded.config.partners;
    assert.ok(entry);
    return entry.policy;
  }

  it('is the default where nothing is said', async () => {
    assert.deepEqual(await policyOf('', ''), defaultPartnerPolicy);
  });

  it('takes each key from the entry, else from partner_defaults, and knows the line of each', async () => {
    const policy = await policyOf(
      'partner_defaults:\n  policy:\n    files: {max_size: 50M, direction: inbound}\n    share:\n      typing: false\n',
      [
        '    policy:',
        '      allow_local: [{departments: [purchasing]}, {users: ["@ceo:acme.example"]}]',
        '      allow_remote: ["@bob:bolt.example"]',
        '      files: {direction: none, mime: ["application/pdf", "image/*"]}',
        '      rooms:',
        '        third_parties: listed',
        '      directory:',
        '        contacts: [{name: Purchasing desk, user_id: "@desk:acme.example"}]',
      ].join('\n'),
    );
    assert.deepEqual(policy.allowLocal, [{ department: 'purchasing' }, { user: '@ceo:acme.example' }]);
    assert.deepEqual(policy.allowRemote, [{ user: '@bob:bolt.example' }]);
    assert.deepEqual(policy.files, {
      direction: 'none',
      maxSize: 50 * 1024 ** 2,
      mime: ['application/pdf', 'image/*'],
    });
    assert.deepEqual(policy.share, { ...defaultPartnerPolicy.share, typing: false });
    assert.equal(policy.rooms.thirdParties, 'listed');
    assert.deepEqual(policy.directory.contacts, [{ name: 'Purchasing desk', userId: '@desk:acme.example' }]);
    assert.equal(ruleOf(policy, 'allow_local'), 'conf.d/partners/bolt.yaml:5');
    assert.equal(ruleOf(policy, 'files.direction'), 'conf.d/partners/bolt.yaml:7');
    assert.equal(ruleOf(policy, 'files.max_size'), 'homeserver.yaml:4');
    assert.equal(ruleOf(policy, 'share.typing'), 'homeserver.yaml:6');
    assert.equal(ruleOf(policy, 'rooms.third_parties'), 'conf.d/partners/bolt.yaml:9');
    assert.equal(ruleOf(policy, 'share.presence'), 'default of share.presence');
  });

  it('says how people of a partner are marked, for all partners or for one', async () => {
    const defaults = 'partner_defaults:\n  policy:\n    label: {suffix: " (external)"}\n';
    assert.deepEqual((await policyOf(defaults, '')).label, { show: true, suffix: ' (external)' });
    const none = '    policy: {label: {show: false}}\n';
    assert.deepEqual((await policyOf(defaults, none)).label, { show: false, suffix: ' (external)' });
  });

  it('names a callback, how long theirs is kept, and quotas; a callback replaces the one of the defaults', async () => {
    await writeFile(join(directory, 'dlp.secret'), 'a secret\n', { mode: 0o600 });
    const policy = await policyOf(
      'partner_defaults:\n  policy:\n    callback: {url: "http://127.0.0.1:1/", actions: [message, media], secret_path: dlp.secret}\n' +
        '    retention: {max_age: 90d}\n    rate: {events_per_second: 50}\n',
      [
        '    policy:',
        '      callback: {url: "https://dlp.acme.example/check", actions: [invite], timeout: 5s, on_timeout: warn, secret_path: ../../dlp.secret}',
        '      rate: {invites_per_hour: 3, media_per_day: 1G}',
      ].join('\n'),
    );
    assert.deepEqual(policy.callback, {
      url: 'https://dlp.acme.example/check',
      actions: ['invite'],
      timeout: 5_000,
      onTimeout: 'warn',
      secretPath: join(directory, 'dlp.secret'),
    });
    assert.deepEqual(policy.retention, { maxAge: 90 * 86_400_000 });
    const { eventsPerSecond, invitesPerHour, mediaPerDay } = policy.rate;
    assert.deepEqual([eventsPerSecond, invitesPerHour, mediaPerDay], [50, 3, 1024 ** 3]);
    assert.equal(ruleOf(policy, 'callback.url'), 'conf.d/partners/bolt.yaml:5');
    assert.equal(ruleOf(policy, 'retention.max_age'), 'homeserver.yaml:5');
  });

  for (const [name, partner, message] of [
    [
      'a person of another company among ours',
      '    policy: {allow_local: [{users: ["@ann:dock.example"]}]}\n',
      /@ann:dock.example is not of this island \(acme.example\)/,
    ],
    [
      'one of ours among theirs',
      '    policy: {allow_remote: ["@li:acme.example"]}\n',
      /@li:acme.example is not of bolt.example/,
    ],
    [
      'everyone of ours written as theirs',
      '    policy: {allow_local: [{users: ["*"]}]}\n',
      /must be a user id/,
    ],
    ['an unknown part', '    policy: {file: {direction: none}}\n', /unknown key "file"/],
    [
      'a direction that there is not',
      '    policy: {files: {direction: outwards}}\n',
      /must be one of both, outbound, inbound, none/,
    ],
    ['a type that is none', '    policy: {files: {mime: [pdf]}}\n', /must be a media type/],
    [
      'a callback by another protocol',
      '    policy: {callback: {url: "ftp://dlp.acme.example/", actions: [message]}}\n',
      /must be a URL that begins with https:\/\/ or http:\/\//,
    ],
    [
      'a callback that may take for ever',
      '    policy: {callback: {url: "https://dlp.acme.example/", actions: [message], timeout: 5m}}\n',
      /timeout must be 30s at most/,
    ],
    [
      'a secret of a callback that is not there',
      '    policy: {callback: {url: "https://dlp.acme.example/", actions: [], secret_path: gone}}\n',
      /secret_path names a file that is not there/,
    ],
    [
      'a power level without bounds',
      '    policy: {rooms: {max_remote_power_level: 101}}\n',
      /whole number from 0 to 100/,
    ],
  ] as const)
    it(`is refused with its place: ${name}`, async () => {
      const loaded = await load('', partner);
      assert.ok(!loaded.ok);
      const [problem] = loaded.problems;
      assert.match(problem?.message ?? '', message);
      assert.equal(problem?.line, 4);
      assert.match(problem?.file ?? '', /conf\.d\/partners\/bolt\.yaml$/);
    });
});
