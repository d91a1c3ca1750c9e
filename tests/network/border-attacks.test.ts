import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, v3 } from '../support/client.ts';
import { isInvited, membershipOf, textsOf } from '../support/conversation.ts';
import { ForgingPartner } from '../support/forging-partner.ts';
import { setPolicy } from '../support/policies.ts';
import { TestNetwork } from '../support/test-network.ts';

/*
 * Attacks on the border, and where each is tested:
 *
 * a partner's admin edits its own policy   denial-table: theirs is open wherever ours alone denies
 * an event that gets in by being late      here
 * spoofed sender domains                   forged.test.ts (events), here (EDUs, invitations)
 * an invitation through a third server     here
 * an alias that points elsewhere           here, people.test.ts
 * percent-encoding and case in paths       here
 * a join by a server outside the class     denial-table (clients), here (by hand, without asking first)
 * EDUs for rooms that are not shared       here
 * profile and directory enumeration        people.test.ts (same answer, same time), here (aliases)
 * timing and shape of refusals             here, strangers.test.ts, federation/strangers.test.ts
 * an altered audit file                    storage/audit.test.ts
 * a card that is replayed or altered       cli/partners.test.ts, federation/cards.test.ts
 * a reload with one bad partner            reload.test.ts
 * a callback or a quota that is got around callbacks.test.ts, quotas.test.ts
 */
