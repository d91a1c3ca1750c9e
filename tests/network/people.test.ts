import assert from 'node:assert/strict';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, v1, v3 } from '../support/client.ts';
import { invite, join, leave } from '../support/conversation.ts';
import { ForgingPartner } from '../support/forging-partner.ts';
import { setPolicy } from '../support/policies.ts';
import { ephemeralOf } from '../support/sync.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

const id = encodeURIComponent;
const api = '/_matrix/federation/v1';

describe('what partners learn of people', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let forger: ForgingPartner;
  let li: Client;
  let ann: Client;
  let bo: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    forger = await ForgingPartner.join(network, 'mallory.test', [acme]);
    li = await Client.create(acme, 'li');
    ann = await Client.create(acme, 'ann');
    bo = await Client.create(bolt, 'bo');
    await ok(li.put(v3`/profile/${li.userId}/displayname`, { displayname: 'Li' }));
    await ok(li.put(v3`/profile/${li.userId}/avatar_url`, { avatar_url: 'mxc://acme.test/face' }));
  });

  after(async () => {
    await forger.stop();
    await network.stop();
  });

  afterEach(() => {
    setPolicy(acme, 'bolt.test', {});
    setPolicy(acme, 'mallory.test', {});
    setPolicy(bolt, 'acme.test', {});
  });

  const askProfile = (userId: string) =>
    forger.ask(acme, 'GET', `${api}/query/profile?user_id=${id(userId)}`);

  const profile = (asker: Client, userId: string) => asker.get(v3`/profile/${userId}`);

  it('does not tell people whom a partner may not see from people who do not exist', async () => {
    for (const localpart of ['hidden1', 'hidden2', 'gone']) await Client.create(acme, localpart);
    await acme.homeserver.accounts.deactivate(acme.userId('gone'));
    const names = Array.from({ length: 40 }, (_, index) => `nobody${index}`);
    const answers = await Promise.all(
      ['hidden1', 'hidden2', 'gone', 'li', ...names].map((name) => askProfile(acme.userId(name))),
    );
    const [first] = answers;
    assert.deepEqual(first, {
      status: 404,
      body: { errcode: 'M_NOT_FOUND', error: 'There is no such user' },
    });
    for (const answer of answers) assert.equal(JSON.stringify(answer), JSON.stringify(first));
    // Nor by how long the answer takes: all of them leave at the next even time.
    const started = performance.now();
    await askProfile(acme.userId('nobody'));
    assert.ok(performance.now() - started > 40);
  });

  it('shows whom the directory exposes, with its fields and no more', async () => {
    const { fields } = defaultPartnerPolicy.directory;
    const directory = { expose: [{ user: li.userId }], fields, contacts: [] };
    setPolicy(acme, 'mallory.test', { directory });
    const shown = { displayname: 'Li', avatar_url: 'mxc://acme.test/face' };
    assert.deepEqual((await askProfile(li.userId)).body, shown);
    assert.equal((await askProfile(ann.userId)).status, 404);
    setPolicy(acme, 'mallory.test', { directory: { ...directory, fields: ['display_name'] } });
    assert.deepEqual((await askProfile(li.userId)).body, { displayname: 'Li' });
    const field = `${api}/query/profile?user_id=${id(li.userId)}&field=avatar_url`;
    assert.deepEqual((await forger.ask(acme, 'GET', field)).body, {});
    // Who is not of the partnership is not of its directory.
    setPolicy(acme, 'mallory.test', { directory, allowLocal: [{ user: ann.userId }] });
    assert.equal((await askProfile(li.userId)).status, 404);
  });

  it('shows a role contact by the name of what they do', async () => {
    const contacts = [{ name: 'Purchasing desk', userId: ann.userId }];
    setPolicy(acme, 'bolt.test', { directory: { expose: [], fields: [], contacts } });
    assert.equal(at(await ok(profile(bo, ann.userId)), 'displayname'), 'Purchasing desk (acme.test)');
    await refused(404, 'M_NOT_FOUND', profile(bo, li.userId));
  });

  it('shows people whole to who shares a room or an invitation with them, for as long as they do', async () => {
    await refused(404, 'M_NOT_FOUND', profile(bo, li.userId));
    // Invited by us, to a room of ours.
    const roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    assert.equal((await ok(profile(bo, li.userId)))['displayname'], 'Li (acme.test)');
    await refused(404, 'M_NOT_FOUND', profile(bo, ann.userId));
    await leave(bo, roomId);
    await network.settled();
    await refused(404, 'M_NOT_FOUND', profile(bo, li.userId));
    // Invited by them, to a room that we do not hold.
    const theirs = await bo.createRoom({ preset: 'private_chat' });
    await invite(bo, theirs, li);
    assert.equal((await ok(profile(bo, li.userId)))['displayname'], 'Li (acme.test)');
    await leave(li, theirs);
    await network.settled();
    await refused(404, 'M_NOT_FOUND', profile(bo, li.userId));
  });

  it('asks for people of a partner only on behalf of those whom the partnership is for', async () => {
    const everyone = { expose: 'everyone', fields: ['display_name'], contacts: [] } as const;
    setPolicy(bolt, 'acme.test', { directory: everyone });
    await ok(profile(li, bo.userId));
    setPolicy(acme, 'bolt.test', { allowLocal: [{ user: ann.userId }] });
    const { 'org.archipelago.violations': violations } = await refused(
      403,
      'M_FORBIDDEN',
      profile(li, bo.userId),
    );
    assert.equal(at(violations, 0, 'code'), 'local_user_denied');
    await ok(profile(ann, bo.userId));
  });

  it('does not tell by how it refuses an invitation whether somebody exists', async () => {
    setPolicy(acme, 'mallory.test', { invites: { outbound: 'allow', inbound: 'deny' } });
    const roomId = await li.createRoom({ preset: 'public_chat' });
    await forger.enter(acme, roomId, forger.userId('mal'));
    const create = (await acme.homeserver.engine.view(roomId))?.get('m.room.create', '')?.pdu ?? {};
    const answers = [];
    for (const target of [ann.userId, acme.userId('nobody')]) {
      const event = await forger.forge(acme, roomId, {
        type: 'm.room.member',
        sender: forger.userId('mal'),
        stateKey: target,
        content: { membership: 'invite' },
      });
      const path = `/_matrix/federation/v2/invite/${id(roomId)}/${id(event.eventId)}`;
      const body = { room_version: '12', event: event.pdu, invite_room_state: [create] } as JsonObject;
      answers.push(await forger.ask(acme, 'PUT', path, body));
    }
    assert.equal(answers[0]?.status, 403);
    assert.deepEqual(answers[0], answers[1]);
  });

  it('finds no alias of a room that is not for the partner, and tells who is in a room to who is in it', async () => {
    const alias = (name: string) => `${api}/query/directory?room_alias=${id(`#${name}:acme.test`)}`;
    const shared = await li.createRoom({ preset: 'public_chat', room_alias_name: 'shared' });
    await join(bo, shared, ['acme.test']);
    const initial = (content: JsonObject) => ({
      preset: 'public_chat',
      initial_state: [{ type: 'org.archipelago.room_class', content }],
    });
    await li.createRoom({ ...initial({ class: 'internal' }), room_alias_name: 'internal' });
    await li.createRoom({
      ...initial({ class: 'shared', partners: ['bolt.test'] }),
      room_alias_name: 'boltonly',
    });
    const unknown = await forger.ask(acme, 'GET', alias('unknown'));
    assert.equal(unknown.status, 404);
    for (const name of ['internal', 'boltonly'])
      assert.deepEqual(await forger.ask(acme, 'GET', alias(name)), unknown, name);
    assert.equal((await bo.get(v3`/directory/room/${'#boltonly:acme.test'}`)).status, 200);
    assert.deepEqual((await forger.ask(acme, 'GET', alias('shared'))).body['servers'], ['acme.test']);
    const { servers } = await ok(bo.get(v3`/directory/room/${'#shared:acme.test'}`));
    assert.deepEqual(servers, ['acme.test', 'bolt.test']);
  });

  it('follows an alias of a partner to partners only', async () => {
    forger.answers.set('query', () => ({
      status: 200,
      body: { room_id: '!elsewhere:stranger.test', servers: ['stranger.test', 'mallory.test'] },
    }));
    const alias = '#trap:mallory.test';
    assert.deepEqual((await ok(li.get(v3`/directory/room/${alias}`)))['servers'], ['mallory.test']);
    forger.asked.length = 0;
    await refused(404, 'M_NOT_FOUND', li.post(v3`/join/${alias}`));
    assert.ok(forger.asked.some((asked) => asked.includes('make_join')));
    forger.answers.set('query', () => ({
      status: 200,
      body: { room_id: '!elsewhere:stranger.test', servers: ['stranger.test'] },
    }));
    await refused(404, 'M_NOT_FOUND', li.post(v3`/join/${alias}`));
    assert.equal(acme.homeserver.federation.link.status('stranger.test').state, 'down');
    forger.answers.clear();
  });

  it('keeps a room to the servers of its class: no join, no event, no state of it for any other', async () => {
    const mal = forger.userId('mal');
    const lobby = await li.createRoom({ preset: 'public_chat' });
    await forger.enter(acme, lobby, mal);
    const restricted = {
      type: 'm.room.join_rules',
      content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: lobby }] },
    };
    for (const content of [{ class: 'internal' }, { class: 'shared', partners: ['bolt.test'] }])
      for (const rules of [[], [restricted]]) {
        const roomId = await li.createRoom({
          preset: 'public_chat',
          initial_state: [{ type: 'org.archipelago.room_class', content }, ...rules],
        });
        const said = await li.say(roomId, 'not for them');
        const make = `${api}/make_join/${id(roomId)}/${id(mal)}?ver=12`;
        const refusal = await forger.ask(acme, 'GET', make);
        assert.deepEqual([refusal.status, refusal.body['errcode']], [403, 'M_FORBIDDEN']);
        // A join that was made without asking, as another server of the room might have helped with.
        const event = await forger.forge(acme, roomId, {
          type: 'm.room.member',
          sender: mal,
          stateKey: mal,
          content: {
            membership: 'join',
            ...(rules.length > 0 ? { join_authorised_via_users_server: li.userId } : {}),
          },
        });
        for (const version of ['v1', 'v2']) {
          const send = `/_matrix/federation/${version}/send_join/${id(roomId)}/${id(event.eventId)}`;
          const answer = await forger.ask(acme, 'PUT', send, event.pdu);
          assert.deepEqual([answer.status, answer.body['errcode']], [403, 'M_FORBIDDEN']);
          assert.ok(!JSON.stringify(answer).includes('not for them'));
        }
        const view = await acme.homeserver.engine.view(roomId);
        assert.equal(view?.membership(mal), 'leave');
        for (const path of [
          `${api}/event/${id(said)}`,
          `${api}/state/${id(roomId)}?event_id=${id(said)}`,
          `${api}/state_ids/${id(roomId)}?event_id=${id(said)}`,
          `${api}/event_auth/${id(roomId)}/${id(said)}`,
          `${api}/backfill/${id(roomId)}?v=${id(said)}`,
        ]) {
          const answer = await forger.ask(acme, 'GET', path);
          assert.deepEqual([answer.status, answer.body['errcode']], [403, 'M_FORBIDDEN'], path);
        }
        const missing = { earliest_events: [], latest_events: [said], limit: 10 };
        const answer = await forger.ask(acme, 'POST', `${api}/get_missing_events/${id(roomId)}`, missing);
        assert.equal(answer.status, 403);
        assert.ok(!forger.received.some((pdu) => pdu.room_id === roomId));
      }
  });

  describe('by signs of life', () => {
    let roomId: string;
    let mal: string;
    let said: string;

    before(async () => {
      roomId = await li.createRoom({ preset: 'public_chat' });
      mal = forger.userId('mal');
      await forger.enter(acme, roomId, mal);
      setPolicy(bolt, 'acme.test', { rooms: { ...defaultPartnerPolicy.rooms, thirdParties: 'allow' } });
      await join(bo, roomId, ['acme.test']);
      said = await li.say(roomId, 'read this');
      await network.settled();
    });

    const typing = (user = mal, room = roomId) =>
      forger.send(
        acme,
        [],
        [{ edu_type: 'm.typing', content: { room_id: room, user_id: user, typing: true } }],
      );
    const receipt = (user = mal, room = roomId) =>
      forger.send(
        acme,
        [],
        [
          {
            edu_type: 'm.receipt',
            content: { [room]: { 'm.read': { [user]: { event_ids: [said], data: { ts: Date.now() } } } } },
          },
        ],
      );
    const readers = async () => {
      await network.settled();
      const view = await acme.homeserver.engine.view(roomId);
      const rows = await acme.homeserver.db.receipts.changes(
        [view?.roomNid ?? 0],
        -1,
        Number.MAX_SAFE_INTEGER,
      );
      return rows.map((row) => row.userId);
    };
    const typers = async () => {
      await network.settled();
      const [event] = ephemeralOf(await li.sync(), roomId, 'm.typing');
      return at(event, 'content', 'user_ids') ?? [];
    };

    it('takes none that the policy does not share, from or for people it is not for, of other rooms or users', async () => {
      const otherRoom = await li.createRoom({});
      const cases: [string, Parameters<typeof setPolicy>[2], string?, string?][] = [
        ['not shared', { share: { ...defaultPartnerPolicy.share, typing: false, receipts: false } }],
        ['not for their people', { allowRemote: [{ user: forger.userId('other') }] }],
        ['not for ours', { allowLocal: [{ user: ann.userId }] }],
        ['not in the room', {}, forger.userId('other')],
        ['of another server', {}, bo.userId],
        ['of another room', {}, mal, otherRoom],
        ['of no room', {}, mal, '!none:acme.test'],
      ];
      for (const [name, policy, user, room] of cases) {
        setPolicy(acme, 'mallory.test', policy);
        assert.equal((await typing(user, room)).status, 200, name);
        assert.equal((await receipt(user, room)).status, 200, name);
        assert.deepEqual(await typers(), [], name);
        assert.deepEqual(await readers(), [], name);
      }
      setPolicy(acme, 'mallory.test', { allowLocal: [{ user: li.userId }], allowRemote: [{ user: mal }] });
      await typing();
      await receipt();
      assert.deepEqual(await typers(), [mal]);
      assert.deepEqual(await readers(), [mal]);
    });

    it('tells none of people whom the partnership is not for', async () => {
      await join(ann, roomId);
      await network.settled();
      setPolicy(acme, 'bolt.test', { allowLocal: [{ user: ann.userId }] });
      const act = async (client: Client) => {
        await ok(client.put(v3`/rooms/${roomId}/typing/${client.userId}`, { typing: true, timeout: 30_000 }));
        await ok(client.post(v3`/rooms/${roomId}/receipt/m.read/${said}`));
      };
      await act(li);
      await act(ann);
      const seenBy = async (userId: string) => {
        const body = await bo.sync();
        const typers = ephemeralOf(body, roomId, 'm.typing').flatMap((event) => [
          at(event, 'content', 'user_ids'),
        ]);
        const receipts = ephemeralOf(body, roomId, 'm.receipt');
        return [JSON.stringify(typers).includes(userId), JSON.stringify(receipts).includes(userId)];
      };
      await network.until(
        async () => (await seenBy(ann.userId)).every((isSeen) => isSeen),
        'bo does not see that ann types and reads',
      );
      await network.settled();
      assert.deepEqual(await seenBy(li.userId), [false, false]);
    });
  });
});

