import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { WebSocket, WebSocketServer } from 'ws';
import type { HandshakeDefences } from '../../federation/link/handshake.ts';
import { TestIsland, until } from './support.ts';
import { unauthenticatedCipher } from './weak-cipher.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** Changes what passes; gives the messages that go on instead of this one. */
type Interference = (message: Buffer, from: 'dialler' | 'acceptor') => Buffer[];

/** A proxy that ends TLS, as an inspecting firewall does, and writes everything down that it sees. */
class TlsProxy {
  readonly #server: Server;
  readonly log: Buffer[] = [];
  readonly closeCodes: number[] = [];
  interfere: Interference = (message) => [message];

  constructor(target: () => string) {
    this.#server = createServer({
      key: readFileSync(fixture('localhost.key')),
      cert: readFileSync(fixture('localhost.crt')),
    });
    const sockets = new WebSocketServer({ noServer: true });
    this.#server.on('upgrade', (request, socket, head) => {
      this.log.push(Buffer.from(`${request.url} ${JSON.stringify(request.headers)}`));
      const onward = new WebSocket(`${target()}${request.url}`, request.headers['sec-websocket-protocol'], {
        headers: { authorization: request.headers.authorization ?? '' },
      });
      onward.on('error', () => socket.destroy());
      onward.on('open', () =>
        sockets.handleUpgrade(request, socket, head, (inward) => {
          inward.on('error', () => {});
          this.#pass(inward, onward, 'dialler');
          this.#pass(onward, inward, 'acceptor');
        }),
      );
    });
  }

  #pass(from: WebSocket, to: WebSocket, name: 'dialler' | 'acceptor'): void {
    from.on('message', (data) => {
      this.log.push(data as Buffer); // The default binary type.
      for (const message of this.interfere(data as Buffer, name)) to.send(message);
    });
    from.on('close', (code) => {
      this.closeCodes.push(code);
      to.terminate();
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  saw(text: string): boolean {
    return Buffer.concat(this.log).includes(text);
  }
}

describe('link: through a proxy that ends TLS', () => {
  let acme: TestIsland;
  let bolt: TestIsland;
  let proxy: TlsProxy;

  async function setUp(defences: HandshakeDefences = {}): Promise<void> {
    acme = new TestIsland('acme.test', { internals: { handshake: defences } });
    bolt = new TestIsland('bolt.test', { clock: acme.clock, internals: { handshake: defences } });
    await acme.listen();
    await bolt.listen();
    proxy = new TlsProxy(() => bolt.url);
    const port = await proxy.listen();
    const urls = [`wss://localhost:${port}`];
    acme.partners.set('bolt.test', bolt.asPartner({ urls, caPath: fixture('localhost.crt') }));
    bolt.partners.set('acme.test', acme.asPartner({ dial: 'inbound' }));
    bolt.manager.start();
    acme.manager.start();
    await until(() => acme.isUp('bolt.test') && bolt.isUp('acme.test'));
  }

  afterEach(async () => {
    await Promise.all([acme.close(), bolt.close()]);
    proxy.close();
  });

  const secret = 'the figures of the third quarter';
  const send = () =>
    acme.manager.request('bolt.test', {
      method: 'PUT',
      uri: '/secret-path',
      body: Buffer.from(secret),
      priority: 'pdu',
      deadlineMs: 5_000,
    });

  it('carries requests of which the proxy reads nothing', async () => {
    await setUp();
    const response = await send();
    assert.equal((await response.body()).toString(), secret);
    assert.ok(proxy.saw('/_archipelago/link/v1'), 'the log is not empty');
    for (const text of [secret, 'secret-path', 'link_key_sig', 'software', '"from"'])
      assert.ok(!proxy.saw(text), `the proxy read ${text}`);
  });

  it('closes with 4408 when one bit is flipped, and the content stays out of the log', async () => {
    await setUp();
    proxy.interfere = (message, from) => {
      if (from === 'acceptor') return [message];
      const altered = Buffer.from(message);
      altered.writeUInt8(altered.readUInt8(altered.length - 20) ^ 1, altered.length - 20);
      return [altered];
    };
    await assert.rejects(send());
    await until(() => proxy.closeCodes.includes(4408));
    assert.deepEqual(bolt.requests, []);
    assert.ok(!proxy.saw(secret));
  });

  it('would take the altered bit for the content if records were not authenticated', async () => {
    await setUp({ cipher: unauthenticatedCipher });
    proxy.interfere = (message, from) => {
      if (from === 'acceptor') return [message];
      const altered = Buffer.from(message);
      altered.writeUInt8(altered.readUInt8(altered.length - 17) ^ 1, altered.length - 17);
      return [altered];
    };
    const response = await send();
    assert.equal((await response.body()).toString(), `${secret.slice(0, -1)}s`);
  });

  for (const [title, inject] of [
    ['injects a record of its own', (message: Buffer) => [Buffer.alloc(60, 7), message]],
    ['sends a record twice', (message: Buffer) => [message, message]],
    ['swallows a record', () => []],
  ] as const)
    it(`closes with 4408 when it ${title}`, async () => {
      await setUp();
      let isDone = false;
      proxy.interfere = (message, from) => {
        if (from === 'acceptor' || isDone) return [message];
        isDone = true;
        return inject(message);
      };
      const sent = Promise.allSettled([send(), send()]);
      await until(() => proxy.closeCodes.includes(4408));
      await sent;
      assert.ok(!proxy.saw(secret));
    });

  it('does not dial a TLS server that the private authority did not sign', async () => {
    await setUp();
    acme.partners.set('bolt.test', bolt.asPartner({ urls: acme.partners.get('bolt.test')?.urls ?? [] }));
    acme.manager.cut('bolt.test');
    acme.manager.partnersChanged();
    await until(() => acme.logged.some((entry) => /self.signed/.test(String(entry['reason']))));
    assert.ok(!acme.isUp('bolt.test'));
  });
});
