import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonValue } from '../../protocol/json.ts';
import { Client, clientServerApi, v3 } from '../support/client.ts';
import type { Specification } from '../support/specification.ts';

describe('the comparison with the OpenAPI files', () => {
  const json = (
    status: number,
    body: JsonValue,
    method = 'GET',
    path = '/_matrix/client/v3/account/whoami',
  ) => ({
    method,
    path,
    status,
    contentType: 'application/json',
    body: Buffer.from(JSON.stringify(body)),
  });

  /** Runs a test where the files are; `clientServerApi` says it where they are not. */
  const withFiles = (run: (api: Specification) => Promise<void>) => async () => {
    const api = await clientServerApi();
    if (api !== undefined) await run(api);
  };

  it(
    'accepts what is as documented, with its query',
    withFiles(async (api) => {
      assert.deepEqual(await api.problems(json(200, { user_id: '@a:b' })), []);
      assert.deepEqual(
        await api.problems(json(200, { user_id: '@a:b' }, 'GET', `${v3`/account/whoami`}?x=1`)),
        [],
      );
      assert.deepEqual(await api.problems(json(401, { errcode: 'M_MISSING_TOKEN', error: 'x' })), []);
    }),
  );

  it(
    'reports a missing field, a wrong type, a wrong id, an undocumented status, another content type',
    withFiles(async (api) => {
      const findings = async (exchange: ReturnType<typeof json>): Promise<string> =>
        (await api.problems(exchange)).join();
      assert.match(await findings(json(200, {})), /user_id/);
      assert.match(await findings(json(200, { user_id: 3 })), /must be string/);
      assert.match(await findings(json(200, { user_id: 'a' })), /pattern|format/);
      assert.match(await findings(json(202, { user_id: '@a:b' })), /status 202/);
      assert.match(await findings(json(500, { errcode: 'M_UNKNOWN' })), /status 500/);
      assert.match(await findings(json(401, { error: 'no errcode' })), /errcode/);
      assert.match(
        await findings({ ...json(200, { user_id: '@a:b' }), contentType: 'text/plain' }),
        /text\/plain/,
      );
      assert.match(await findings({ ...json(200, {}), body: Buffer.from('{') }), /not JSON/);
    }),
  );

  it(
    'reports success on a path or with a method that the specification does not have',
    withFiles(async (api) => {
      const unknown = json(200, {}, 'GET', '/_matrix/client/v3/nothing');
      assert.notDeepEqual(await api.problems(unknown), []);
      assert.deepEqual(
        await api.problems({ ...json(404, { errcode: 'M_UNRECOGNIZED' }), path: unknown.path }),
        [],
      );
      assert.notDeepEqual(await api.problems(json(200, {}, 'DELETE')), []);
      assert.deepEqual(await api.problems(json(405, { errcode: 'M_UNRECOGNIZED' }, 'DELETE')), []);
    }),
  );

  it(
    'looks into lists, and through references to other files',
    withFiles(async (api) => {
      const event = {
        type: 'm.room.name',
        content: {},
        state_key: '',
        event_id: '$a',
        sender: '@a:b',
        room_id: '!a',
      };
      const path = v3`/rooms/${'!a'}/state`;
      const good = { ...event, origin_server_ts: 1 };
      assert.deepEqual(await api.problems(json(200, [good], 'GET', path)), []);
      assert.match(
        (await api.problems(json(200, [good, event], 'GET', path))).join(),
        /\.1 .*origin_server_ts/,
      );
    }),
  );

  it(
    'can compile the schema of every documented answer',
    withFiles(async (api) => {
      assert.ok(api.operations.length > 150);
      for (const { method, path, definition } of api.operations) {
        for (const status of Object.keys(definition['responses'] ?? {})) {
          await api.problems(json(Number(status), {}, method, path.replaceAll(/[{}]/g, '')));
        }
      }
    }),
  );

  it(
    'stands between every test client and its island',
    withFiles(async () => {
      const server = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
        response.end('{}');
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      try {
        // A listening TCP server has an address of this kind.
        const { port } = server.address() as AddressInfo;
        await assert.rejects(Client.anonymous({ port }).get(v3`/account/whoami`), /user_id/);
      } finally {
        server.close();
      }
    }),
  );
});
