import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, watch } from 'node:fs';
import { mkdir, readdir, readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, ok, textAt, v1, v3 } from '../support/client.ts';
import { temporaryFolder } from '../support/folder.ts';
import { Seeded } from '../support/seeded.ts';
import { testConfig } from '../support/test-config.ts';
import { testPassword } from '../support/test-network.ts';
import { until } from '../support/until.ts';
import { KillableIsland } from './support/killable-island.ts';
import { KillableProcess } from './support/killable-process.ts';
import { Person } from './support/person.ts';
import { ProductCopy } from './support/product-copy.ts';

const serverName = 'acme.test';
/** More than happens in the folder of an island until it listens for the first time. */
const steps = 26;

describe('An island that is killed', () => {
  let copy: ProductCopy;

  before(async () => {
    copy = await ProductCopy.make();
  });

  after(() => copy.remove());

  describe('during its first start', () => {
    /** Files of keys, by name, as far as they are there. */
    async function keysIn(directory: string): Promise<Map<string, string>> {
      const keys = new Map<string, string>();
      for (const name of ['signing.key', 'link.key'])
        if (existsSync(join(directory, name))) keys.set(name, await readFile(join(directory, name), 'utf8'));
      return keys;
    }

    function order(directory: string): Parameters<KillableProcess['start']>[0] {
      const config = testConfig({ serverName, directory, partners: [], enableRegistration: true });
      return { config, logFile: join(directory, 'log'), pace: 1, epoch: 0 };
    }

    /** Starts the island and kills it; says whether it had come so far as to listen. */
    async function startAndKill(directory: string, when: (kill: () => void) => () => void): Promise<boolean> {
      const process = new KillableProcess(copy.entry);
      const started = process.start(order(directory)).then(
        () => true,
        () => false,
      );
      const forget = when(() => process.kill());
      const isUp = await started;
      process.kill();
      forget();
      assert.equal((await process.ended).signal, 'SIGKILL');
      return isUp;
    }

    for (let step = 1; step <= steps; step += 1)
      it(`at step ${step} keeps the keys that it has, and starts the next time`, async () => {
        const random = new Seeded(step);
        const directory = join(temporaryFolder(), 'island');
        await mkdir(directory);
        let count = 0;
        await startAndKill(directory, (kill) => {
          const watcher = watch(directory, () => {
            count += 1;
            if (count === step) kill();
          });
          return () => watcher.close();
        });
        const early = await keysIn(directory);
        await startAndKill(directory, (kill) => {
          const timer = setTimeout(kill, random.below(1_000));
          return () => clearTimeout(timer);
        });

        const survivor = new KillableProcess(copy.entry);
        const door = { port: await survivor.start(order(directory)) };
        const keys = await keysIn(directory);
        assert.equal(keys.size, 2);
        for (const [name, text] of early) assert.equal(keys.get(name), text, name);
        const credentials = { username: 'ann', password: testPassword, auth: { type: 'm.login.dummy' } };
        const { user_id: userId } = await ok(Client.anonymous(door).post(v3`/register`, credentials));
        assert.equal(userId, '@ann:acme.test');
        assert.equal((await survivor.stop()).code, 0);
      });
  });

  describe('during uploads', () => {
    let island: KillableIsland;
    let ann: Client;
    const upload = (raw: Buffer | Readable) =>
      ann.request('POST', '/_matrix/media/v3/upload', { raw, headers: { 'content-type': 'text/plain' } });
    let incoming: string;

    before(async () => {
      const directory = join(temporaryFolder(), 'island');
      incoming = join(directory, 'media', 'incoming');
      island = await KillableIsland.prepare({
        entry: copy.entry,
        serverName,
        directory,
        roomVersion: '12',
        pace: 1,
        epoch: 0,
      });
      await island.start();
      ann = await Person.register(island, 'ann');
    });

    after(() => island.stop());

    async function dieAndComeBack(): Promise<void> {
      island.kill();
      await island.dead();
      await island.start();
    }

    it('has every file that it acknowledged, byte for byte', async () => {
      const random = new Seeded(1);
      const stored = new Map<string, Buffer>();
      for (let round = 0; round < 8; round += 1) {
        const uploads = Array.from({ length: 4 }, async () => {
          for (;;) {
            const bytes = randomBytes(1 + random.below(300_000));
            const answer = await upload(bytes);
            stored.set(textAt(await ok(Promise.resolve(answer)), 'content_uri'), bytes);
          }
        });
        const broken = Promise.allSettled(uploads);
        await pause(20 + random.below(200));
        await dieAndComeBack();
        for (const result of await broken)
          assert.match(String(result.status === 'rejected' && result.reason), /ECONNRE|hang up|not listen/);
      }
      assert.ok(stored.size > 8, `${stored.size} uploads`);
      for (const [uri, bytes] of stored) {
        const [server = '', id = ''] = uri.slice('mxc://'.length).split('/');
        assert.deepEqual((await ann.get(v1`/media/download/${server}/${id}`)).bytes, bytes);
      }
    });

    it('removes the halves of files once nobody can be writing to them any more', async () => {
      const half = new Readable({ read: () => undefined });
      half.push(randomBytes(1_000));
      const before = (await readdir(incoming)).length;
      const sending = assert.rejects(upload(half));
      await until(async () => (await readdir(incoming)).length === before + 1);
      await dieAndComeBack();
      half.destroy();
      await sending;
      // It is young: on a store that several processes share another one might be at it.
      const left = await readdir(incoming);
      assert.equal(left.length, before + 1);
      const longAgo = Date.now() / 1_000 - 2 * 3_600;
      for (const name of left) await utimes(join(incoming, name), longAgo, longAgo);
      await dieAndComeBack();
      assert.deepEqual(await readdir(incoming), []);
    });
  });
});
