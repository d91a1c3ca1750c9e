import assert from 'node:assert/strict';
import { LinkBodyTooLarge, LinkStreamReset, LinkUnavailable } from '../../federation/link/link-manager.ts';
import { linkedIslands, quiet, twoIslands, until } from './support.ts';

const get = { method: 'GET', uri: '/x', priority: 'query', deadlineMs: 30_000 } as const;

describe('link: requests', () => {
  it('carries requests both ways over one socket, after the hello of each side', async () => {
    const { acme, bolt, close } = await linkedIslands({
      acme: { hello: async () => ({ lanes: { pdu: 7 } }) },
    });
    try {
      assert.deepEqual(bolt.hellos, [{ from: 'acme.test', hello: { lanes: { pdu: 7 } } }]);
      assert.deepEqual(acme.hellos, [{ from: 'bolt.test', hello: { from: 'bolt.test' } }]);
      const body = Buffer.from('{"pdus":[]}');
      const there = await acme.manager.request('bolt.test', {
        ...get,
        method: 'PUT',
        body,
        headers: { lane: 'pdu', first: '1' },
      });
      assert.equal(there.status, 200);
      assert.equal(there.contentType, 'text/plain');
      assert.deepEqual(await there.body(), body);
      const back = await bolt.manager.request('acme.test', { ...get, uri: '/y' });
      assert.equal((await back.body()).length, 0);
      assert.deepEqual([bolt.requests, acme.requests], [['/x'], ['/y']]);
      assert.equal(acme.manager.status('bolt.test').dialledBy, 'us');
      assert.equal(bolt.manager.status('acme.test').dialledBy, 'them');
    } finally {
      await close();
    }
  });

  it('shows the handler who asks, what, and the further keys of the header', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      bolt.handler = async (request) => {
        const { origin, method, uri, contentType, headers } = request;
        return {
          status: 207,
          contentType: 'application/json',
          headers: { seen: 'yes' },
          body: Buffer.from(JSON.stringify({ origin, method, uri, contentType, headers })),
        };
      };
      const response = await acme.manager.request('bolt.test', {
        method: 'PUT',
        uri: '/_matrix/federation/v1/send/1?a=b',
        contentType: 'application/json',
        body: Buffer.from('{}'),
        priority: 'pdu',
        deadlineMs: 1_000,
        headers: { lane: 'pdu', first: '1', last: '50' },
      });
      assert.equal(response.status, 207);
      assert.deepEqual(response.headers, { seen: 'yes' });
      assert.deepEqual(JSON.parse((await response.body()).toString()), {
        origin: 'acme.test',
        method: 'PUT',
        uri: '/_matrix/federation/v1/send/1?a=b',
        contentType: 'application/json',
        headers: { lane: 'pdu', first: '1', last: '50' },
      });
    } finally {
      await close();
    }
  });

  it('carries bodies far larger than the windows, both ways, also as a stream', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      const body = Buffer.alloc(6 * 1024 * 1024, 'abcdefg');
      bolt.handler = async (request) => {
        const received = await request.body(body.length);
        return {
          status: 200,
          body: (async function* () {
            for (let offset = 0; offset < received.length; offset += 100_001)
              yield received.subarray(offset, offset + 100_001);
          })(),
        };
      };
      const response = await acme.manager.request('bolt.test', {
        ...get,
        method: 'PUT',
        body,
        priority: 'bulk',
      });
      let length = 0;
      const chunks: Buffer[] = [];
      for await (const chunk of response.stream) {
        chunks.push(chunk);
        length += chunk.length;
      }
      assert.equal(length, body.length);
      assert.ok(Buffer.concat(chunks).equals(body));
    } finally {
      await close();
    }
  });

  it('holds a sender back until the consumer has drained what it sent', async () => {
    const limits = { streamWindow: 64 * 1024 };
    const { acme, bolt, close } = await linkedIslands({ acme: { limits }, bolt: { limits } });
    try {
      let produced = 0;
      bolt.handler = async () => ({
        status: 200,
        body: (async function* () {
          for (let index = 0; index < 64; index += 1) {
            produced += 16 * 1024;
            yield Buffer.alloc(16 * 1024);
          }
        })(),
      });
      const response = await acme.manager.request('bolt.test', get);
      await quiet();
      const ahead = produced;
      assert.ok(ahead <= 64 * 1024 + 2 * 16 * 1024, `${ahead} bytes were produced for nobody`);
      assert.equal((await response.body()).length, 64 * 16 * 1024);
      assert.equal(produced, 64 * 16 * 1024);
    } finally {
      await close();
    }
  });

  it('answers a body above the limit with 413 and takes no more of it', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      const body = Buffer.alloc(2 * 1024 * 1024);
      bolt.handler = async (request) => ({ status: 200, body: await request.body(100_000) });
      const response = await acme.manager.request('bolt.test', { ...get, method: 'PUT', body });
      assert.equal(response.status, 413);
      assert.equal(JSON.parse((await response.body()).toString()).errcode, 'M_TOO_LARGE');
      assert.ok(acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('gives up an answer that is longer than the caller takes', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      let isAborted = false;
      bolt.handler = async (request) => {
        request.signal.addEventListener('abort', () => {
          isAborted = true;
        });
        return { status: 200, body: Buffer.alloc(3 * 1024 * 1024) };
      };
      const response = await acme.manager.request('bolt.test', get);
      await assert.rejects(response.body(500_000), LinkBodyTooLarge);
      await until(() => isAborted);
      bolt.handler = async () => ({ status: 200 });
      assert.equal((await acme.manager.request('bolt.test', get)).status, 200);
    } finally {
      await close();
    }
  });

  it('ends a request at its deadline, on both sides', async () => {
    const { acme, bolt, clock, close } = await linkedIslands();
    try {
      let why: unknown;
      bolt.handler = (request) =>
        new Promise((resolve) => {
          request.signal.addEventListener('abort', () => {
            why = request.signal.reason;
            resolve({ status: 200 });
          });
        });
      const asked = acme.manager.request('bolt.test', { ...get, deadlineMs: 2_000 });
      const refused = assert.rejects(
        asked,
        (error) => error instanceof LinkStreamReset && error.reason === 'timeout',
      );
      await quiet();
      clock.advance(2_000);
      await refused;
      await until(() => why instanceof Error);
      assert.ok(acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('opens at most 64 requests at a time, 8 of bulk and 4 of media; the rest wait and are served', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      const running = { bulk: 0, media: 0, query: 0 };
      const most = { bulk: 0, media: 0, query: 0 };
      let release: () => void = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      bolt.handler = async (request) => {
        const kind = request.uri.slice(1) as keyof typeof running;
        running[kind] += 1;
        most[kind] = Math.max(most[kind], running[kind]);
        await released;
        running[kind] -= 1;
        return { status: 200 };
      };
      const asked = (['bulk', 'media', 'query'] as const).flatMap((priority) =>
        Array.from({ length: 80 }, () =>
          acme.manager.request('bolt.test', { ...get, uri: `/${priority}`, priority }),
        ),
      );
      await until(() => running.query === 52);
      await quiet();
      assert.deepEqual(most, { bulk: 8, media: 4, query: 52 });
      release();
      const responses = await Promise.all(asked);
      assert.equal(responses.filter((response) => response.status === 200).length, 240);
      assert.deepEqual([most.bulk, most.media], [8, 4]);
    } finally {
      await close();
    }
  });

  it('sends what is urgent before what is heavy', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      const order: string[] = [];
      const heavy = Buffer.alloc(3 * 1024 * 1024);
      bolt.handler = async (request) => {
        await request.body(heavy.length);
        order.push(request.uri);
        return { status: 200 };
      };
      const put = { method: 'PUT', body: heavy, deadlineMs: 30_000 } as const;
      const asked = [
        acme.manager.request('bolt.test', { ...put, uri: '/media', priority: 'media' }),
        acme.manager.request('bolt.test', { ...put, uri: '/bulk', priority: 'bulk' }),
        acme.manager.request('bolt.test', { ...get, uri: '/edu', priority: 'edu' }),
        acme.manager.request('bolt.test', { ...get, uri: '/pdu', priority: 'pdu' }),
      ];
      await Promise.all(asked);
      assert.deepEqual(order.slice(0, 2).sort(), ['/edu', '/pdu']);
    } finally {
      await close();
    }
  });

  it('turns a failing handler into a 500 without details, and goes on', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      bolt.handler = () => Promise.reject(new Error('a secret detail'));
      const response = await acme.manager.request('bolt.test', get);
      assert.equal(response.status, 500);
      assert.doesNotMatch((await response.body()).toString(), /secret/);
      assert.ok(acme.isUp('bolt.test'));
    } finally {
      await close();
    }
  });

  it('refuses to name an origin in a request', async () => {
    const { acme, close } = await linkedIslands();
    try {
      const asked = acme.manager.request('bolt.test', { ...get, headers: { Authorization: 'X-Matrix' } });
      await assert.rejects(asked, TypeError);
    } finally {
      await close();
    }
  });

  it('waits for the link, and says so when none comes', async () => {
    const { acme, bolt, clock, close } = await twoIslands();
    try {
      acme.manager.start();
      const early = acme.manager.request('bolt.test', { ...get, deadlineMs: 60_000 });
      await quiet();
      bolt.manager.start();
      await until(() => {
        clock.advance(500);
        return acme.isUp('bolt.test');
      });
      assert.equal((await early).status, 200);
      bolt.manager.cut('acme.test', { hold: true });
      await until(() => !acme.isUp('bolt.test'));
      const late = assert.rejects(
        acme.manager.request('bolt.test', get, { waitMs: 10_000 }),
        LinkUnavailable,
      );
      await quiet();
      clock.advance(10_000);
      await late;
      await assert.rejects(acme.manager.request('nobody.test', get), LinkUnavailable);
    } finally {
      await close();
    }
  });

  it('fails what is open when the link is cut, and says that it may have arrived', async () => {
    const { acme, bolt, close } = await linkedIslands();
    try {
      let isAborted = false;
      bolt.handler = (request) =>
        new Promise(() => {
          request.signal.addEventListener('abort', () => {
            isAborted = true;
          });
          bolt.manager.cut('acme.test');
        });
      const asked = acme.manager.request('bolt.test', get);
      await assert.rejects(asked, (error) => error instanceof LinkUnavailable && error.maybeDelivered);
      await until(() => isAborted);
    } finally {
      await close();
    }
  });
});
