import assert from 'node:assert/strict';
import { endFlag, frameTypes, RawPeer } from './raw-peer.ts';
import { TestIsland, until } from './support.ts';

describe('link: islands of another age', () => {
  let island: TestIsland;
  let peer: RawPeer;

  beforeEach(async () => {
    island = new TestIsland('acme.test', { features: ['colour'] });
    await island.listen();
    island.manager.start();
    peer = new RawPeer(island);
  });

  afterEach(async () => {
    peer.end();
    await island.close();
  });

  async function talkBothWays(): Promise<void> {
    await until(() => island.isUp('raw.test'));
    peer.request(1, {}, Buffer.from('hi'));
    await until(() => peer.of(frameTypes.res).length === 1);
    assert.equal(peer.of(frameTypes.res)[0]?.payload.toString(), 'hi');
    const asked = island.manager.request('raw.test', {
      method: 'GET',
      uri: '/y',
      priority: 'query',
      deadlineMs: 5_000,
    });
    await until(() => peer.of(frameTypes.req).length === 1);
    const stream = peer.of(frameTypes.req)[0]?.stream ?? 0;
    assert.equal(stream % 2, 0);
    peer.send(frameTypes.res, { stream, end: true, header: { status: 200 }, payload: Buffer.from('yes') });
    assert.equal((await (await asked).body()).toString(), 'yes');
  }

  it('talk with an older one, which announces nothing beyond who it is', async () => {
    await peer.link({
      identity: ({ server_name, key_id, verify_key, link_key_sig }) => ({
        server_name: server_name ?? '',
        key_id: key_id ?? '',
        verify_key: verify_key ?? '',
        link_key_sig: link_key_sig ?? '',
      }),
    });
    await talkBothWays();
  });

  it('talk with a newer one: unknown versions, features, keys, frames, priorities and flags', async () => {
    await peer.link({
      subprotocols: ['island-link.v2', 'island-link.v1'],
      identity: (complete) => ({
        ...complete,
        features: ['colour', 'smell'],
        limits: { streams: 1000, stream_window: 512 * 1024, half: 0.5 },
        quantum_key: { nested: [1, 2.5] },
      }),
      hello: { lanes: {}, hologram: true },
    });
    await until(() => island.isUp('raw.test'));
    assert.deepEqual(island.hellos, [{ from: 'raw.test', hello: { lanes: {}, hologram: true } }]);
    for (const type of [0x80, 0xa7, 0xff])
      peer.send(type, { stream: 77, end: true, header: Buffer.from('not json'), payload: Buffer.alloc(10) });
    peer.send(frameTypes.notice, { payload: Buffer.from('{"kind":"unheard of","x":1.5}') });
    peer.request(1, { priority: 'telepathy', taste: { sweet: true }, weight: 1.5 }, Buffer.from('hi'));
    await until(() => peer.of(frameTypes.res).length === 1);
    peer.frames.length = 0;
    // Flags beyond the end of a body.
    const header = Buffer.from('{"method":"PUT","uri":"/x"}');
    const prefix = Buffer.from([frameTypes.req, 0xf0 | endFlag, 0, header.length, 0, 0, 0, 3]);
    peer.record([prefix, header]);
    await until(() => peer.of(frameTypes.res).length === 1);
    peer.send(frameTypes.reset, { stream: 3, header: { reason: 'mood' } });
    peer.send(frameTypes.goaway, { header: { reason: 'upgrade', until: 7 } });
    await until(() => peer.of(frameTypes.goaway).length === 1);
  });

  it('are told what this island can do', async () => {
    await peer.link();
    assert.deepEqual(peer.identity['features'], ['colour']);
    assert.equal(peer.identity['server_name'], 'acme.test');
    assert.equal(peer.identity['software'], 'test/1');
  });

  it('pass a notice on to the layer above', async () => {
    const notices: unknown[] = [];
    island.manager.on('notice', (serverName, notice) => notices.push([serverName, notice]));
    await peer.link();
    await until(() => island.isUp('raw.test'));
    peer.send(frameTypes.notice, { payload: Buffer.from('{"kind":"policy"}') });
    await until(() => notices.length === 1);
    assert.deepEqual(notices, [['raw.test', { kind: 'policy' }]]);
    island.manager.notice('raw.test', { kind: 'limits' });
    await until(() => peer.of(frameTypes.notice).length === 1);
    assert.equal(peer.of(frameTypes.notice)[0]?.payload.toString(), '{"kind":"limits"}');
  });

  it('keep to the smaller number of requests that the other side takes', async () => {
    await peer.link({ identity: (complete) => ({ ...complete, limits: { streams: 2 } }) });
    await until(() => island.isUp('raw.test'));
    const asked = Array.from({ length: 5 }, () =>
      island.manager.request('raw.test', { method: 'GET', uri: '/y', priority: 'query', deadlineMs: 5_000 }),
    );
    for (let answered = 0; answered < 5; answered += 1) {
      await until(() => peer.of(frameTypes.req).length === Math.min(answered + 2, 5));
      const stream = peer.of(frameTypes.req)[answered]?.stream ?? 0;
      peer.send(frameTypes.res, { stream, end: true, header: { status: 200 } });
    }
    await Promise.all(asked);
  });
});
