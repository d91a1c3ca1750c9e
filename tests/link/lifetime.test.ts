import assert from 'node:assert/strict';
import { LinkUnavailable } from '../../federation/link/link-manager.ts';
import { strictCipher } from '../../federation/link/noise/cipher-state.ts';
import { frameTypes, RawPeer } from './raw-peer.ts';
import { linkedIslands, quiet, TestIsland, twoIslands, until } from './support.ts';

const get = { method: 'GET', uri: '/x', priority: 'query', deadlineMs: 30_000 } as const;

describe('link: its life', () => {
  it('is pinged after 20 s without sending, and ends after 50 s without receiving', async () => {
    const island = new TestIsland('acme.test');
    await island.listen();
    island.manager.start();
    const peer = await new RawPeer(island).link();
    try {
      await until(() => island.isUp('raw.test'));
      island.clock.advance(19_999);
      await quiet();
      assert.equal(peer.of(frameTypes.ping).length, 0);
      island.clock.advance(1);
      await until(() => peer.of(frameTypes.ping).length === 1);
      peer.send(frameTypes.pong);
      await quiet();
      island.clock.advance(49_999);
      await quiet();
      assert.ok(island.isUp('raw.test'), 'the pong counted');
      island.clock.advance(1);
      await until(() => !island.isUp('raw.test'));
      assert.ok(island.hasLogged('nothing was received'));
    } finally {
      peer.end();
      await island.close();
    }
  });

  it('stays up for hours between two islands that have nothing to say', async () => {
    const { acme, bolt, clock, close } = await linkedIslands();
    try {
      const { since } = acme.manager.status('bolt.test');
      for (let minutes = 0; minutes < 120; minutes += 1) {
        for (let step = 0; step < 4; step += 1) {
          clock.advance(15_000);
          await quiet(6);
        }
      }
      assert.deepEqual(acme.manager.status('bolt.test'), { state: 'connected', since, dialledBy: 'us' });
      assert.equal(bolt.hellos.length, 1);
    } finally {
      await close();
    }
  });

  it('comes back after a cut, within a second of the first try, with a hello of its own', async () => {
    const { acme, bolt, clock, close } = await linkedIslands();
    try {
      const seen: string[] = [];
      for (const event of ['up', 'down'] as const)
        acme.manager.on(event, (serverName: string) => seen.push(`${event} ${serverName}`));
      bolt.manager.cut('acme.test');
      await until(() => !acme.isUp('bolt.test'));
      clock.advance(1_000);
      await until(() => acme.isUp('bolt.test') && bolt.isUp('acme.test'));
      assert.deepEqual(seen, ['down bolt.test', 'up bolt.test']);
      assert.equal(bolt.hellos.length, 2);
      assert.equal((await acme.manager.request('bolt.test', get)).status, 200);
    } finally {
      await close();
    }
  });

  it('waits longer after each failure, with jitter, up to a minute', async () => {
    const { acme, clock, close } = await twoIslands();
    try {
      acme.partners.set('bolt.test', { ...partnerOf(acme, 'bolt.test'), urls: ['ws://127.0.0.1:1'] });
      acme.manager.start();
      const tries = (): number =>
        acme.logged.filter((entry) => /could not be reached/.test(String(entry['msg']))).length;
      const gaps: number[] = [];
      for (let attempt = 1; attempt <= 14; attempt += 1) {
        await until(() => tries() >= attempt);
        await quiet(4);
        const start = clock.now();
        while (acme.manager.status('bolt.test').state !== 'connecting') clock.advance(50);
        gaps.push(clock.now() - start);
      }
      for (const [index, gap] of gaps.entries())
        assert.ok(gap <= Math.min(60_000, 1_000 * 2 ** index) + 50, `gap ${index}: ${gap}`);
      assert.ok(Math.max(...gaps) > 8_000, `it slows down: ${gaps}`);
    } finally {
      await close();
    }
  });

  it('treats a 403 as an ordinary failure, and retries at once when the partners change', async () => {
    const { acme, bolt, close } = await twoIslands();
    try {
      const entry = partnerOf(bolt, 'acme.test');
      bolt.partners.delete('acme.test');
      bolt.manager.start();
      acme.manager.start();
      await until(() => acme.hasLogged('It answered 403'));
      assert.ok(bolt.hasLogged('not-a-partner'));
      bolt.partners.set('acme.test', entry);
      acme.manager.partnersChanged();
      await until(() => acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('alarms when another key answers, and waits ten minutes', async () => {
    const { acme, bolt, clock, close } = await twoIslands();
    try {
      const other = new TestIsland('bolt.test', { clock });
      acme.partners.set('bolt.test', {
        ...partnerOf(acme, 'bolt.test'),
        verifyKeys: other.asPartner({ urls: [] }).verifyKeys,
      });
      bolt.manager.start();
      acme.manager.start();
      await until(() => acme.hasLogged('unpinned-key'));
      await quiet();
      const alarms = (): number => acme.logged.filter((entry) => /^ALARM/.test(String(entry['msg']))).length;
      assert.equal(alarms(), 1);
      for (let step = 0; step < 59; step += 1) {
        clock.advance(10_000);
        await quiet(2);
      }
      assert.equal(alarms(), 1);
      clock.advance(10_000);
      await until(() => alarms() === 2);
      acme.partners.set('bolt.test', bolt.asPartner());
      acme.manager.partnersChanged();
      await until(() => acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('obeys Retry-After', async () => {
    const { acme, bolt, clock, close } = await twoIslands();
    try {
      // Not started: it answers 503 and asks for five seconds.
      acme.manager.start();
      await until(() => acme.hasLogged('It answered 503'));
      await quiet();
      bolt.manager.start();
      clock.advance(4_900);
      await quiet();
      assert.equal(acme.manager.status('bolt.test').state, 'down');
      clock.advance(100);
      await until(() => acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('closes at once when the partner is suspended, and when its key is no longer pinned', async () => {
    const { acme, bolt, clock, close } = await linkedIslands();
    try {
      const entry = partnerOf(bolt, 'acme.test');
      bolt.partners.set('acme.test', { ...entry, state: 'suspended' });
      bolt.manager.partnersChanged();
      assert.ok(!bolt.isUp('acme.test'));
      await until(() => !acme.isUp('bolt.test'));
      await assert.rejects(bolt.manager.request('acme.test', get), LinkUnavailable);
      bolt.partners.set('acme.test', entry);
      bolt.manager.partnersChanged();
      acme.manager.partnersChanged();
      await until(() => bolt.isUp('acme.test') && acme.isUp('bolt.test'));
      // An entry that ends by itself, at its time: nobody says that partners changed.
      bolt.partners.set('acme.test', { ...entry, verifyKeys: new Map() });
      clock.advance(1_000);
      await until(() => !bolt.isUp('acme.test'));
    } finally {
      await close();
    }
  });

  it('ends with GOAWAY: what is open finishes, what comes later waits for another link', async () => {
    const { acme, bolt, clock, close } = await linkedIslands();
    try {
      let answer: () => void = () => {};
      bolt.handler = () =>
        new Promise((resolve) => {
          answer = () => resolve({ status: 200, body: Buffer.from('in time') });
        });
      const open = acme.manager.request('bolt.test', get);
      await quiet();
      const stopped = bolt.manager.stop();
      await until(() => !acme.isUp('bolt.test'));
      const late = assert.rejects(acme.manager.request('bolt.test', get, { waitMs: 1_000 }), LinkUnavailable);
      answer();
      assert.equal((await (await open).body()).toString(), 'in time');
      await stopped;
      await quiet();
      clock.advance(1_000);
      await late;
    } finally {
      await close();
    }
  });

  it('still serves a request that was on its way when it said GOAWAY', async () => {
    const island = new TestIsland('acme.test');
    await island.listen();
    island.manager.start();
    const peer = await new RawPeer(island).link();
    try {
      await until(() => island.isUp('raw.test'));
      const stopped = island.manager.stop();
      await until(() => peer.of(frameTypes.goaway).length === 1);
      await quiet();
      peer.request(1, {}, Buffer.from('late'));
      peer.send(frameTypes.goaway);
      await until(() => peer.of(frameTypes.res).length === 1);
      assert.equal(peer.of(frameTypes.res)[0]?.payload.toString(), 'late');
      await stopped;
      await until(() => peer.closeCode === 1001);
    } finally {
      peer.end();
      await island.close();
    }
  });

  it('does not wait for ever for what is open when it stops', async () => {
    const { acme, bolt, clock, close } = await linkedIslands();
    try {
      bolt.handler = () => new Promise(() => {});
      const open = assert.rejects(
        acme.manager.request('bolt.test', { ...get, deadlineMs: 600_000 }),
        LinkUnavailable,
      );
      await quiet();
      const stopped = bolt.manager.stop();
      await quiet();
      clock.advance(5_000);
      await stopped;
      await open;
    } finally {
      await close();
    }
  });

  it('is replaced when its session has used its records up', async () => {
    const internals = { handshake: { cipher: { ...strictCipher, maxRecords: 20 } } };
    const { acme, bolt, clock, close } = await twoIslands({ acme: { internals }, bolt: { internals } });
    try {
      bolt.manager.start();
      acme.manager.start();
      let served = 0;
      for (let time = 0; served < 50; time += 1) {
        assert.ok(time < 200, 'it goes on');
        const asked = acme.manager.request('bolt.test', get).then(
          () => true,
          () => false,
        );
        while (!acme.isUp('bolt.test')) {
          clock.advance(100);
          await quiet(8);
        }
        if (await asked) served += 1;
      }
      assert.ok(bolt.hellos.length > 2, 'more than one session was needed');
    } finally {
      await close();
    }
  });

  it('is closed when the layer above does not accept the hello, and serves no request before it did', async () => {
    let accept = false;
    let release: () => void = () => {};
    const { acme, bolt, clock, close } = await twoIslands({
      bolt: {
        onHello: async () => {
          if (!accept) throw new Error('two servers share one key');
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        },
      },
    });
    try {
      bolt.manager.start();
      acme.manager.start();
      await until(() => bolt.hellos.length === 1);
      await quiet();
      assert.ok(!bolt.isUp('acme.test') && !acme.isUp('bolt.test'));
      accept = true;
      clock.advance(2_000);
      await until(() => bolt.hellos.length === 2 && acme.isUp('bolt.test'));
      const asked = acme.manager.request('bolt.test', get);
      await quiet();
      assert.deepEqual(bolt.requests, []);
      release();
      assert.equal((await asked).status, 200);
    } finally {
      await close();
    }
  });
});

function partnerOf(island: TestIsland, name: string) {
  const entry = island.partners.get(name);
  assert.ok(entry);
  return entry;
}
