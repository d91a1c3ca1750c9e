import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What the other end of the wire is not told of: neighbour discovery and its like, which the kernel sends by itself. */
const kernelTalk = '(ip6 and (icmp6 or ip6[6] == 0))';

/**
 * A network of one machine, with a way out that leads to a second one where every packet is recorded. Names resolve
 * over that way out too, so a look-up is seen as well. Needs root, `ip` and `tcpdump`, and fails without them.
 */
export class SealedNetwork {
  /** The packets that left, as tcpdump prints them. */
  readonly packets: string[] = [];
  readonly #inside: string;
  readonly #outside: string;
  readonly #children: ChildProcessWithoutNullStreams[] = [];
  #capture: ChildProcessWithoutNullStreams | undefined;

  private constructor(inside: string, outside: string) {
    this.#inside = inside;
    this.#outside = outside;
  }

  static async open(): Promise<SealedNetwork> {
    for (const [name, argument] of [
      ['ip', '-V'],
      ['tcpdump', '--version'],
    ] as const)
      if (spawnSync(name, [argument]).status !== 0)
        throw new Error(`This cannot be measured here: ${name} is missing (Debian: iproute2, tcpdump)`);
    if (process.getuid?.() !== 0)
      throw new Error('This cannot be measured here: only root may make a network namespace');
    const suffix = `${process.pid}`;
    const network = new SealedNetwork(`isle-in-${suffix}`, `isle-out-${suffix}`);
    try {
      network.#build();
      await network.#listen();
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** Starts a program inside. */
  spawn(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
    const child = spawn('ip', ['netns', 'exec', this.#inside, command, ...args]);
    this.#children.push(child);
    return child;
  }

  async close(): Promise<void> {
    for (const child of [...this.#children, ...(this.#capture === undefined ? [] : [this.#capture])])
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
        child.kill('SIGTERM');
        await once(child, 'close');
      }
    for (const name of [this.#inside, this.#outside]) spawnSync('ip', ['netns', 'delete', name]);
    rmSync(join('/etc/netns', this.#inside), { recursive: true, force: true });
  }

  #build(): void {
    const resolver = join('/etc/netns', this.#inside);
    mkdirSync(resolver, { recursive: true });
    writeFileSync(join(resolver, 'resolv.conf'), 'nameserver 10.213.0.1\nnameserver fd13::1\n');
    for (const name of [this.#inside, this.#outside]) ip('netns', 'add', name);
    const inside = ['-n', this.#inside];
    const outside = ['-n', this.#outside];
    ip(...inside, 'link', 'add', 'way-out', 'type', 'veth', 'peer', 'name', 'beyond', 'netns', this.#outside);
    ip(...outside, 'link', 'set', 'beyond', 'address', '02:00:00:00:00:02');
    ip(...inside, 'link', 'set', 'lo', 'up');
    ip(...outside, 'link', 'set', 'beyond', 'up');
    ip(...inside, 'link', 'set', 'way-out', 'up');
    ip(...outside, 'addr', 'add', '10.213.0.1/30', 'dev', 'beyond');
    ip(...outside, 'addr', 'add', 'fd13::1/64', 'dev', 'beyond', 'nodad');
    ip(...inside, 'addr', 'add', '10.213.0.2/30', 'dev', 'way-out');
    ip(...inside, 'addr', 'add', 'fd13::2/64', 'dev', 'way-out', 'nodad');
    ip(...inside, 'route', 'add', 'default', 'via', '10.213.0.1');
    ip(...inside, '-6', 'route', 'add', 'default', 'via', 'fd13::1');
    // The kernel's own questions for the neighbour are not recorded: what follows them has to get out without one.
    const neighbour = ['lladdr', '02:00:00:00:00:02', 'dev', 'way-out', 'nud', 'permanent'];
    ip(...inside, '-6', 'neigh', 'replace', 'fd13::1', ...neighbour);
  }

  async #listen(): Promise<void> {
    const args = [
      '-n',
      this.#outside,
      '-l',
      '--immediate-mode',
      '-i',
      'beyond',
      '-Q',
      'in',
      `not ${kernelTalk}`,
    ];
    const capture = spawn('ip', ['netns', 'exec', this.#outside, 'tcpdump', '-n', ...args.slice(2)]);
    this.#capture = capture;
    createInterface({ input: capture.stdout }).on('line', (line) => this.packets.push(line));
    let said = '';
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: capture.stderr }).on('line', (line) => {
        said += `${line}\n`;
        if (/listening on/.test(line)) resolve();
      });
      capture.once('error', reject);
      capture.once('close', () => reject(new Error(`tcpdump ended:\n${said}`)));
    });
  }
}

function ip(...args: readonly string[]): void {
  const { status, stderr } = spawnSync('ip', [...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
}
