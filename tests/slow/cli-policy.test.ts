import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { generateSigningKey } from '../../protocol/signing.ts';
import { openDatabase } from '../../storage/database.ts';
import { fails, newIsland } from '../cli/support.ts';
import { archipelago, buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { realClock, realRandom } from '../support/runtime.ts';

const { keyId, publicKey } = generateSigningKey('ed25519:a1', realRandom);

function partner(policy: string): string {
  return `partners:
  - server_name: bolt.test
    verify_keys: {"${keyId}": {key: "${publicKey}"}}
    transport: {type: link, dial: inbound}
    policy:
      ${policy}
`;
}

describe('archipelago policy', function () {
  this.timeout(60_000);

  let config: string;
  let file: string;
  const deed = ['--from', '@li:acme.test', '--to', '@bo:bolt.test'];

  before(async () => {
    await buildProgram();
    config = await newIsland('acme.test');
    mkdirSync(join(dirname(config), 'conf.d', 'partners'), { recursive: true });
    file = join(dirname(config), 'conf.d', 'partners', 'bolt.test.yaml');
    writeFileSync(file, partner('files: {direction: inbound}'));
  });

  async function explain(...args: string[]): Promise<unknown> {
    return JSON.parse(await succeeds(['policy', 'explain', ...args, '--json', '-c', config]));
  }

  it('explain lets nothing pass to or from a server that is no partner', async () => {
    for (const people of [
      ['--from', '@li:acme.test', '--to', '@x:other.test'],
      ['--from', '@x:other.test', '--to', '@li:acme.test'],
    ]) {
      const { decision, violations } = JSON.parse(
        await succeeds(['policy', 'explain', ...people, '--action', 'message', '--json', '-c', config]),
      );
      const codes = violations.map(({ code }: { code: string }) => code);
      assert.deepEqual([decision, codes], ['deny', ['not_a_partner']]);
    }
  });

  it('explain says what the border would do, and the line that decides', async () => {
    assert.deepEqual(await explain(...deed, '--action', 'message'), { decision: 'allow', violations: [] });
    const denial = {
      decision: 'deny',
      violations: [
        {
          code: 'files_denied',
          message: 'Files are not sent to bolt.test',
          rule: 'conf.d/partners/bolt.test.yaml:6',
        },
      ],
    };
    assert.deepEqual(await explain(...deed, '--action', 'file'), denial);
    const inbound = ['--from', '@bo:bolt.test', '--to', '@li:acme.test', '--action', 'file'];
    assert.deepEqual(await explain(...inbound), { decision: 'allow', violations: [] });
    const text = await succeeds(['policy', 'explain', ...deed, '--action', 'file', '-c', config]);
    assert.match(
      text,
      /^deny: file from @li:acme\.test to @bo:bolt\.test\n {2}Files are not sent to bolt\.test/,
    );
    assert.match(text, /files_denied, conf\.d\/partners\/bolt\.test\.yaml:6/);
    assert.match(text, /Assumed:\n {2}A room of acme\.test with nobody in it but the two/);
  });

  it('explain says the same of an island that runs, suspension included', async () => {
    const island = await IslandProcess.start(config);
    try {
      assert.deepEqual(await explain(...deed, '--action', 'message'), { decision: 'allow', violations: [] });
      await succeeds(['partner', 'suspend', 'bolt.test', '-c', config]);
      const answer = JSON.stringify(await explain(...deed, '--action', 'message'));
      assert.match(answer, /"code":"partner_suspended".*"rule":"suspended by command line at /);
    } finally {
      await island.stop();
    }
    await succeeds(['partner', 'resume', 'bolt.test', '-c', config]);
  });

  it('explain tells wrong usage from failure', async () => {
    const usage = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await archipelago(['policy', 'explain', ...args, '-c', config]);
      assert.equal(code, 2, stderr);
      return stderr;
    };
    await usage(...deed);
    assert.match(await usage(...deed, '--action', 'dance'), /Allowed choices are message, file/);
    assert.match(await usage('--from', 'li', '--to', '@bo:bolt.test', '--action', 'file'), /@name:server/);
    const foreign = ['--from', '@bo:bolt.test', '--to', '@ca:cargo.test', '--action', 'message'];
    assert.match(await usage(...foreign), /Neither .* is of acme\.test/);
    const room = ['--action', 'message', '--room', '!nowhere'];
    await fails(['policy', 'explain', ...deed, ...room, '-c', config], /does not hold the room !nowhere/);
    const ours = ['--from', '@li:acme.test', '--to', '@ann:acme.test', '--action', 'file'];
    assert.deepEqual(await explain(...ours), { decision: 'allow', violations: [] });
    await fails(['policy', 'explain', ...deed, '--action', 'file', '-c', 'absent.yaml'], /absent\.yaml/);
  });

  it('replay says which recorded decisions a draft would change', async () => {
    const question = (eventType: string) => ({
      action: 'message',
      direction: 'outbound',
      remoteServer: 'bolt.test',
      local: { userId: '@li:acme.test', departments: [] },
      remote: ['@bo:bolt.test'],
      eventType,
      isCleartext: true,
    });
    const now = Date.now();
    const record = { violations: [], firstTs: now - 2_000, lastTs: now - 1_000 };
    const path = join(dirname(config), 'data', 'homeserver.db');
    const log = pino({ level: 'silent' });
    const db = await openDatabase({ type: 'sqlite', path }, { log, clock: realClock, random: realRandom });
    await db.decisions.add([
      { ...record, digest: 'one', question: question('m.room.message'), times: 4 },
      { ...record, digest: 'two', question: question('org.example.secret'), times: 3 },
    ]);
    await db.close();
    const draft = join(dirname(config), 'draft.yaml');
    writeFileSync(draft, readFileSync(config));
    writeFileSync(file, partner('events: {deny: [org.example.secret]}'));
    const replay = ['policy', 'replay', '-c', draft, '--since', '7d'];
    const { decisions, times, changed } = JSON.parse(await succeeds([...replay, '--json'])) as Record<
      string,
      unknown
    >;
    assert.deepEqual([decisions, times], [2, 7]);
    assert.deepEqual(changed, [
      {
        question: question('org.example.secret'),
        from: { decision: 'allow', violations: [] },
        to: {
          decision: 'deny',
          violations: [
            {
              code: 'event_type_denied',
              message: 'Events of type org.example.secret are not exchanged with bolt.test',
              rule: 'conf.d/partners/bolt.test.yaml:6',
            },
          ],
        },
        times: 3,
        first_ts: now - 2_000,
        last_ts: now - 1_000,
      },
    ]);
    const text = await succeeds(replay);
    assert.match(text, /^2 recorded decisions since .* \(made 7 times\): 1 would change\./);
    assert.match(
      text,
      /allow -> deny: message \(org\.example\.secret\) from @li:acme\.test to @bo:bolt\.test/,
    );
    assert.match(await succeeds([...replay.slice(0, -1), '2099-01-01']), /^0 recorded decisions/);
  });
});
