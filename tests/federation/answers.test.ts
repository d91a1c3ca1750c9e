import assert from 'node:assert/strict';
import type { FederationRequest, FederationResponse } from '../../federation/exchange.ts';
import { parseJson } from '../../protocol/json.ts';
import { at, Client, ok, v1, v3 } from '../support/client.ts';
import { Specification } from '../support/specification.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

/** Of the specification's operations those that partners are answered, by their ids in the OpenAPI files. */
const served = [
  'backfillRoom',
  'getContent',
  'getEvent',
  'getEventAuth',
  'getMissingPreviousEvents',
  'getRoomState',
  'getRoomStateIds',
  'getServerKey',
  'getVersion',
  'makeJoin',
  'makeLeave',
  'queryProfile',
  'queryRoomDirectory',
  'sendInviteV2',
  'sendJoinV2',
  'sendLeaveV2',
  'sendTransaction',
];

describe('what partners are answered', () => {
  let api: Specification | undefined;
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let alice: Client;
  let bob: Client;
  let roomId: string;
  let problems: string[] = [];
  /** Operations that were answered with 200. */
  const answered = new Set<string>();

  before(async () => {
    api = await Specification.read('server-server');
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    for (const island of [acme, bolt]) listen(island);
    alice = await Client.create(acme, 'alice');
    bob = await Client.create(bolt, 'bob');
    roomId = await alice.createRoom({ preset: 'private_chat', invite: [bob.userId] });
    await ok(bob.post(v3`/join/${roomId}`));
  });

  beforeEach(() => {
    problems = [];
  });

  after(() => network.stop());

  /** Every answer that this island gives over the link is held against the OpenAPI files. */
  function listen({ homeserver: { federation } }: TestIsland): void {
    const answer = federation.answer.bind(federation);
    federation.answer = async (request) => {
      const response = await answer(request);
      await judge(request, response);
      return response;
    };
  }

  async function judge({ method, uri }: FederationRequest, response: FederationResponse): Promise<void> {
    // Where this island stands with its partner: a question of the link's own.
    if (api === undefined || uri.startsWith('/_archipelago/')) return;
    const { status, contentType, body } = response;
    const [operation] = api.find(method, uri);
    if (status === 200 && operation !== undefined) answered.add(operation.id);
    if (!Buffer.isBuffer(body)) {
      if (!contentType.startsWith('multipart/mixed; boundary=')) problems.push(`${uri}: ${contentType}`);
      return;
    }
    const found = (await api.problems({ method, path: uri, status, contentType, body })).filter(
      // No event format since room version 4 has this key, and what is answered is the signed event itself.
      (problem) => !(operation?.id === 'sendInviteV2' && problem.includes('{"missingProperty":"origin"}')),
    );
    if (found.length > 0) problems.push(`${method} ${uri} ${status} ${body.toString()}: ${found.join('; ')}`);
  }

  /** Asks acme as bolt, over the link. */
  async function ask(method: 'GET' | 'POST' | 'PUT', uri: string, body?: object) {
    const response = await bolt.homeserver.federation.link.request('acme.test', {
      method,
      uri,
      ...(body === undefined
        ? {}
        : { contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) }),
      priority: 'query',
      deadlineMs: 10_000,
    });
    return { status: response.status, json: parseJson(await response.body()) };
  }

  const federation = '/_matrix/federation/v1';
  const id = encodeURIComponent;

  it('is as the specification says while rooms are joined, left and talked in', async () => {
    await bob.say(roomId, 'hello');
    await alice.say(roomId, 'hello too');
    await network.settled();
    const back = await bob.createRoom({ preset: 'private_chat', invite: [alice.userId] });
    await ok(alice.post(v3`/join/${back}`));
    await bob.say(back, 'one more');
    await network.settled();
    await ok(alice.post(v3`/rooms/${back}/leave`));
    // An invitation is refused by the handshake: the room is not ours.
    const third = await bob.createRoom({ invite: [alice.userId] });
    await network.settled();
    await ok(alice.post(v3`/rooms/${third}/leave`));
    await network.settled();
    assert.deepEqual(problems, []);
  });

  it('is as the specification says for every question about a room', async () => {
    const eventId = await alice.say(roomId, 'asked for');
    await network.settled();
    const questions: ['GET' | 'POST', string, object?][] = [
      ['GET', `${federation}/event/${id(eventId)}`],
      ['GET', `${federation}/event_auth/${id(roomId)}/${id(eventId)}`],
      ['GET', `${federation}/state/${id(roomId)}?event_id=${id(eventId)}`],
      ['GET', `${federation}/state_ids/${id(roomId)}?event_id=${id(eventId)}`],
      ['GET', `${federation}/backfill/${id(roomId)}?v=${id(eventId)}&limit=5`],
      [
        'POST',
        `${federation}/get_missing_events/${id(roomId)}`,
        { earliest_events: [], latest_events: [eventId], limit: 5 },
      ],
      ['GET', `${federation}/make_leave/${id(roomId)}/${id(bob.userId)}`],
    ];
    for (const [method, uri, body] of questions) {
      const { status, json } = await ask(method, uri, body);
      assert.equal(status, 200, `${uri} ${JSON.stringify(json)}`);
    }
    const open = await alice.createRoom({ preset: 'public_chat', room_alias_name: 'open' });
    const join = await ask('GET', `${federation}/make_join/${id(open)}/${id(bob.userId)}?ver=11&ver=12`);
    assert.equal(join.status, 200);
    assert.equal(at(join.json, 'event', 'state_key'), bob.userId);
    assert.deepEqual(problems, []);
  });

  it('is as the specification says for every other question', async () => {
    await ok(alice.put(v3`/profile/${alice.userId}/displayname`, { displayname: 'Alice' }));
    const whole = `${federation}/query/profile?user_id=${id(alice.userId)}`;
    assert.deepEqual(await ask('GET', whole), { status: 200, json: { displayname: 'Alice' } });
    assert.deepEqual(await ask('GET', `${whole}&field=avatar_url`), { status: 200, json: {} });
    const alias = await ask('GET', `${federation}/query/directory?room_alias=${id('#open:acme.test')}`);
    assert.equal(alias.status, 200);
    assert.equal((await ask('GET', '/_matrix/key/v2/server')).status, 200);
    assert.equal((await ask('GET', `${federation}/version`)).status, 200);
    const upload = await alice.request('POST', '/_matrix/media/v3/upload', { raw: 'a file' });
    const [, , server = '', mediaId = ''] = String(upload.body['content_uri']).split('/');
    assert.equal((await bob.get(v1`/media/download/${server}/${mediaId}`)).bytes.toString(), 'a file');
    assert.deepEqual(problems, []);
  });

  it('is an error of the standard form where there is nothing, or nothing for this partner', async () => {
    const secret = await alice.createRoom();
    const eventId = await alice.say(secret, 'not for partners');
    const questions: ['GET' | 'POST' | 'PUT', string, number, object?][] = [
      ['GET', `${federation}/event/${id(eventId)}`, 403],
      ['GET', `${federation}/event/${id('$nothing')}`, 404],
      ['GET', `${federation}/state/${id(secret)}?event_id=${id(eventId)}`, 403],
      ['GET', `${federation}/state_ids/${id(secret)}?event_id=${id(eventId)}`, 403],
      ['GET', `${federation}/state/${id(roomId)}?event_id=${id(eventId)}`, 404],
      ['GET', `${federation}/state/${id(roomId)}`, 400],
      ['GET', `${federation}/event_auth/${id(secret)}/${id(eventId)}`, 403],
      ['GET', `${federation}/backfill/${id(secret)}?v=${id(eventId)}&limit=5`, 403],
      ['GET', `${federation}/backfill/${id(roomId)}`, 400],
      [
        'POST',
        `${federation}/get_missing_events/${id(secret)}`,
        403,
        { earliest_events: [], latest_events: [eventId] },
      ],
      ['GET', `${federation}/make_join/${id(secret)}/${id(bob.userId)}?ver=12`, 403],
      ['GET', `${federation}/make_join/${id('!nothing:acme.test')}/${id(bob.userId)}?ver=12`, 404],
      ['GET', `${federation}/make_join/${id(roomId)}/${id(bob.userId)}?ver=1`, 400],
      ['GET', `${federation}/make_join/${id(roomId)}/${id('@someone:else.test')}?ver=12`, 403],
      ['GET', `${federation}/make_leave/${id(secret)}/${id(bob.userId)}`, 403],
      ['PUT', `/_matrix/federation/v2/send_join/${id(roomId)}/${id('$x')}`, 400, {}],
      ['PUT', `/_matrix/federation/v2/send_leave/${id(roomId)}/${id('$x')}`, 400, {}],
      ['PUT', `/_matrix/federation/v2/invite/${id('!x:bolt.test')}/${id('$x')}`, 400, {}],
      ['PUT', `/_matrix/federation/v1/invite/${id('!x:bolt.test')}/${id('$x')}`, 400, {}],
      ['GET', `${federation}/query/profile?user_id=${id('@nobody:acme.test')}`, 404],
      ['GET', `${federation}/query/profile`, 400],
      ['GET', `${federation}/query/directory?room_alias=${id('#nothing:acme.test')}`, 404],
      ['GET', `${federation}/query/something`, 404],
      ['GET', `${federation}/media/download/nothing`, 404],
      ['GET', `${federation}/media/thumbnail/nothing?width=1&height=1`, 404],
      ['GET', `${federation}/publicRooms`, 404],
      ['GET', `${federation}/user/devices/${id(alice.userId)}`, 404],
      ['PUT', `${federation}/version`, 405],
    ];
    for (const [method, uri, status, body] of questions) {
      const answer = await ask(method, uri, body);
      assert.equal(answer.status, status, `${method} ${uri} ${JSON.stringify(answer.json)}`);
      assert.match(String(at(answer.json, 'errcode')), /^M_/);
    }
    assert.deepEqual(problems, []);
  });

  it('was asked about everything that is served', () => {
    if (api !== undefined) assert.deepEqual([...answered].sort(), served);
  });

  it('does not tell of the profiles of users who are gone', async () => {
    const carol = await Client.create(acme, 'carol');
    await ok(carol.put(v3`/profile/${carol.userId}/displayname`, { displayname: 'Carol' }));
    await acme.homeserver.accounts.deactivate(carol.userId);
    const { status } = await ask('GET', `${federation}/query/profile?user_id=${id(carol.userId)}`);
    assert.equal(status, 404);
  });
});