describe('files between partners', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let li: Client;
  let ann: Client;
  let bo: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    await network.add('bolt.test', { maxUploadSize: 4 * 1024 * 1024 });
    await network.pair('acme.test', 'bolt.test');
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    li = await Client.create(acme, 'li');
    ann = await Client.create(acme, 'ann');
    bo = await Client.create(bolt, 'bo');
  });

  after(() => network.stop());

  afterEach(() => {
    setPolicy(acme, 'bolt.test', {});
    setPolicy(bolt, 'acme.test', {});
  });

  async function upload(client: Client, size: number, type: string): Promise<string> {
    const options = { raw: Buffer.alloc(size, 'x'), headers: { 'content-type': type } };
    const { content_uri: uri } = await ok(client.request('POST', '/_matrix/media/v3/upload', options));
    return String(uri).slice('mxc://'.length);
  }

  const download = (client: Client, file: string) => {
    const [server = '', mediaId = ''] = file.split('/');
    return client.get(v1`/media/download/${server}/${mediaId}`);
  };

  async function codes(answer: Promise<Awaited<ReturnType<Client['get']>>>): Promise<unknown[]> {
    const body = await refused(403, 'M_FORBIDDEN', answer);
    return listAt(body, 'org.archipelago.violations').map((violation) => at(violation, 'code'));
  }

  it('are judged by what they are when they come in, not by what was said of them', async () => {
    setPolicy(acme, 'bolt.test', { files: { direction: 'both', maxSize: 100_000, mime: ['image/*'] } });
    const big = await upload(bo, 100_001, 'image/png');
    const page = await upload(bo, 10, 'text/html');
    const good = await upload(bo, 100_000, 'image/png');
    // Larger than any file that we take: refused for its size or type while it still comes, not for its length.
    const huge = await upload(bo, 2 * 1024 * 1024, 'image/png');
    const hugePage = await upload(bo, 2 * 1024 * 1024, 'text/html');
    assert.deepEqual(await codes(download(li, huge)), ['file_too_large']);
    assert.deepEqual(await codes(download(li, hugePage)), ['file_type_denied']);
    assert.deepEqual(await codes(download(li, big)), ['file_too_large']);
    assert.deepEqual(await codes(download(li, page)), ['file_type_denied']);
    assert.equal((await download(li, good)).bytes.length, 100_000);
    const stored = acme.homeserver.db.media;
    for (const file of [big, page]) assert.equal(await stored.get('bolt.test', file.slice(10)), undefined);
    // What we have already is judged again, by the policy of now.
    setPolicy(acme, 'bolt.test', { files: { direction: 'both', maxSize: 99_999 } });
    assert.deepEqual(await codes(download(li, good)), ['file_too_large']);
    setPolicy(acme, 'bolt.test', { files: { direction: 'outbound' } });
    assert.deepEqual(await codes(download(li, good)), ['files_denied']);
    setPolicy(acme, 'bolt.test', { allowLocal: [{ user: ann.userId }] });
    assert.deepEqual(await codes(download(li, good)), ['local_user_denied']);
    assert.equal((await download(ann, good)).status, 200);
    await acme.homeserver.partnerActions.suspend('bolt.test', { by: 'test' });
    assert.deepEqual(await codes(download(ann, good)), ['partner_suspended']);
    await acme.homeserver.partnerActions.resume('bolt.test', { by: 'test' });
    await network.linked('acme.test', 'bolt.test');
  });

  it('are judged by what is stored when they go out', async () => {
    setPolicy(acme, 'bolt.test', { files: { direction: 'both', maxSize: 1_000, mime: ['image/*'] } });
    const big = await upload(li, 1_001, 'image/png');
    const page = await upload(li, 10, 'text/html');
    const good = await upload(li, 1_000, 'image/png');
    for (const file of [big, page]) await refused(403, 'M_FORBIDDEN', download(bo, file));
    assert.equal((await download(bo, good)).status, 200);
    const later = await upload(li, 10, 'image/png');
    setPolicy(acme, 'bolt.test', { files: { direction: 'inbound' } });
    await refused(403, 'M_FORBIDDEN', download(bo, later));
  });
});
