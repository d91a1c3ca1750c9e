import assert from 'node:assert/strict';
import { federationRoutes } from '../../federation/routes/table.ts';
import type { UnsignedPdu } from '../../protocol/event.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { roomVersion } from '../../protocol/room-versions.ts';
import { signEvent } from '../../protocol/signing.ts';
import { pair, settled, sharedRoom, type TestIsland } from './support/island.ts';

const id = encodeURIComponent;
const v1 = '/_matrix/federation/v1';
const v2 = '/_matrix/federation/v2';

describe('what the border is asked when a partner asks us', () => {
  let a: TestIsland;
  let b: TestIsland;
  let roomId: string;
  let open: string;
  let eventId: string;

  before(async () => {
    [a, b] = await pair();
    roomId = await sharedRoom(a, b);
    await b.addUser('bea');
    const alice = a.user('alice');
    open = (await a.engine.createRoom(alice, { preset: 'public_chat', roomAliasName: 'open' })).roomId;
    const content = { msgtype: 'm.text', body: 'hello' };
    ({ eventId } = await a.engine.send({ userId: alice, roomId, type: 'm.room.message', content }));
    a.files.set('pic', Buffer.from('picture'));
    await settled(a, b);
  });

  after(async () => {
    await a.remove();
    await b.remove();
  });

  /** A request of b that a takes, and what a's border is asked because of it, each question once. */
  async function ask(method: 'GET' | 'PUT' | 'POST', uri: string, body?: JsonObject, status = 200) {
    await settled(a, b);
    a.asked.length = 0;
    const response = await b.federation.link.request('a.test', {
      method,
      uri,
      priority: 'query',
      deadlineMs: 5_000,
      ...(body === undefined
        ? {}
        : { contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) }),
    });
    const text = (await response.body()).toString();
    assert.equal(response.status, status, `${uri}: ${text}`);
    await settled(a, b);
    const asked = a.asked.filter((question) => question.remoteServer === 'b.test');
    return [...new Set(asked.map(({ action }) => action))];
  }

  async function handshake(kind: 'join' | 'leave', root: string) {
    const bea = b.user('bea');
    const { remote } = b.federation;
    const template =
      kind === 'join'
        ? await remote.makeJoin('a.test', open, bea, ['12'])
        : await remote.makeLeave('a.test', open, bea);
    const version = roomVersion('12');
    assert.ok(version);
    // What an island proposes is an event but for hash and signature.
    const { origin: _origin, ...draft } = template.event;
    const event = signEvent(draft as unknown as UnsignedPdu, version, 'b.test', b.key);
    return ask('PUT', `${root}/send_${kind}/${id(open)}/${id(event.eventId)}`, event.pdu as JsonObject);
  }

  it('is known for each operation: it is asked for a word, and for what history and membership do not rule', async () => {
    const bea = b.user('bea');
    const room = id(roomId);
    const event = id(eventId);
    const found: Record<string, unknown> = {
      [`GET /_matrix/key/v2/server`]: await ask('GET', '/_matrix/key/v2/server'),
      [`GET ${v1}/version`]: await ask('GET', `${v1}/version`),
      ['GET /_archipelago/federation/v1/lanes']: await ask('GET', '/_archipelago/federation/v1/lanes'),
      [`PUT ${v1}/send/:txnId`]: await ask('PUT', `${v1}/send/q1`, {
        origin: 'b.test',
        origin_server_ts: 1,
        pdus: [],
        edus: [{ edu_type: 'm.typing', content: { room_id: roomId, user_id: b.user('bob'), typing: true } }],
      }),
      [`GET ${v1}/make_join/:roomId/:userId`]: await ask(
        'GET',
        `${v1}/make_join/${id(open)}/${id(bea)}?ver=12`,
      ),
      [`PUT ${v2}/send_join/:roomId/:eventId`]: await handshake('join', v2),
      [`GET ${v1}/make_leave/:roomId/:userId`]: await ask('GET', `${v1}/make_leave/${id(open)}/${id(bea)}`),
      [`PUT ${v2}/send_leave/:roomId/:eventId`]: await handshake('leave', v2),
      [`PUT ${v1}/send_join/:roomId/:eventId`]: await handshake('join', v1),
      [`PUT ${v1}/send_leave/:roomId/:eventId`]: await handshake('leave', v1),
      [`PUT ${v1}/invite/:roomId/:eventId`]: await ask('PUT', `${v1}/invite/${room}/${event}`, {}, 400),
      ['POST /_archipelago/federation/v1/invite_approved']: await ask(
        'POST',
        '/_archipelago/federation/v1/invite_approved',
        { room_id: roomId, inviter: a.user('alice'), invitee: bea },
      ),
      ['POST /_archipelago/federation/v1/rooms/admission']: await ask(
        'POST',
        '/_archipelago/federation/v1/rooms/admission',
        { room_id: roomId, servers: [], newcomers: ['c.test'] },
      ),
      ['POST /_archipelago/federation/v1/rooms/drift']: await ask(
        'POST',
        '/_archipelago/federation/v1/rooms/drift',
        { room_id: roomId, server: 'c.test', action: 'alarm' },
      ),
      [`GET ${v1}/event/:eventId`]: await ask('GET', `${v1}/event/${event}`),
      [`GET ${v1}/state/:roomId`]: await ask('GET', `${v1}/state/${room}?event_id=${event}`),
      [`GET ${v1}/state_ids/:roomId`]: await ask('GET', `${v1}/state_ids/${room}?event_id=${event}`),
      [`GET ${v1}/event_auth/:roomId/:eventId`]: await ask('GET', `${v1}/event_auth/${room}/${event}`),
      [`GET ${v1}/backfill/:roomId`]: await ask('GET', `${v1}/backfill/${room}?v=${event}`),
      [`POST ${v1}/get_missing_events/:roomId`]: await ask('POST', `${v1}/get_missing_events/${room}`, {
        latest_events: [eventId],
      }),
      [`GET ${v1}/query/profile`]: await ask('GET', `${v1}/query/profile?user_id=${id(a.user('alice'))}`),
      [`GET ${v1}/query/directory`]: await ask(
        'GET',
        `${v1}/query/directory?room_alias=${id('#open:a.test')}`,
      ),
    };
    a.asked.length = 0;
    await b.federation.remote.fetchMedia('a.test', 'pic', 1_000);
    found[`GET ${v1}/media/download/:mediaId`] = [...new Set(a.asked.map(({ action }) => action))];
    const theirs = await b.engine.createRoom(b.user('bob'), {});
    a.asked.length = 0;
    await b.engine.invite(b.user('bob'), theirs.roomId, a.user('alice'));
    found[`PUT ${v2}/invite/:roomId/:eventId`] = [...new Set(a.asked.map(({ action }) => action))];

    const word = ['talk'];
    assert.deepEqual(found, {
      'GET /_matrix/key/v2/server': word,
      [`GET ${v1}/version`]: word,
      'GET /_archipelago/federation/v1/lanes': word,
      // What it brings: here that somebody types.
      [`PUT ${v1}/send/:txnId`]: ['talk', 'typing'],
      [`GET ${v1}/make_join/:roomId/:userId`]: ['talk', 'join'],
      [`PUT ${v2}/send_join/:roomId/:eventId`]: ['talk', 'join'],
      [`PUT ${v1}/send_join/:roomId/:eventId`]: ['talk', 'join'],
      // Whoever wants to go may.
      [`GET ${v1}/make_leave/:roomId/:userId`]: word,
      [`PUT ${v2}/send_leave/:roomId/:eventId`]: word,
      [`PUT ${v1}/send_leave/:roomId/:eventId`]: word,
      [`PUT ${v2}/invite/:roomId/:eventId`]: ['talk', 'invite'],
      // Of room versions that are not served.
      [`PUT ${v1}/invite/:roomId/:eventId`]: word,
      // What it sets off is an invitation of ours, and asked for as one.
      'POST /_archipelago/federation/v1/invite_approved': word,
      'POST /_archipelago/federation/v1/rooms/admission': ['talk', 'third-party'],
      'POST /_archipelago/federation/v1/rooms/drift': word,
      // Given to servers in the room alone, by the history visibility; who may be in it was asked before.
      [`GET ${v1}/event/:eventId`]: word,
      [`GET ${v1}/state/:roomId`]: word,
      [`GET ${v1}/state_ids/:roomId`]: word,
      [`GET ${v1}/event_auth/:roomId/:eventId`]: word,
      [`GET ${v1}/backfill/:roomId`]: word,
      [`POST ${v1}/get_missing_events/:roomId`]: word,
      [`GET ${v1}/query/profile`]: ['talk', 'profile'],
      [`GET ${v1}/query/directory`]: ['talk', 'join'],
      [`GET ${v1}/media/download/:mediaId`]: ['talk', 'file'],
    });
    assert.deepEqual(
      Object.keys(found).sort(),
      federationRoutes.map(({ method, path }) => `${method} ${path}`).sort(),
    );
  });
});
