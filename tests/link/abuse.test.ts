import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { JsonError, parseJson } from '../../protocol/json.ts';
import { frameTypes, RawPeer } from './raw-peer.ts';
import { linkedIslands, quiet, TestIsland, until } from './support.ts';

describe('link: abuse', () => {
  let island: TestIsland;
  let peer: RawPeer;

  beforeEach(async () => {
    island = new TestIsland('acme.test', { limits: { originBurst: 1000 } });
    await island.listen();
    island.manager.start();
    peer = new RawPeer(island);
  });

  afterEach(async () => {
    peer.end();
    await island.close();
  });

  it('lives through 500 sockets that dribble their headers, and ends them after ten seconds', async () => {
    const sockets: Socket[] = [];
    let ended = 0;
    let open = 0;
    for (let index = 0; index < 500; index += 1) {
      const socket = connect(island.port, '127.0.0.1', () => {
        open += 1;
        socket.write('GET /_archipelago/link/v1 HTTP/1.1\r\nX-Slow: ');
      });
      socket.on('error', () => {});
      socket.on('close', () => {
        ended += 1;
      });
      sockets.push(socket);
    }
    await until(() => open === 500);
    await peer.link();
    await until(() => island.isUp('raw.test'));
    for (const socket of sockets) socket.write('a');
    await quiet();
    assert.equal(ended, 0);
    island.clock.advance(10_000);
    await until(() => ended === 500);
    assert.ok(island.isUp('raw.test'), 'the partner is still there');
  });

  it('has 64 places for sockets before the end of the handshake, for ten seconds each', async () => {
    const statuses: number[] = [];
    const sockets: (typeof peer.socket)[] = [];
    for (let index = 0; index < 66; index += 1) {
      statuses.push(await peer.upgrade());
      sockets.push(peer.socket);
    }
    assert.equal(statuses.filter((status) => status === 101).length, 64);
    assert.deepEqual(statuses.slice(64), [503, 503]);
    island.clock.advance(10_000);
    await until(() => sockets.slice(0, 64).every((socket) => socket?.readyState === 3));
    await peer.link();
    await until(() => island.isUp('raw.test'));
  });

  it('refuses everybody else in one and the same way, before a WebSocket exists', async () => {
    const answers = new Set<string>();
    const knock = (headers: string): Promise<string> =>
      new Promise((resolve) => {
        let text = '';
        const socket = connect(island.port, '127.0.0.1', () =>
          socket.write(
            `GET /_archipelago/link/v1?nonce=${'n'.repeat(22)}&ts=${island.clock.now()} HTTP/1.1\r\nHost: x\r\n` +
              'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
              'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: island-link.v1\r\n' +
              `${headers}\r\n`,
          ),
        );
        socket.on('data', (chunk) => {
          text += chunk;
        });
        socket.on('close', () => resolve(text));
      });
    island.partners.set('gone.test', { ...peerEntry(island), serverName: 'gone.test', state: 'suspended' });
    const signed = (origin: string, key = 'ed25519:raw'): string =>
      `Authorization: X-Matrix origin="${origin}",destination="acme.test",key="${key}",sig="${'A'.repeat(86)}"\r\n`;
    answers.add(await knock(''));
    answers.add(await knock(signed('stranger.test')));
    answers.add(await knock(signed('gone.test')));
    answers.add(await knock(signed('raw.test')));
    answers.add(await knock(signed('raw.test', 'ed25519:other')));
    assert.equal(answers.size, 1);
    assert.match([...answers][0] ?? '', /^HTTP\/1\.1 403 /);
    for (const reason of ['malformed', 'not-a-partner', 'bad-signature', 'unpinned-key'])
      assert.ok(island.hasLogged(reason), reason);
  });

  it('answers a plain GET with 426, and another upgrade with 404', async () => {
    const plain = await fetch(`http://127.0.0.1:${island.port}/_archipelago/link/v1`);
    assert.equal(plain.status, 426);
    assert.equal(plain.headers.get('upgrade'), 'websocket');
    const status = await new Promise((resolve) => {
      const socket = connect(island.port, '127.0.0.1', () =>
        socket.write('GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
      );
      socket.once('data', (chunk) => resolve(chunk.toString().split(' ')[1]));
    });
    assert.equal(status, '404');
  });

  it('serves a client that offers HTTP/2 on a plain connection as if it had not', async () => {
    island.server.removeAllListeners('request');
    island.server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      response.end(`${request.method} ${request.url} ${Buffer.concat(chunks)} ${request.headers.upgrade}`);
    });
    const answers: string[] = [];
    const socket = connect(island.port, '127.0.0.1');
    socket.on('data', (chunk) => answers.push(chunk.toString()));
    const ask = (body: string): boolean =>
      socket.write(
        `POST /login HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\nContent-Length: 5\r\n\r\n${body}`,
      );
    ask('one..');
    await until(() => answers.join('').includes('POST /login one.. undefined'));
    ask('two..');
    await until(() => answers.join('').includes('POST /login two.. undefined'));
    socket.destroy();
  });

  /** An endless answer to a peer that gives all credit and does not read; gives how much was made of it. */
  async function stuffUp(): Promise<number> {
    let produced = 0;
    const chunk = Buffer.alloc(64 * 1024);
    island.handler = async () => ({
      status: 200,
      body: (async function* () {
        for (;;) {
          produced += chunk.length;
          yield chunk;
        }
      })(),
    });
    await peer.link();
    peer.request(1, {});
    peer.unlimited(1);
    await until(() => produced > 0);
    (peer.socket as unknown as { _socket: Socket })._socket.pause(); // Below ws: nothing is read any more.
    let before = -1;
    while (before !== produced) {
      before = produced;
      await quiet(20);
    }
    return produced;
  }

  it('terminates a peer that never reads after twenty seconds, and holds little for it', async () => {
    const produced = await stuffUp();
    assert.ok(produced < 64 * 1024 * 1024, `${produced} bytes were made for a peer that does not read`);
    assert.ok(island.isUp('raw.test'));
    island.clock.advance(20_000);
    await until(() => !island.isUp('raw.test'));
    assert.ok(island.hasLogged('it does not read'));
  });

  it('bounds what a peer that does not read can make us answer', async () => {
    await stuffUp();
    for (let ping = 0; ping < 2_000; ping += 1) peer.send(frameTypes.ping, { payload: Buffer.alloc(64) });
    await until(() => !island.isUp('raw.test'));
    assert.ok(island.hasLogged('too many control frames wait'));
  });

  it('gives up an answer for which a peer gives no credit', async () => {
    island.handler = async () => ({ status: 200, body: Buffer.alloc(1024 * 1024) });
    await peer.link();
    peer.request(1, {});
    await until(() => peer.of(frameTypes.data).length > 0);
    await quiet();
    const sent = [...peer.of(frameTypes.res), ...peer.of(frameTypes.data)];
    assert.equal(
      sent.reduce((sum, frame) => sum + frame.payload.length, 0),
      256 * 1024,
      'as much as the window, no more',
    );
    island.clock.advance(25_000);
    await until(() => peer.of(frameTypes.reset).length === 1);
    assert.equal(peer.header(frameTypes.reset)['reason'], 'timeout');
    assert.ok(island.isUp('raw.test'));
  });

  it('closes on a message of 66,000 bytes', async () => {
    await peer.link();
    peer.raw(Buffer.alloc(66_000));
    await until(() => peer.closeCode !== undefined);
    assert.equal(peer.closeCode, 1009);
  });

  it('closes on a message in one-byte fragments', async () => {
    await peer.link();
    for (let index = 0; index < 1_000; index += 1)
      peer.socket?.send(Buffer.alloc(1), { fin: false, binary: true });
    await until(() => peer.closeCode !== undefined);
    assert.equal(peer.closeCode, 1008);
  });

  it('closes on text, on records that are none, and on frames that it does not have', async () => {
    const cases: [number, () => void][] = [
      [4400, () => peer.raw('text')],
      [4408, () => peer.raw(Buffer.alloc(100))],
      [4408, () => peer.raw(Buffer.alloc(0))],
      [4400, () => peer.record([Buffer.alloc(3)])],
      [4400, () => peer.record([Buffer.from([2, 0, 255, 255, 0, 0, 0, 1])])],
      [4400, () => peer.send(0x7f)],
      [4400, () => peer.send(frameTypes.hello, { payload: Buffer.from('{}') })],
      [4400, () => peer.send(frameTypes.data, { stream: 1 })],
      [4400, () => peer.send(frameTypes.res, { stream: 2, header: { status: 200 } })],
      [4400, () => peer.request(2, {})],
      [4400, () => peer.request(1, { uri: 5 })],
      [4400, () => peer.request(1, { uri: 'no-slash' })],
      [4400, () => peer.send(frameTypes.req, { stream: 1, header: Buffer.from('{"a":1,"a":2}') })],
      [4400, () => peer.send(frameTypes.req, { stream: 1, header: Buffer.alloc(60_000, '[') })],
      [4400, () => peer.send(frameTypes.window, { payload: Buffer.alloc(2) })],
      [4400, () => peer.send(frameTypes.window, { payload: Buffer.alloc(4, 255) })],
      [4400, () => peer.send(frameTypes.ping, { payload: Buffer.alloc(65) })],
    ];
    for (const [code, act] of cases) {
      await peer.link();
      await until(() => island.isUp('raw.test'));
      act();
      await until(() => peer.closeCode !== undefined, act.toString());
      assert.equal(peer.closeCode, code, act.toString());
    }
  });

  it('closes on a link that does not begin with the hello', async () => {
    await peer.link({ hello: 'none' });
    peer.request(1, {});
    await until(() => peer.closeCode === 4400);
    await peer.link({ hello: 'none' });
    await quiet();
    island.clock.advance(10_000);
    await until(() => peer.closeCode === 1006);
    assert.deepEqual(island.requests, []);
    assert.equal(island.manager.status('raw.test').state, 'down');
  });

  it('takes JSON 200,000 deep as the bad request that it is', async () => {
    island.handler = async (request) => {
      try {
        parseJson(await request.body(1024 * 1024));
        return { status: 200 };
      } catch (error) {
        assert.ok(error instanceof JsonError);
        return { status: 400 };
      }
    };
    await peer.link();
    const text = Buffer.alloc(200_000, '[');
    peer.request(1, {}, text.subarray(0, 60_000), false);
    for (let offset = 60_000; offset < text.length; offset += 60_000)
      peer.send(frameTypes.data, {
        stream: 1,
        end: offset + 60_000 >= text.length,
        payload: text.subarray(offset, offset + 60_000),
      });
    await until(() => peer.of(frameTypes.res).length === 1);
    assert.equal(peer.header(frameTypes.res)['status'], 400);
    assert.ok(island.isUp('raw.test'));
  });

  it('ends an endless body at its limit, and gives it no more credit', async () => {
    island.handler = async (request) => ({ status: 200, body: await request.body(1024 * 1024) });
    await peer.link();
    peer.request(1, {}, Buffer.alloc(0), false);
    let credit = 256 * 1024;
    let granted = 0;
    const chunk = Buffer.alloc(32 * 1024);
    for (let sent = 0; sent < 64 && peer.of(frameTypes.res).length === 0; sent += 1) {
      await until(() => {
        const windows = peer.of(frameTypes.window).filter((frame) => frame.stream === 1);
        for (const frame of windows.slice(granted)) credit += frame.payload.readUInt32BE(0);
        granted = windows.length;
        return credit >= chunk.length || peer.of(frameTypes.res).length > 0;
      });
      if (peer.of(frameTypes.res).length > 0) break;
      credit -= chunk.length;
      peer.send(frameTypes.data, { stream: 1, payload: chunk });
    }
    await until(() => peer.of(frameTypes.res).length === 1 && peer.of(frameTypes.reset).length === 1);
    assert.equal(peer.header(frameTypes.res)['status'], 413);
    assert.equal(peer.header(frameTypes.reset)['reason'], 'too_large');
    assert.ok(island.isUp('raw.test'));
  });

  it('closes on a peer that sends beyond its credit', async () => {
    island.handler = () => new Promise(() => {});
    await peer.link();
    peer.request(1, {}, Buffer.alloc(0), false);
    for (let sent = 0; sent < 9; sent += 1)
      peer.send(frameTypes.data, { stream: 1, payload: Buffer.alloc(32 * 1024) });
    await until(() => peer.closeCode === 4400);
  });

  it('takes 64 requests at a time, and no flood of requests that are cancelled at once', async () => {
    let running = 0;
    island.handler = () => {
      running += 1;
      return new Promise(() => {});
    };
    await peer.link();
    // Until the link is up, so many messages at once would be taken for a flood.
    await until(() => island.isUp('raw.test'));
    for (let index = 0; index < 70; index += 1) peer.request(2 * index + 1, {});
    await until(() => peer.of(frameTypes.reset).length === 6);
    assert.equal(peer.header(frameTypes.reset)['reason'], 'policy');
    assert.equal(running, 64);
    for (let index = 0; index < 500; index += 1) {
      peer.send(frameTypes.reset, { stream: index < 64 ? 2 * index + 1 : 2 * index + 199, header: {} });
      peer.request(2 * index + 1001, {});
      peer.send(frameTypes.reset, { stream: 2 * index + 1001, header: {} });
    }
    await until(() => peer.of(frameTypes.reset).length >= 6 + 500 - 64);
    assert.equal(running, 128);
  });

  it('refuses requests that name an origin, and serves the next', async () => {
    await peer.link();
    peer.request(1, { Origin: 'acme.test' });
    peer.request(3, { authorization: 'X-Matrix origin="acme.test"' });
    peer.request(5, {});
    await until(() => peer.of(frameTypes.res).length === 3);
    const statuses = peer
      .of(frameTypes.res)
      .map((frame) => [frame.stream, JSON.parse(frame.header.toString()).status]);
    assert.deepEqual(statuses.sort(), [
      [1, 403],
      [3, 403],
      [5, 200],
    ]);
    assert.deepEqual(island.requests, ['/x']);
  });

  it('does not let one stuck partner stop another', async () => {
    const { acme, bolt, close } = await linkedIslands();
    const stuck = new RawPeer(acme);
    try {
      acme.handler = (request) =>
        request.origin === 'raw.test'
          ? new Promise(() => {})
          : Promise.resolve({ status: 200, body: Buffer.from('ok') });
      await stuck.link();
      for (let index = 0; index < 64; index += 1)
        stuck.request(2 * index + 1, {}, Buffer.alloc(60_000), false);
      const response = await bolt.manager.request('acme.test', {
        method: 'GET',
        uri: '/x',
        priority: 'query',
        deadlineMs: 5_000,
      });
      assert.equal((await response.body()).toString(), 'ok');
    } finally {
      stuck.end();
      await close();
    }
  });
});

function peerEntry(island: TestIsland) {
  const entry = island.partners.get('raw.test');
  assert.ok(entry);
  return entry;
}
