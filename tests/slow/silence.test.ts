import assert from 'node:assert/strict';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../support/folder.ts';
import { buildProgram, succeeds } from '../support/program.ts';
import { SealedNetwork } from './support/sealed-network.ts';

const seconds = Number(process.env['ARCHIPELAGO_SILENCE_SECONDS'] ?? 120);
const here = dirname(fileURLToPath(import.meta.url));
const program = join(here, '..', '..', 'bin', 'archipelago');
const password = 'a long enough password';

describe('the silence of an island', function () {
  this.timeout((seconds + 180) * 1_000);

  let network: SealedNetwork;

  before(buildProgram);

  beforeEach(async () => {
    network = await SealedNetwork.open();
  });

  afterEach(() => network.close());

  /** As the documentation says: `init`, then `start`. */
  async function start(partners = ''): Promise<{ config: string; url: string }> {
    const folder = join(temporaryFolder(), 'island');
    await succeeds(['init', '--server-name', 'acme.example', '--dir', folder]);
    const config = join(folder, 'homeserver.yaml');
    appendFileSync(config, partners);
    const child = network.spawn(program, ['start', '-c', config, '--log-format', 'json']);
    return { config, url: await ready(child) };
  }

  async function ready(child: ChildProcessWithoutNullStreams): Promise<string> {
    const said: string[] = [];
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
    for await (const line of createInterface({ input: child.stdout })) {
      said.push(line);
      const url = /"urls":\["([^"]+)"/.exec(line)?.[1];
      if (url !== undefined && line.includes('island ready')) {
        child.stdout.resume();
        return url;
      }
    }
    throw new Error(`The island did not start:\n${said.join('\n')}`);
  }

  /** People chat inside for so long; gives how many messages they sent. */
  async function chat(config: string, url: string, duration: number): Promise<number> {
    for (const name of ['ann', 'ben'])
      await succeeds(['user', 'add', name, '-c', config], { input: `${password}\n` });
    const chatter = fileURLToPath(new URL('./support/chatter.ts', import.meta.url));
    const args = ['--import=tsx', chatter, url, String(duration), password];
    const child = network.spawn(process.execPath, args);
    const [sent, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    assert.equal(child.exitCode, 0, errors);
    return Number(sent);
  }

  it(`is not broken by a packet in ${seconds} seconds of chat, whatever people ask for`, async () => {
    const { config, url } = await start();
    const sent = await chat(config, url, seconds);
    assert.ok(sent > seconds, `${sent} messages are no chat`);
    assert.deepEqual(network.packets, []);
    console.log(`      ${sent} messages in ${seconds} seconds, no packet`);
  });

  it('would be heard to be broken: a partner to dial is looked up and dialled', async () => {
    const key = 'Noi6WqcDj0QmPxCNQqgezwTlBKrfqehY1u2FyWP9uYw';
    await start(
      [
        'partners:',
        ...['wss://chat.bolt.example', 'wss://192.0.2.7', 'wss://[2001:db8::7]'].flatMap((address, index) => [
          `  - server_name: bolt${index}.example`,
          `    verify_keys: {"ed25519:a1": {key: ${key}}}`,
          `    transport: {urls: ["${address}/_archipelago/link/v1"]}`,
        ]),
        '',
      ].join('\n'),
    );
    const seen = (what: RegExp): boolean => network.packets.some((packet) => what.test(packet));
    const giveUp = Date.now() + 60_000;
    while (
      !(seen(/\.53: .*chat\.bolt\.example/) && seen(/> 192\.0\.2\.7\.443/) && seen(/> 2001:db8::7\.443/))
    ) {
      assert.ok(Date.now() < giveUp, `only these packets were seen:\n${network.packets.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
});
