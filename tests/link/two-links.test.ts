import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { frameTypes, RawPeer } from './raw-peer.ts';
import { quiet, TestIsland, twoIslands, until } from './support.ts';

const get = { method: 'GET', uri: '/x', priority: 'query', deadlineMs: 30_000 } as const;

describe('link: two at once', () => {
  it('keeps, after simultaneous dials, the one dialled by the smaller name; both ends the same', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { acme, bolt, close } = await twoIslands({ dial: 'both' });
      try {
        acme.manager.start();
        bolt.manager.start();
        await until(() => acme.isUp('bolt.test') && bolt.isUp('acme.test'));
        await until(
          () =>
            acme.manager.status('bolt.test').dialledBy === 'us' &&
            bolt.manager.status('acme.test').dialledBy === 'them',
        );
        await quiet();
        assert.equal((await acme.manager.request('bolt.test', get)).status, 200);
        assert.equal((await bolt.manager.request('acme.test', get)).status, 200);
      } finally {
        await close();
      }
    }
  });

  it('loses no request while the second link is given up', async () => {
    const { acme, bolt, close } = await twoIslands({ dial: 'both' });
    try {
      acme.manager.start();
      bolt.manager.start();
      const asked = Array.from({ length: 200 }, (_, index) => {
        const [from, to] = index % 2 === 0 ? [acme, 'bolt.test'] : [bolt, 'acme.test'];
        return quiet(index % 50).then(() => from.manager.request(to, get));
      });
      const responses = await Promise.all(asked);
      assert.ok(responses.every((response) => response.status === 200));
      assert.equal(acme.requests.length + bolt.requests.length, 200);
    } finally {
      await close();
    }
  });

  it('takes the newer of two links of one dialler', async () => {
    const island = new TestIsland('acme.test');
    await island.listen();
    island.manager.start();
    const peer = new RawPeer(island);
    try {
      await peer.link();
      await until(() => island.isUp('raw.test'));
      const older = peer.socket;
      let code = 0;
      older?.on('close', (closeCode) => {
        code = closeCode;
      });
      await peer.link();
      await until(() => code === 4409);
      assert.ok(island.isUp('raw.test'));
      const asked = island.manager.request('raw.test', get);
      await until(() => peer.of(frameTypes.req).length === 1);
      peer.send(frameTypes.res, { stream: 2, end: true, header: { status: 200 } });
      assert.equal((await asked).status, 200);
    } finally {
      peer.end();
      await island.close();
    }
  });

  it('drops a dead one for a living one, whoever dialled it', async () => {
    // Acme has the smaller name, so its own link would be kept; but the wire of that one is torn unseen.
    const { acme, bolt, clock, close } = await twoIslands();
    const relay = new Relay(() => bolt.port);
    try {
      acme.partners.set('bolt.test', bolt.asPartner({ urls: [`ws://127.0.0.1:${await relay.listen()}`] }));
      bolt.manager.start();
      acme.manager.start();
      await until(() => acme.isUp('bolt.test') && bolt.isUp('acme.test'));
      relay.isTorn = true;
      bolt.partners.set('acme.test', acme.asPartner());
      bolt.manager.cut('acme.test');
      bolt.manager.partnersChanged();
      await until(() => bolt.isUp('acme.test'));
      await quiet();
      clock.advance(5_000);
      await until(() => acme.manager.status('bolt.test').dialledBy === 'them');
      assert.ok(acme.hasLogged('it did not answer beside another link'));
      assert.equal((await acme.manager.request('bolt.test', get)).status, 200);
      assert.equal((await bolt.manager.request('acme.test', get)).status, 200);
    } finally {
      relay.close();
      await close();
    }
  });
});

/** A wire that can be torn without either end noticing. */
class Relay {
  isTorn = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(port: () => number) {
    this.#server = createServer((inward) => {
      const onward = connect(port(), '127.0.0.1');
      this.#pass(inward, onward);
      this.#pass(onward, inward);
    });
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (chunk) => {
      if (!this.isTorn) to.write(chunk);
    });
    from.on('error', () => {});
    from.on('close', () => {
      if (!this.isTorn) to.destroy();
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => {
      this.#server.listen(0, '127.0.0.1', resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
