import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import Type from 'typebox';
import { buildApp } from '../../http/app.ts';
import { clientAddress } from '../../http/client-address.ts';
import { route } from '../../http/route.ts';
import { type LogLine, recordingLog } from '../support/runtime.ts';

describe('The HTTP application', () => {
  const lines: LogLine[] = [];
  let server: Server;
  let agent: Agent;

  before(async () => {
    const app = buildApp(
      [
        route({ method: 'GET', path: '/a/:one', auth: 'none', handler: ({ params }) => ({ ...params }) }),
        route({
          method: 'PUT',
          path: ['/a/:one/:two', '/b/:one/'],
          auth: 'none',
          body: Type.Object({ word: Type.String() }),
          maxBody: 1_000,
          handler: ({ params, body, query }) => ({ ...params, ...body, q: query.get('q') ?? '' }),
        }),
      ],
      {
        log: recordingLog(lines),
        addressOf: clientAddress({ xForwarded: false, trustedProxies: [] }),
        authenticate: () => {
          throw new Error('nobody asks');
        },
        toMatrixError: () => undefined,
      },
    );
    server = createServer(app.callback()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    agent = new Agent({ keepAlive: true, maxSockets: 1 });
  });

  after(() => {
    agent.destroy();
    server.close();
  });

  async function ask(method: string, path: string, body?: Iterable<string>): Promise<[number, unknown]> {
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const request = httpRequest({ agent, host: '127.0.0.1', port: address.port, method, path });
    for (const part of body ?? []) request.write(part);
    request.end();
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    return [response.statusCode ?? 0, text === '' ? undefined : JSON.parse(text)];
  }

  it('finds a route by its method and all of its segments, and decodes parameters once', async () => {
    assert.deepEqual(await ask('GET', '/a/x%252Fy'), [200, { one: 'x%2Fy' }]);
    assert.deepEqual(await ask('PUT', '/a/1/2?q=3', ['{"word":"w"}']), [
      200,
      { one: '1', two: '2', word: 'w', q: '3' },
    ]);
    assert.deepEqual(await ask('PUT', '/b/1/', ['{"word":"w"}']), [200, { one: '1', word: 'w', q: '' }]);
    assert.deepEqual(await ask('HEAD', '/a/x'), [200, undefined]);
  });

  it('tells a path that nobody serves from a method that its path does not know', async () => {
    for (const [method, path, status] of [
      ['GET', '/A/x', 404],
      ['GET', '/a/', 404],
      ['PUT', '/b/1', 404],
      ['GET', '/a/x/y/z', 404],
      ['GET', '/a/x/y', 405],
      ['DELETE', '/a/x', 405],
    ] as const) {
      const [got, body] = await ask(method, path);
      assert.equal(got, status, `${method} ${path}`);
      assert.equal((body as { errcode: string }).errcode, 'M_UNRECOGNIZED');
    }
    assert.equal((await ask('OPTIONS', '/nowhere'))[0], 200);
    assert.equal((await ask('GET', '/a/%ff'))[0], 400);
  });

  it('says what is wrong with a body', async () => {
    const [status, body] = await ask('PUT', '/a/1/2', ['{"word":5}']);
    assert.equal(status, 400);
    assert.match(JSON.stringify(body), /M_BAD_JSON.*word must be string/);
  });

  it('takes a body as deep as an event of it can go to other servers, and none that is deeper', async () => {
    const nested = (depth: number): string[] => [
      `{"word":"w","more":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`,
    ];
    assert.equal((await ask('PUT', '/a/1/2', nested(100)))[0], 200);
    const [status, body] = await ask('PUT', '/a/1/2', nested(101));
    assert.equal(status, 400);
    assert.equal((body as { errcode: string }).errcode, 'M_BAD_JSON');
  });

  it('refuses a body that grows too large, announced or not, and serves the next request', async () => {
    const parts = Array.from({ length: 200 }, () => ' '.repeat(1_000));
    const [status, body] = await ask('PUT', '/a/1/2', parts);
    assert.equal(status, 413);
    assert.equal((body as { errcode: string }).errcode, 'M_TOO_LARGE');
    assert.equal((await ask('PUT', '/a/1/2', ['{"word":"w"}']))[0], 200);
    assert.deepEqual(lines, []);
  });
});
