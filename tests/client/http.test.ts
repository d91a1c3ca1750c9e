import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Answer, Client, ok, refused, textAt, v1, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('the client API over HTTP', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let alice: Client;
  let anybody: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    anybody = Client.anonymous(island);
    roomId = await alice.createRoom();
  });

  after(() => network.stop());

  const state = (type: string, key: string): string => v3`/rooms/${roomId}/state/${type}/${key}`;

  it('lets browsers from everywhere in: headers on every answer, OPTIONS on every path', async () => {
    const paths = [
      '/',
      '/nothing',
      v3`/login`,
      v3`/sync`,
      v3`/rooms/${roomId}/send/m.room.message/1`,
      '/%ff',
    ];
    for (const path of [...paths, '/_matrix/federation/v1/version', '/_matrix/media/v3/upload']) {
      const { status, headers } = await anybody.request('OPTIONS', path);
      assert.equal(status, 200, path);
      assert.equal(headers['access-control-allow-origin'], '*');
      assert.equal(headers['access-control-allow-methods'], 'GET, POST, PUT, DELETE, OPTIONS');
      assert.equal(headers['access-control-allow-headers'], 'X-Requested-With, Content-Type, Authorization');
    }
    // Nothing is done for an OPTIONS: the session goes on.
    await alice.request('OPTIONS', v3`/logout`);
    await ok(alice.get(v3`/account/whoami`));
  });

  it('does not know paths that differ by case, by a slash at the end or by dots', async () => {
    for (const path of [
      '/_matrix/client/V3/login',
      '/_matrix/client/v3/LOGIN',
      '/_matrix/client/v3/login/',
      '/_matrix/client/v3//login',
      '/_matrix/client/v3/./login',
      '/_matrix/client/v3/x/../login',
      '/_matrix/client/v3/log%69n',
      '/_matrix/client/r0/login',
      '/_matrix/client/v4/login',
      '/_matrix/client',
      '/_matrix',
      '/login',
      '//_matrix/client/v3/login',
    ]) {
      await refused(404, 'M_UNRECOGNIZED', anybody.get(path));
    }
  });

  it('says which methods a path has to who uses another', async () => {
    const answer = await anybody.request('DELETE', v3`/login`);
    assert.deepEqual([answer.status, answer.body['errcode']], [405, 'M_UNRECOGNIZED']);
    assert.equal(answer.headers.allow, 'GET, POST');
    for (const method of ['PATCH', 'PUT']) {
      await refused(405, 'M_UNRECOGNIZED', anybody.request(method, v3`/login`));
    }
    const head = await anybody.request('HEAD', '/_matrix/client/versions');
    assert.deepEqual([head.status, head.bytes.length], [200, 0]);
  });

  it('asks for a token before it looks at anything else', async () => {
    await refused(401, 'M_MISSING_TOKEN', anybody.put(state('m.room.name', ''), {}));
    await refused(401, 'M_MISSING_TOKEN', anybody.request('PUT', state('m.room.name', ''), { raw: '{' }));
    const wrong = Client.of(island, { access_token: 'wrong' });
    const { soft_logout } = await refused(401, 'M_UNKNOWN_TOKEN', wrong.get(v3`/sync`));
    assert.equal(soft_logout, false);
  });

  it('decodes what is in a path once', async () => {
    for (const [type, key] of [
      ['org.example', 'a/b'],
      ['org.example', 'a%2Fb'],
      ['org.example', '%'],
      ['org.example/x?y#z', 'ü 🎉+&='],
      ['org.example', '..'],
    ] as const) {
      const content = { type, key };
      await ok(alice.put(state(type, key), content));
      assert.deepEqual(await ok(alice.get(state(type, key))), content);
      const whole = await ok(alice.get(state(type, key), { format: 'event' }));
      assert.deepEqual([whole['type'], whole['state_key']], [type, key]);
    }
    // The empty state key, with the slash and without.
    await ok(alice.put(state('org.example.empty', ''), { n: 1 }));
    const short = v3`/rooms/${roomId}/state/org.example.empty`;
    assert.deepEqual(await ok(alice.get(short)), { n: 1 });
    await ok(alice.put(short, { n: 2 }));
    assert.deepEqual(await ok(alice.get(state('org.example.empty', ''))), { n: 2 });
    // A plus sign is a plus sign.
    await refused(404, 'M_NOT_FOUND', alice.get(`${v3`/rooms/${roomId}/state/org.example`}/a+b`));
    for (const broken of ['%', '%f', '%zz', '%ff', '%c3%28', '%ed%a0%80']) {
      await refused(400, 'M_INVALID_PARAM', alice.get(`/_matrix/client/v3/rooms/${broken}/state`));
    }
  });

  const send = (raw: string | Buffer): Promise<Answer> =>
    alice.request('PUT', v3`/rooms/${roomId}/send/org.example/${Math.random().toString(36)}`, { raw });

  it('takes JSON objects and nothing else', async () => {
    await ok(send('{"a": [1, {"b": "\\u00fc"}]}'));
    const notJson = [
      '{',
      'x',
      '{"a":1,}',
      "{'a':1}",
      '{"a":1} x',
      'NaN',
      '{"a":01}',
      '\ufeff{}',
      '{"a":"\n"}',
    ];
    for (const text of [...notJson, Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])]) {
      await refused(400, 'M_NOT_JSON', send(text));
    }
    for (const text of ['[]', '"x"', '1', 'null', 'true']) await refused(400, 'M_BAD_JSON', send(text));
  });

  it('takes no content that two servers would hash differently', async () => {
    for (const text of [
      '{"a":1.5}',
      '{"a":1.0}',
      '{"a":1e3}',
      '{"a":-0}',
      '{"a":9007199254740992}',
      '{"a":-9007199254740992}',
      '{"a":[{"b":0.1}]}',
      '{"a":1,"a":2}',
      '{"a":"\\ud800"}',
      `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
    ]) {
      await refused(400, 'M_BAD_JSON', send(text));
    }
    await ok(send('{"a":[9007199254740991,-9007199254740991,0]}'));
    const float = { raw: '{"name":1.5}' };
    await refused(400, 'M_BAD_JSON', alice.request('PUT', state('m.room.name', ''), float));
    await refused(
      400,
      'M_BAD_JSON',
      alice.request('POST', v3`/createRoom`, { raw: '{"creation_content":{"x":0.5}}' }),
    );
  });

  it('needs no content type, and no body where nothing is to be said', async () => {
    const target = await alice.createRoom();
    await ok(alice.request('POST', v3`/rooms/${target}/leave`));
    await ok(alice.request('POST', v3`/rooms/${target}/forget`, { raw: '' }));
    const plain = { raw: '{"name":"plain"}', headers: { 'content-type': 'text/plain' } };
    await ok(alice.request('PUT', state('m.room.name', ''), plain));
  });

  it('says what is missing and what does not fit, and where', async () => {
    const missing = await refused(400, 'M_MISSING_PARAM', alice.post(v3`/rooms/${roomId}/invite`, {}));
    assert.match(textAt(missing, 'error'), /user_id/);
    const wrong = await refused(400, 'M_BAD_JSON', alice.post(v3`/createRoom`, { invite: ['@a:b', 7] }));
    assert.match(textAt(wrong, 'error'), /invite\.1/);
    await refused(400, 'M_BAD_JSON', alice.post(v3`/createRoom`, { preset: 'other' }));
  });

  it('refuses what is too large, and goes on', async () => {
    await refused(413, 'M_TOO_LARGE', send(JSON.stringify({ text: 'x'.repeat(65_536) })));
    await refused(413, 'M_TOO_LARGE', send(JSON.stringify({ text: 'x'.repeat(1024 * 1024) })));
    await refused(413, 'M_TOO_LARGE', send(`{"text":"${'x'.repeat(8 * 1024 * 1024)}"}`));
    await ok(send(JSON.stringify({ text: 'x'.repeat(60_000) })));
  });

  it('tells nobody what went wrong inside, except the log', async () => {
    const media = join(island.directory, 'media');
    await rm(media, { recursive: true, force: true });
    await writeFile(media, 'a file stands where the folder should be');
    try {
      // The answer is no documented one, so it is not the client that asks here.
      const response = await fetch(`${island.url}/_matrix/media/v3/upload`, {
        method: 'POST',
        body: 'x',
        headers: { authorization: `Bearer ${alice.accessToken}` },
      });
      assert.equal(response.status, 500);
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.deepEqual(await response.json(), { errcode: 'M_UNKNOWN', error: 'Internal server error' });
    } finally {
      await rm(media);
    }
    const line = island.lines.find(({ msg }) => msg === 'request failed');
    assert.equal(line?.['path'], '/_matrix/media/v3/upload');
    assert.match(JSON.stringify(line['err']), /ENOTDIR|EEXIST/);
    assert.deepEqual(await ok(alice.get(v1`/media/config`)), { 'm.upload.size': 1024 * 1024 });
  });

  it('gives strangers nothing of federation', async () => {
    for (const path of [
      '/_matrix/federation/v1/version',
      '/_matrix/key/v2/server',
      '/_matrix/federation/v1/query/profile?user_id=@alice:acme.test',
      '/_matrix/federation',
    ]) {
      await refused(403, 'M_FORBIDDEN', anybody.get(path));
    }
    await refused(403, 'M_FORBIDDEN', anybody.put('/_matrix/federation/v1/send/1', {}));
  });
});