describe('attacks on the border', () => {
  let network: TestNetwork;
  let forger: ForgingPartner;
  let li: Client;
  let bo: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    forger = await ForgingPartner.join(network, 'evil.test', [network.island('acme.test')]);
  });

  afterEach(() => {
    forger.answers.clear();
    setPolicy(network.island('acme.test'), 'evil.test', {});
  });

  after(async () => {
    await forger.stop();
    await network.stop();
  });

  const acme = () => network.island('acme.test');
  const mallory = (): string => forger.userId('mallory');

  /** A room of li that mallory has entered. */
  async function sharedRoom(): Promise<string> {
    const roomId = await li.createRoom({ preset: 'public_chat' });
    await forger.enter(acme(), roomId, mallory());
    return roomId;
  }

  it('an event that was rejected for want of another, and is accepted when that comes, is judged then', async () => {
    const roomId = await sharedRoom();
    setPolicy(acme(), 'evil.test', { events: { deny: ['org.example.secret'] } });
    // A new member event of the sender, which is kept back at first, authorises the message.
    const member = await forger.forge(acme(), roomId, {
      type: 'm.room.member',
      sender: mallory(),
      stateKey: mallory(),
      content: { membership: 'join', displayname: 'Mallory' },
    });
    const secret = await forger.forge(acme(), roomId, {
      type: 'org.example.secret',
      sender: mallory(),
      content: { body: 'smuggled' },
      auth: [
        ...member.pdu.auth_events.filter((id) => forger.events.get(id)?.type === 'm.room.power_levels'),
        member.eventId,
      ],
    });
    for (const operation of ['event_auth', 'event'])
      forger.answers.set(operation, () => ({ status: 404, body: { errcode: 'M_NOT_FOUND' } }));
    await forger.send(acme(), [secret.pdu]);
    await network.processed();
    assert.equal((await acme().homeserver.engine.event(secret.eventId))?.rejected, true);
    forger.answers.clear();
    await forger.send(acme(), [member.pdu]);
    await network.processed();
    const stored = await acme().homeserver.engine.event(secret.eventId);
    assert.deepEqual([stored?.rejected, stored?.quarantined], [false, true]);
    const everything = JSON.stringify([
      await li.sync(),
      await ok(li.get(v3`/rooms/${roomId}/messages`, { dir: 'b' })),
    ]);
    assert.ok(!everything.includes('smuggled'));
  });

  it('an invitation goes through no third server, and is of who sends it', async () => {
    const roomId = await bo.createRoom();
    const { status } = await forger.ask(
      acme(),
      'PUT',
      `/_matrix/federation/v2/invite/${encodeURIComponent(roomId)}/${encodeURIComponent('$x')}`,
      {
        room_version: '10',
        event: {
          type: 'm.room.member',
          room_id: roomId,
          sender: bo.userId,
          state_key: li.userId,
          content: { membership: 'invite' },
          auth_events: [],
          prev_events: [],
          depth: 1,
          origin_server_ts: Date.now(),
          hashes: { sha256: '' },
          signatures: {},
        },
        invite_room_state: [],
      },
    );
    assert.ok(status === 400 || status === 403, String(status));
    assert.equal(await isInvited(li, roomId), false);
  });

  it('an alias leads nowhere but to the partner that it names, and opens no room', async () => {
    let connections = 0;
    const sink = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    // A listening TCP server has an address of this kind.
    const elsewhere = `localhost:${(sink.address() as AddressInfo).port}`;
    const closed = await li.createRoom({ preset: 'private_chat' });
    const eve = await Client.create(acme(), 'eve');
    for (const [room, servers] of [
      [closed, ['acme.test', 'evil.test']],
      [`!elsewhere:${elsewhere}`, [elsewhere]],
    ] as const) {
      forger.answers.set('query', () => ({ status: 200, body: { room_id: room, servers: [...servers] } }));
      const answer = await eve.post(v3`/join/${'#trap:evil.test'}`);
      assert.ok(answer.status >= 400, `${room}: ${answer.status}`);
    }
    assert.equal(await membershipOf(li, closed, eve.userId), 'leave');
    assert.equal(connections, 0);
    sink.close();
  });

  it('a server outside of the room’s class is not let in by a join that it signs without asking', async () => {
    const roomId = await li.createRoom({
      preset: 'public_chat',
      initial_state: [{ type: 'org.archipelago.room_class', content: { class: 'internal' } }],
    });
    const path = `/_matrix/federation/v1/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(mallory())}`;
    assert.equal((await forger.ask(acme(), 'GET', `${path}?ver=12`)).status, 403);
    const event = await forger.forge(acme(), roomId, {
      type: 'm.room.member',
      sender: mallory(),
      stateKey: mallory(),
      content: { membership: 'join' },
    });
    for (const version of ['v1', 'v2']) {
      const send = `/_matrix/federation/${version}/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(event.eventId)}`;
      assert.equal((await forger.ask(acme(), 'PUT', send, event.pdu)).status, 403, version);
    }
    assert.equal(await membershipOf(li, roomId, mallory()), 'leave');
  });

  it('typing notices and receipts are of the partner’s people in rooms that they are in, and of no others', async () => {
    const roomId = await sharedRoom();
    const internal = await li.createRoom();
    const [inShared, inInternal] = [await li.say(roomId, 'here'), await li.say(internal, 'among us')];
    const typing = (room: string, userId: string): JsonObject => ({
      edu_type: 'm.typing',
      content: { room_id: room, user_id: userId, typing: true },
    });
    const receipt = (room: string, userId: string, eventId: string): JsonObject => ({
      edu_type: 'm.receipt',
      content: { [room]: { 'm.read': { [userId]: { event_ids: [eventId], data: { ts: 1 } } } } },
    });
    await forger.send(
      acme(),
      [],
      [
        typing(roomId, bo.userId),
        typing(roomId, li.userId),
        typing(roomId, forger.userId('nobody')),
        typing(internal, mallory()),
        receipt(roomId, li.userId, inShared),
        receipt(internal, mallory(), inInternal),
        typing(roomId, mallory()),
      ],
    );
    await network.processed();
    const sync = await li.sync();
    const typingIn = (room: string) =>
      listAt(sync, 'rooms', 'join', room, 'ephemeral', 'events')
        .filter(({ type }) => type === 'm.typing')
        .flatMap((event) => at(event, 'content', 'user_ids'));
    // The last of them is what a partner may say: it shows that those before it were looked at.
    assert.deepEqual(typingIn(roomId).flat(), [mallory()]);
    assert.deepEqual(typingIn(internal).flat(), []);
    const ephemeral = JSON.stringify(at(sync, 'rooms', 'join'));
    assert.ok(!ephemeral.includes('"m.read":{"@li') && !ephemeral.includes('"m.read":{"@mallory'));
  });

  it('a path is one path: no other spelling of it is served, on a link or over HTTP', async () => {
    const spellings = [
      '/_MATRIX/federation/v1/version',
      '/_matrix/Federation/v1/version',
      '/_matrix/federation/V1/version',
      '/_matrix/federation/v1/Version',
      '/_matrix/federation/v1/%76ersion',
      '/%5Fmatrix/federation/v1/version',
      '/_matrix%2Ffederation%2Fv1%2Fversion',
      '/_matrix/federation/v1/version/',
      '//_matrix/federation/v1/version',
      '/_matrix//federation/v1/version',
      '/_matrix/federation/v1/./version',
      '/_matrix/federation/v1/x/../version',
      '/_matrix/federation/v1/x/%2e%2e/version',
      '/_matrix/federation/v1/version;x',
      '/_matrix/federation/v1/version%00',
      '/_matrix/client/v3/account/whoami',
      '/_matrix/client/versions',
      '/_archipelago/admin/v1/partners',
      'http://acme.test/_matrix/federation/v1/version',
    ];
    assert.equal((await forger.ask(acme(), 'GET', '/_matrix/federation/v1/version')).status, 200);
    const anonymous = Client.anonymous(acme());
    for (const path of spellings) {
      // What is no path at all ends the link; a partner gets no answer by that.
      if (path.startsWith('/')) {
        const { status, body } = await forger.ask(acme(), 'GET', path);
        assert.deepEqual([status, body['errcode']], [404, 'M_UNRECOGNIZED'], `link ${path}`);
      }
      if (path.startsWith('/_matrix/client/')) continue;
      const { status, body } = await anonymous.request('GET', path);
      assert.ok(
        (status === 403 && body['errcode'] === 'M_FORBIDDEN') ||
          (status === 404 && body['errcode'] === 'M_UNRECOGNIZED'),
        `HTTP ${path}: ${status} ${JSON.stringify(body)}`,
      );
    }
  });

  it('a partner learns nothing of rooms and aliases that are not for it', async () => {
    const options = (name: string, kind: string): JsonObject => ({
      preset: 'public_chat',
      room_alias_name: name,
      initial_state: [{ type: 'org.archipelago.room_class', content: { class: kind } }],
    });
    const internal = await li.createRoom(options('secret', 'internal'));
    const ask = (path: string) => forger.ask(acme(), 'GET', path);
    const alias = (name: string) =>
      ask(`/_matrix/federation/v1/query/directory?room_alias=${encodeURIComponent(`#${name}:acme.test`)}`);
    assert.deepEqual(await alias('secret'), await alias('nothing'));
    const event = await li.say(internal, 'for us');
    for (const path of [
      `/_matrix/federation/v1/event/${encodeURIComponent(event)}`,
      `/_matrix/federation/v1/state/${encodeURIComponent(internal)}?event_id=${encodeURIComponent(event)}`,
      `/_matrix/federation/v1/state_ids/${encodeURIComponent(internal)}?event_id=${encodeURIComponent(event)}`,
      `/_matrix/federation/v1/backfill/${encodeURIComponent(internal)}?v=${encodeURIComponent(event)}&limit=10`,
      `/_matrix/federation/v1/event_auth/${encodeURIComponent(internal)}/${encodeURIComponent(event)}`,
    ]) {
      const { status, body } = await ask(path);
      assert.ok(status === 403 || status === 404, `${path}: ${status}`);
      assert.ok(!JSON.stringify(body).includes('for us'));
    }
    assert.deepEqual(await textsOf(li, internal), ['for us']);
  });

  it('a refusal tells a stranger nothing by the time that it takes', async () => {
    const anonymous = Client.anonymous(acme());
    const signedAs = (origin: string): Record<string, string> => ({
      authorization: `X-Matrix origin="${origin}",destination="acme.test",key="ed25519:a",sig="c2ln"`,
    });
    const times = new Map<string, number[]>([
      ['stranger.test', []],
      ['evil.test', []],
      ['suspended.test', []],
    ]);
    const key = forger.signingKey;
    acme().setPartners([
      ...acme().partners,
      {
        serverName: 'suspended.test',
        state: 'suspended',
        verifyKeys: { [key.keyId]: { key: key.publicKey } },
        transport: {
          type: 'link',
          urls: [],
          dial: 'inbound',
          allowPrivateIp: false,
          allowCleartext: false,
          tls: {},
        },
        policy: defaultPartnerPolicy,
        source: { file: 'homeserver.yaml', line: 1, column: 1, rule: 'homeserver.yaml:1' },
      },
    ]);
    for (let round = 0; round < 30; round += 1)
      for (const [origin, taken] of times) {
        const start = performance.now();
        const answer = await anonymous.request('GET', '/_matrix/federation/v1/version', {
          headers: signedAs(origin),
        });
        taken.push(performance.now() - start);
        assert.equal(answer.status, 403);
      }
    const medians = [...times.values()].map((taken) => taken.sort((a, b) => a - b)[15] ?? 0);
    assert.ok(Math.max(...medians) < 3 * Math.min(...medians), medians.join(' '));
  });
});
