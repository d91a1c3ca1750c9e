import assert from 'node:assert/strict';
import type { Pdu, UnsignedPdu } from '../../protocol/event.ts';
import { isObject, type JsonObject } from '../../protocol/json.ts';
import { generateSigningKey, verifyJson } from '../../protocol/signing.ts';
import { at, Client, listAt, ok, v3 } from '../support/client.ts';
import { invite, membershipOf, moderate, setState, textsOf } from '../support/conversation.ts';
import { type ForgedEvent, ForgingPartner, type Reply } from '../support/forging-partner.ts';
import { realRandom } from '../support/runtime.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('what a partner asks by hand', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let forger: ForgingPartner;
  let third: ForgingPartner;
  let li: Client;
  let mal: string;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    acme = network.island('acme.test');
    li = await Client.create(acme, 'li');
    forger = await ForgingPartner.join(network, 'mallory.test', [acme]);
    third = await ForgingPartner.join(network, 'third.test', [acme]);
    mal = forger.userId('mal');
  });

  after(async () => {
    await forger.stop();
    await third.stop();
    await network.stop();
  });

  beforeEach(async () => {
    roomId = await li.createRoom({ preset: 'public_chat' });
  });

  const id = encodeURIComponent;
  const v1 = '/_matrix/federation/v1';
  const v2 = '/_matrix/federation/v2';
  const get = (path: string): Promise<Reply> => forger.ask(acme, 'GET', path);

  const isRefusal = (reply: Reply, status: number, errcode: string, shown = ''): void =>
    assert.deepEqual(
      [reply.status, reply.body['errcode']],
      [status, errcode],
      `${shown} ${JSON.stringify(reply)}`,
    );

  for (const kind of ['join', 'leave'] as const)
    it(`takes a ${kind} that is one, and nothing else in its place`, async () => {
      if (kind === 'leave') await forger.enter(acme, roomId, mal);
      const { template, version } = await forger.template(acme, kind, roomId, mal);
      const put = (event: ForgedEvent, eventId = event.eventId, room = roomId, root = v2) =>
        forger.ask(acme, 'PUT', `${root}/send_${kind}/${id(room)}/${id(eventId)}`, event.pdu);
      const altered = (change: Partial<UnsignedPdu>, forgery = {}): ForgedEvent =>
        forger.sign({ ...template, ...change } as UnsignedPdu, version, forgery);
      const other = await li.createRoom({ preset: 'public_chat' });
      const key = generateSigningKey(forger.signingKey.keyId, realRandom);
      const someone = third.userId('someone');
      if (kind === 'leave') await third.enter(acme, roomId, someone);
      const bad = [
        put(altered({}, { key })),
        put(altered({}, { signedAs: 'bolt.test' })),
        put(altered({ type: 'm.room.name' })),
        put(altered({ type: 'm.room.power_levels', state_key: '', content: {} })),
        put(altered({ content: { membership: kind === 'join' ? 'leave' : 'join' } })),
        put(altered({ content: { membership: 'ban' } })),
        put(altered({ content: {} })),
        put(altered({ sender: '@x:bolt.test', state_key: '@x:bolt.test' })),
        put(altered({ sender: li.userId, state_key: li.userId })),
        // Of another partner and signed by it, but not theirs to bring.
        put(third.sign({ ...template, sender: someone, state_key: someone }, version)),
        put(altered({ state_key: forger.userId('else') })),
        put(altered({}), '$another'),
        put(altered({}), undefined, other),
        put(altered({ room_id: other })),
      ];
      for (const [index, reply] of (await Promise.all(bad)).entries())
        isRefusal(reply, 400, 'M_INVALID_PARAM', `case ${index}`);
      assert.equal(await membershipOf(li, roomId, mal), kind === 'join' ? 'leave' : 'join');
      isRefusal(await put(altered({}), undefined, '!nowhere:acme.test'), 404, 'M_NOT_FOUND');
      assert.equal((await put(altered({}))).status, 200);
      assert.equal(await membershipOf(li, roomId, mal), kind);
    });

  it('proposes events only to a server’s own people, in versions that it speaks', async () => {
    for (const kind of ['make_join', 'make_leave'])
      for (const userId of [li.userId, '@x:bolt.test', 'x'])
        assert.equal((await get(`${v1}/${kind}/${id(roomId)}/${id(userId)}?ver=12`)).status >= 400, true);
    const old = await get(`${v1}/make_join/${id(roomId)}/${id(mal)}?ver=10&ver=11`);
    isRefusal(old, 400, 'M_INCOMPATIBLE_ROOM_VERSION');
    assert.equal(old.body['room_version'], '12');
    isRefusal(await get(`${v1}/make_join/${id(roomId)}/${id(mal)}`), 400, 'M_INCOMPATIBLE_ROOM_VERSION');
    isRefusal(await get(`${v1}/make_join/${id('!nowhere:acme.test')}/${id(mal)}?ver=12`), 404, 'M_NOT_FOUND');
    isRefusal(await get(`${v1}/make_leave/${id(roomId)}/${id(mal)}`), 403, 'M_FORBIDDEN');
    const secret = await li.createRoom();
    isRefusal(await get(`${v1}/make_join/${id(secret)}/${id(mal)}?ver=12`), 403, 'M_FORBIDDEN');
  });

  it('does not let the banned come back, whatever their server has kept from before', async () => {
    const { template, version } = await forger.template(acme, 'join', roomId, mal);
    await forger.enter(acme, roomId, mal);
    await moderate(li, 'ban', roomId, mal);
    isRefusal(await get(`${v1}/make_join/${id(roomId)}/${id(mal)}?ver=12`), 403, 'M_FORBIDDEN');
    const before = forger.sign({ ...template, origin_server_ts: 1 }, version);
    const path = `${v2}/send_join/${id(roomId)}/${id(before.eventId)}`;
    isRefusal(await forger.ask(acme, 'PUT', path, before.pdu), 403, 'M_FORBIDDEN');
    assert.equal((await forger.send(acme, [before.pdu])).status, 200);
    await network.processed();
    assert.equal(await membershipOf(li, roomId, mal), 'ban');
    // Who is banned is a person: the others of that server may come.
    await forger.enter(acme, roomId, forger.userId('friend'));
    assert.equal(await membershipOf(li, roomId, forger.userId('friend')), 'join');
  });

  /** Every question about a room, and the event it is about. */
  const questions = (room: string, eventId: string): [string, () => Promise<Reply>][] => {
    const r = id(room);
    const e = id(eventId);
    return [
      ['event', () => get(`${v1}/event/${e}`)],
      ['state', () => get(`${v1}/state/${r}?event_id=${e}`)],
      ['state_ids', () => get(`${v1}/state_ids/${r}?event_id=${e}`)],
      ['event_auth', () => get(`${v1}/event_auth/${r}/${e}`)],
      ['backfill', () => get(`${v1}/backfill/${r}?v=${e}&limit=10`)],
      [
        'get_missing_events',
        () =>
          forger.ask(acme, 'POST', `${v1}/get_missing_events/${r}`, {
            latest_events: [eventId],
            earliest_events: [],
          }),
      ],
    ];
  };

  it('tells nothing of a room to a server that is not in it, nor any more when it has left', async () => {
    const said = await li.say(roomId, 'among ourselves');
    for (const [name, ask] of questions(roomId, said)) isRefusal(await ask(), 403, 'M_FORBIDDEN', name);
    await forger.enter(acme, roomId, mal);
    for (const [name, ask] of questions(roomId, said)) assert.equal((await ask()).status, 200, name);
    await moderate(li, 'kick', roomId, mal);
    for (const [name, ask] of questions(roomId, said)) isRefusal(await ask(), 403, 'M_FORBIDDEN', name);
    for (const [name, ask] of questions('!nowhere:acme.test', said))
      if (name !== 'event') isRefusal(await ask(), 404, 'M_NOT_FOUND', name);
  });

  it('does not tell of one room under the name of another', async () => {
    await forger.enter(acme, roomId, mal);
    const secret = await li.createRoom();
    const said = await li.say(secret, 'a secret');
    for (const [name, ask] of questions(roomId, said)) {
      const { status, body } = await ask();
      if (name === 'event') assert.equal(status, 403);
      else if (name === 'backfill') assert.deepEqual([status, body['pdus']], [200, []]);
      else if (name === 'get_missing_events') assert.deepEqual([status, body['events']], [200, []]);
      else assert.equal(status, 404, name);
      assert.ok(!JSON.stringify(body).includes('a secret'));
    }
  });

  it('refuses a server that the room’s ACL denies, at every door', async () => {
    await forger.enter(acme, roomId, mal);
    const { template, version } = await forger.template(acme, 'leave', roomId, mal);
    const said = await li.say(roomId, 'before');
    await setState(li, roomId, 'm.room.server_acl', {
      allow: ['*'],
      deny: ['*.test'],
      allow_ip_literals: false,
    });
    const leave = forger.sign(template, version);
    const join = forger.sign({ ...template, content: { membership: 'join' } }, version);
    const invitation = forger.sign(
      { ...template, state_key: li.userId, content: { membership: 'invite' } },
      version,
    );
    const path = (event: ForgedEvent): string => `${id(roomId)}/${id(event.eventId)}`;
    const put = (uri: string, body: JsonObject) => () => forger.ask(acme, 'PUT', uri, body);
    const view = await acme.homeserver.engine.view(roomId);
    const create = view?.get('m.room.create', '')?.pdu;
    assert.ok(create);
    const body = { room_version: '12', event: invitation.pdu, invite_room_state: [create as JsonObject] };
    const doors: [string, () => Promise<Reply>][] = [
      ...questions(roomId, said),
      ['make_join', () => get(`${v1}/make_join/${id(roomId)}/${id(mal)}?ver=12`)],
      ['make_leave', () => get(`${v1}/make_leave/${id(roomId)}/${id(mal)}`)],
      ['send_join v1', put(`${v1}/send_join/${path(join)}`, join.pdu)],
      ['send_join', put(`${v2}/send_join/${path(join)}`, join.pdu)],
      ['send_leave v1', put(`${v1}/send_leave/${path(leave)}`, leave.pdu)],
      ['send_leave', put(`${v2}/send_leave/${path(leave)}`, leave.pdu)],
      ['invite v1', put(`${v1}/invite/${path(invitation)}`, invitation.pdu)],
      ['invite', put(`${v2}/invite/${path(invitation)}`, body)],
    ];
    for (const [name, ask] of doors) isRefusal(await ask(), 403, 'M_FORBIDDEN', name);
  });

  for (const [visibility, isTold] of [
    ['joined', false],
    ['invited', false],
    ['shared', true],
    ['world_readable', true],
  ] as const)
    it(`tells ${isTold ? 'all' : 'only the skeleton'} of what was before, where history is ${visibility}`, async () => {
      await setState(li, roomId, 'm.room.history_visibility', { history_visibility: visibility });
      await setState(li, roomId, 'm.room.topic', { topic: 'first' });
      const early = await li.say(roomId, 'before you came');
      const topic = await setState(li, roomId, 'm.room.topic', { topic: 'before you came' });
      await setState(li, roomId, 'm.room.topic', { topic: 'now' });
      await forger.enter(acme, roomId, mal);
      const late = await li.say(roomId, 'after you came');
      const event = async (eventId: string) =>
        listAt((await get(`${v1}/event/${id(eventId)}`)).body, 'pdus')[0];
      assert.equal(at(await event(early), 'content', 'body'), isTold ? 'before you came' : undefined);
      assert.equal(at(await event(topic), 'content', 'topic'), isTold ? 'before you came' : undefined);
      assert.equal(at(await event(late), 'content', 'body'), 'after you came');
      for (const [name, ask] of questions(roomId, late)) {
        const text = JSON.stringify((await ask()).body);
        if (['backfill', 'get_missing_events'].includes(name))
          assert.equal(text.includes('before you came'), isTold, name);
      }
      // The state of then is told like the events of then, that of now is told whole.
      const state = async (eventId: string): Promise<string> => {
        const { status, body } = await get(`${v1}/state/${id(roomId)}?event_id=${id(eventId)}`);
        assert.equal(status, 200);
        return JSON.stringify(listAt(body, 'pdus'));
      };
      assert.equal((await state(early)).includes('"first"'), isTold);
      assert.ok((await state(late)).includes('"now"'));
    });

  it('shows those who are invited what an invited server may see', async () => {
    await setState(li, roomId, 'm.room.history_visibility', { history_visibility: 'invited' });
    await li.say(roomId, 'not yet');
    forger.answers.set('invite', ({ body }) => {
      const pdu = body['event'] as Pdu; // an honest island invites with an event
      const signed = forger.sign(pdu, versionOf(), {}).pdu;
      return {
        status: 200,
        body: { event: { ...pdu, signatures: { ...pdu.signatures, ...signed.signatures } } },
      };
    });
    await invite(li, roomId, mal);
    forger.answers.clear();
    const then = await li.say(roomId, 'invited by now');
    await forger.enter(acme, roomId, mal);
    const told = JSON.stringify((await get(`${v1}/backfill/${id(roomId)}?v=${id(then)}&limit=100`)).body);
    assert.ok(told.includes('invited by now') && !told.includes('not yet'));
  });

  const versionOf = () => {
    const view = acme.homeserver.engine.peek(roomId);
    assert.ok(view);
    return view.version;
  };

  it('gives no more at a time than it says', async () => {
    await forger.enter(acme, roomId, mal);
    const pdus: JsonObject[] = [];
    let prev: readonly string[] | undefined;
    for (let index = 0; index < 120; index += 1) {
      const event = await forger.forge(acme, roomId, {
        type: 'm.room.message',
        sender: mal,
        content: { body: `m${index}` },
        depth: 10 + index,
        ...(prev === undefined ? {} : { prev }),
      });
      prev = [event.eventId];
      pdus.push(event.pdu);
    }
    for (let index = 0; index < pdus.length; index += 50)
      assert.equal((await forger.send(acme, pdus.slice(index, index + 50))).status, 200);
    await network.processed();
    const [last = ''] = prev ?? [];
    const back = await get(`${v1}/backfill/${id(roomId)}?v=${id(last)}&limit=100000`);
    assert.equal(listAt(back.body, 'pdus').length, 100);
    const missing = async (body: JsonObject): Promise<JsonObject[]> => {
      const reply = await forger.ask(acme, 'POST', `${v1}/get_missing_events/${id(roomId)}`, {
        latest_events: [last],
        earliest_events: [],
        ...body,
      });
      return listAt(reply.body, 'events');
    };
    assert.equal((await missing({ limit: 1_000_000 })).length, 100);
    assert.equal((await missing({})).length, 10);
    assert.deepEqual(
      (await missing({ limit: 100, min_depth: 125 })).map((event) => at(event, 'content', 'body')),
      ['m115', 'm116', 'm117', 'm118'],
    );
    const tenth = [...forger.events].find(([, { content }]) => content['body'] === 'm110')?.[0] ?? '';
    assert.deepEqual(
      (await missing({ limit: 100, earliest_events: [tenth] })).map((event) => at(event, 'content', 'body')),
      ['m111', 'm112', 'm113', 'm114', 'm115', 'm116', 'm117', 'm118'],
    );
    for (const limit of [-1, 1.5, 'many']) assert.equal((await missing({ limit })).length <= 100, true);
    isRefusal(await forger.send(acme, pdus.slice(0, 51)), 400, 'M_TOO_LARGE');
    const edus = Array.from({ length: 101 }, () => ({ edu_type: 'm.typing', content: {} }));
    isRefusal(await forger.send(acme, [], edus), 400, 'M_TOO_LARGE');
    isRefusal(await forger.sendText(acme, '{"origin":"bolt.test","pdus":[]}'), 403, 'M_FORBIDDEN');
    isRefusal(await forger.sendText(acme, '{"pdus":['), 400, 'M_NOT_JSON');
    isRefusal(await forger.sendText(acme, '{"pdus":{}}'), 400, 'M_BAD_JSON');
    assert.equal((await textsOf(li, roomId)).length, 120);
  });

  it('gets an island’s keys, signed by them', async () => {
    const { status, body } = await get('/_matrix/key/v2/server');
    assert.equal(status, 200);
    const { keyId, publicKey } = acme.homeserver.keys.signingKey;
    assert.equal(at(body, 'verify_keys', keyId, 'key'), publicKey);
    assert.ok(isObject(body['old_verify_keys']) && Number(body['valid_until_ts']) > Date.now());
    assert.ok(verifyJson(body, 'acme.test', keyId, publicKey));
  });

  it('learns of people and aliases what they show, of this island only', async () => {
    await ok(li.put(v3`/profile/${li.userId}/displayname`, { displayname: 'Li' }));
    const profile = (query: string) => get(`${v1}/query/profile?${query}`);
    assert.deepEqual((await profile(`user_id=${id(li.userId)}`)).body, { displayname: 'Li' });
    assert.deepEqual((await profile(`user_id=${id(li.userId)}&field=avatar_url`)).body, {});
    for (const userId of ['@nobody:acme.test', '@x:bolt.test'])
      isRefusal(await profile(`user_id=${id(userId)}`), 404, 'M_NOT_FOUND');
    isRefusal(await profile('user_id=x'), 400, 'M_INVALID_PARAM');
    isRefusal(await profile(''), 400, 'M_MISSING_PARAM');
    isRefusal(await get(`${v1}/query/directory?room_alias=${id('#x:bolt.test')}`), 404, 'M_NOT_FOUND');
    isRefusal(await get(`${v1}/query/anything`), 404, 'M_UNRECOGNIZED');
  });
});
