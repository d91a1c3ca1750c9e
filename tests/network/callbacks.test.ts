import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join as pathOf } from 'node:path';
import { type CallbackPolicy, defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { answer, CallbackServer } from '../support/callback-server.ts';
import { type Answer, at, Client, listAt, ok, refused, textAt, v1, v3 } from '../support/client.ts';
import { invite, isInvited, join, textsOf } from '../support/conversation.ts';
import { TestNetwork } from '../support/test-network.ts';
import { until } from '../support/until.ts';

describe('a callback that the policy names', () => {
  let network: TestNetwork;
  let checker: CallbackServer;
  let li: Client;
  let bo: Client;
  let roomId: string;

  beforeEach(async () => {
    checker = await CallbackServer.start();
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
  });

  afterEach(async () => {
    await network.stop();
    await checker.stop();
  });

  /** Only acme has one. */
  function configure(callback: Partial<CallbackPolicy> = {}): void {
    const island = network.island('acme.test');
    island.setPartners(
      island.partners.map((partner) => ({
        ...partner,
        policy: {
          ...defaultPartnerPolicy,
          callback: {
            url: checker.url,
            actions: ['message', 'invite', 'join', 'media'],
            timeout: 5_000,
            onTimeout: 'deny',
            ...callback,
          },
        },
      })),
    );
  }

  function send(client: Client, content: JsonObject): Promise<Answer> {
    return client.put(v3`/rooms/${roomId}/send/m.room.message/${`t${Math.random()}`}`, content);
  }

  const say = (client: Client, body: string): Promise<Answer> => send(client, { msgtype: 'm.text', body });

  async function codesOf(request: Promise<Answer>): Promise<unknown[]> {
    const body = await refused(403, 'M_FORBIDDEN', request);
    return listAt(body, 'org.archipelago.violations').map((violation) => at(violation, 'code'));
  }

  async function audited(action: string): Promise<JsonObject[]> {
    const { db } = network.island('acme.test').homeserver;
    await db.writer.idle();
    const lines = await db.audit.page();
    return lines.filter((line) => line.action === action).map(({ detail }) => detail ?? {});
  }

  it('sees what ours would send before it is signed, and refuses it with its reason', async () => {
    configure();
    checker.react = ({ facts }, response) =>
      answer(
        response,
        String(at(facts, 'event', 'content', 'body')).includes('blueprint')
          ? { decision: 'deny', reason: 'No drawings leave the house' }
          : { decision: 'allow' },
      );
    const body = await refused(403, 'M_FORBIDDEN', say(li, 'the blueprint'));
    assert.equal(body['error'], 'No drawings leave the house');
    assert.deepEqual(await codesOf(say(li, 'the blueprint')), ['callback_denied']);
    assert.equal((await say(li, 'the weather')).status, 200);
    await network.settled();
    assert.deepEqual(await textsOf(bo, roomId), ['the weather']);
    const { facts } = checker.posted.at(-1) ?? {};
    assert.deepEqual(facts, {
      action: 'message',
      direction: 'outbound',
      partner: 'bolt.test',
      local: li.userId,
      remote: [bo.userId],
      room: { room_id: roomId, encrypted: false, servers: ['bolt.test'] },
      event: { type: 'm.room.message', content: { msgtype: 'm.text', body: 'the weather' } },
    });
    const { db } = network.island('acme.test').homeserver;
    assert.equal((await db.audit.verify()).fault, undefined);
    const log = await db.audit.page();
    assert.ok(!/blueprint|weather|drawings/.test(JSON.stringify(log)), 'content in the audit log');
  });

  it('signs what it posts with the secret of the policy', async () => {
    const secretPath = pathOf(network.island('acme.test').directory, 'callback.secret');
    await writeFile(secretPath, 'the secret\n', { mode: 0o600 });
    configure({ secretPath });
    assert.equal((await say(li, 'hello')).status, 200);
    const { signature, signedText } = checker.posted[0] ?? assert.fail('nothing was posted');
    const [, seconds, hex] = /^t=(\d+),sha256=([0-9a-f]{64})$/.exec(signature ?? '') ?? [];
    assert.ok(Math.abs(Number(seconds) - Date.now() / 1_000) < 60);
    const expected = createHmac('sha256', 'the secret').update(`${seconds}.${signedText}`).digest('hex');
    assert.equal(hex, expected);
  });

  it('withholds what theirs sent, which keeps its place in the room; nothing is dropped', async () => {
    configure();
    checker.says({ decision: 'deny' });
    const eventId = textAt(await ok(say(bo, 'buy this')), 'event_id');
    await network.settled();
    const shown = await ok(li.get(v3`/rooms/${roomId}/event/${eventId}`));
    assert.deepEqual(shown['content'], {});
    assert.equal(at(shown, 'unsigned', 'org.archipelago.quarantined'), true);
    checker.says({ decision: 'allow' });
    await ok(say(bo, 'good morning'));
    await network.settled();
    assert.deepEqual(await textsOf(li, roomId), ['good morning']);
    assert.deepEqual(
      checker.posted.map(({ facts }) => [facts['direction'], at(facts, 'event', 'content', 'body')]),
      [
        ['inbound', 'buy this'],
        ['inbound', 'good morning'],
      ],
    );
  });

  it('lets pass with a warning, which the audit log has', async () => {
    configure();
    checker.says({ decision: 'warn', reason: 'contains a price' });
    assert.equal((await say(li, 'it costs 5')).status, 200);
    await network.settled();
    assert.deepEqual(await textsOf(bo, roomId), ['it costs 5']);
    await until(async () => (await audited('border.warn')).length > 0);
    const [line] = await audited('border.warn');
    assert.deepEqual(line?.['codes'], ['callback_warned']);
    assert.ok(!JSON.stringify(line).includes('price'));
  });

  for (const [name, react] of [
    ['does not answer', () => undefined],
    [
      'answers with an error',
      (response: ServerResponse) => response.writeHead(500).end('{"decision":"allow"}'),
    ],
    [
      'sends us elsewhere',
      (response: ServerResponse) => response.writeHead(307, { location: '/elsewhere' }).end(),
    ],
    ['answers nonsense', (response: ServerResponse) => response.writeHead(200).end('allow')],
    ['answers without a decision', (response: ServerResponse) => answer(response, { decision: 'maybe' })],
    [
      'answers without end',
      (response: ServerResponse) =>
        response.writeHead(200).end(`{"decision":"allow","x":"${'x'.repeat(20_000)}"}`),
    ],
    ['breaks off', (response: ServerResponse) => response.destroy()],
  ] as const)
    it(`that ${name} counts as the policy says: refused, or let pass`, async () => {
      checker.react = (_posted, response) => react(response);
      configure({ timeout: 100 });
      assert.deepEqual(await codesOf(say(li, 'one')), ['callback_unanswered']);
      configure({ timeout: 100, onTimeout: 'warn' });
      assert.equal((await say(li, 'two')).status, 200);
      configure({ timeout: 100, onTimeout: 'allow' });
      assert.equal((await say(li, 'three')).status, 200);
      await until(async () => (await audited('border.warn')).length > 0);
      assert.equal((await audited('border.warn')).length, 1);
      assert.equal(checker.posted.length, 3);
    });

  it('keeps whoever waits for it, and neither the room nor another one', async () => {
    configure();
    const waiting: ServerResponse[] = [];
    checker.react = ({ facts }, response) => {
      if (at(facts, 'event', 'content', 'body') === 'slow') waiting.push(response);
      else answer(response, { decision: 'allow' });
    };
    const slow = say(li, 'slow');
    await until(() => waiting.length === 1);
    assert.equal((await say(li, 'fast')).status, 200);
    const own = await li.createRoom();
    await li.say(own, 'among ourselves');
    for (const response of waiting) answer(response, { decision: 'allow' });
    assert.equal((await slow).status, 200);
    await network.settled();
    assert.deepEqual(await textsOf(bo, roomId), ['fast', 'slow']);
  });

  it('that had not answered when the island stopped is asked again, and nothing was decided', async () => {
    configure();
    checker.react = () => undefined;
    const eventId = textAt(await ok(say(bo, 'before the stop')), 'event_id');
    await until(() => checker.posted.length === 1);
    checker.says({ decision: 'allow' });
    await network.restart('acme.test');
    await network.linked('acme.test', 'bolt.test');
    await until(async () => (await li.get(v3`/rooms/${roomId}/event/${eventId}`)).status === 200);
    assert.deepEqual(await textsOf(li, roomId), ['before the stop']);
    assert.equal(checker.posted.length, 2);
  });

  it('is asked about invitations and joins, both ways', async () => {
    configure();
    checker.says({ decision: 'deny', reason: 'not this week' });
    const ours = await li.createRoom();
    assert.deepEqual(await codesOf(li.post(v3`/rooms/${ours}/invite`, { user_id: bo.userId })), [
      'callback_denied',
    ]);
    const theirs = await bo.createRoom({ preset: 'public_chat' });
    const told = await refused(
      403,
      'M_FORBIDDEN',
      bo.post(v3`/rooms/${theirs}/invite`, { user_id: li.userId }),
    );
    // The reason is for our people.
    assert.ok(!String(told['error']).includes('not this week'));
    assert.equal(await isInvited(li, theirs), false);
    assert.deepEqual(await codesOf(li.post(`${v3`/join/${theirs}`}?via=bolt.test`)), ['callback_denied']);
    const open = await li.createRoom({ preset: 'public_chat' });
    await refused(403, 'M_FORBIDDEN', bo.post(`${v3`/join/${open}`}?via=acme.test`));
    assert.deepEqual(
      checker.posted.map(({ facts }) => [facts['action'], facts['direction']]),
      [
        ['invite', 'outbound'],
        ['invite', 'inbound'],
        ['join', 'outbound'],
        ['join', 'inbound'],
      ],
    );
    checker.says({ decision: 'allow' });
    await join(li, theirs, ['bolt.test']);
    await join(bo, open, ['acme.test']);
  });

  it('is posted the bytes of files, both ways, and what it refuses is neither sent nor kept', async () => {
    configure({ actions: ['media'] });
    const upload = async (client: Client, bytes: string): Promise<string> =>
      textAt(
        await ok(
          client.request('POST', '/_matrix/media/v3/upload', {
            raw: bytes,
            headers: { 'content-type': 'text/plain' },
          }),
        ),
        'content_uri',
      );
    const file = (url: string): JsonObject => ({
      msgtype: 'm.file',
      body: 'f',
      url,
      info: { mimetype: 'text/plain' },
    });
    const download = (client: Client, uri: string): Promise<Answer> => {
      const [server = '', mediaId = ''] = uri.slice('mxc://'.length).split('/');
      return client.get(v1`/media/download/${server}/${mediaId}`);
    };
    checker.react = (posted, response) =>
      answer(response, { decision: posted.file?.includes('virus') === true ? 'deny' : 'allow' });
    const bad = await upload(li, 'a virus');
    assert.deepEqual(await codesOf(send(li, file(bad))), ['callback_denied']);
    // Nor is it given to a partner that knows its name without having been sent it.
    await refused(403, 'M_FORBIDDEN', download(bo, bad));
    const good = await upload(li, 'a poem');
    assert.equal((await send(li, file(good))).status, 200);
    const { facts, file: bytes } = checker.posted.at(-1) ?? assert.fail('nothing was posted');
    assert.equal(bytes?.toString(), 'a poem');
    assert.deepEqual(facts['file'], {
      uri: good,
      size: 6,
      mime: 'text/plain',
      sha256: createHash('sha256').update('a poem').digest('hex'),
    });
    assert.equal((await download(bo, good)).bytes.toString(), 'a poem');

    const theirs = await upload(bo, 'another virus');
    assert.equal((await send(bo, file(theirs))).status, 200);
    await network.settled();
    assert.deepEqual(await codesOf(download(li, theirs)), ['callback_denied']);
    assert.deepEqual(await codesOf(download(li, theirs)), ['callback_denied']);
    const [server = '', mediaId = ''] = theirs.slice('mxc://'.length).split('/');
    assert.equal(await network.island('acme.test').homeserver.db.media.get(server, mediaId), undefined);
    const fine = await upload(bo, 'their poem');
    assert.equal((await download(li, fine)).bytes.toString(), 'their poem');
  });
});
