import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { federationRoutes } from '../../federation/routes/table.ts';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import { type Answer, Client, refused, v1, v3 } from '../support/client.ts';
import {
  agree,
  hasBeginning,
  invitation,
  invite,
  isInvited,
  join,
  membershipOf,
  textsOf,
} from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('servers that are no partners', () => {
  let network: TestNetwork;
  let clock: ShiftableClock;
  let li: Client;
  let bo: Client;

  beforeEach(async () => {
    clock = new ShiftableClock();
    network = await TestNetwork.start(['acme.test', 'bolt.test'], { clock });
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
  });

  afterEach(() => network.stop());

  /** What an answer tells: everything but the time. */
  const shapeOf = ({ status, headers, bytes }: Answer): unknown => {
    const { date: _, ...rest } = headers;
    return { status, headers: rest, body: bytes.toString() };
  };

  it('get one and the same refusal for every path of federation over plain HTTP', async () => {
    const paths = [
      ...federationRoutes.map(({ path }) => path.replace(/:\w+/g, 'x')),
      '/_matrix/key/v2/server/ed25519:1',
      '/_matrix/key/v2/query',
      '/_matrix/key/v2/query/acme.test',
      '/_matrix/federation/v1/publicRooms',
      '/_matrix/federation/v1/openid/userinfo?access_token=x',
      '/_matrix/federation/v9/nothing',
      '/_matrix/policy/v1/sign',
    ].filter((path) => path.startsWith('/_matrix/'));
    assert.ok(paths.length > 20);
    const anonymous = Client.anonymous(network.island('acme.test'));
    const expected = shapeOf(await anonymous.request('GET', '/_matrix/federation/v1/version'));
    assert.match(JSON.stringify(expected), /"status":403.*M_FORBIDDEN/);
    const signed = { authorization: 'X-Matrix origin="bolt.test",destination="acme.test",key="a:b",sig="c"' };
    for (const path of paths)
      for (const method of ['GET', 'PUT', 'POST', 'DELETE'])
        for (const headers of [{}, signed]) {
          const answer = await anonymous.request(method, path, { headers });
          assert.deepEqual(shapeOf(answer), expected, `${method} ${path}`);
        }
  });

  it('are not dialled, whatever people ask for', async () => {
    let connections = 0;
    const sink = createServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    sink.listen(0, '127.0.0.1');
    await once(sink, 'listening');
    try {
      // A name that can be dialled as it stands, if anybody dialled it.
      // A listening TCP server has an address of this kind.
      const stranger = `localhost:${(sink.address() as AddressInfo).port}`;
      const roomId = await li.createRoom();
      const someone = `@someone:${stranger}`;
      await refused(403, 'M_FORBIDDEN', li.post(v3`/rooms/${roomId}/invite`, { user_id: someone }));
      await refused(403, 'M_FORBIDDEN', li.post(v3`/createRoom`, { invite: [someone] }));
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(someone)}`;
      await refused(403, 'M_FORBIDDEN', li.put(path, { membership: 'invite' }));
      await refused(404, 'M_NOT_FOUND', li.post(`${v3`/join/${`!a:${stranger}`}`}?via=${stranger}`));
      const asked = [
        li.get(v3`/profile/${someone}`),
        li.get(v3`/directory/room/${`#a:${stranger}`}`),
        li.post(v3`/join/${`#a:${stranger}`}`),
        li.get(v1`/media/download/${stranger}/${'a'}`),
      ];
      for (const answer of await Promise.all(asked)) {
        assert.ok(answer.status >= 400, `answered ${answer.status}`);
        assert.match(String(answer.body['error']), /is not an? (active )?partner of this server/);
      }
      assert.equal(connections, 0);
    } finally {
      sink.close();
    }
  });

  it('get nowhere by adding an island that has not added them', async () => {
    await network.introduce('acme.test', 'bolt.test');
    const roomId = await bo.createRoom();
    const answer = await clock.hurry(bo.post(v3`/rooms/${roomId}/invite`, { user_id: li.userId }));
    assert.equal(answer.status, 502);
    assert.equal(answer.body['errcode'], 'M_UNKNOWN');
    assert.match(String(answer.body['error']), /acme\.test .*cannot be reached: there is no link/);
    assert.equal(await isInvited(li, roomId), false);
    const { link } = network.island('bolt.test').homeserver.federation;
    assert.notEqual(link.status('acme.test').state, 'connected');
    await refused(
      403,
      'M_FORBIDDEN',
      li.post(v3`/rooms/${await li.createRoom()}/invite`, { user_id: bo.userId }),
    );
  });

  it('are let in as soon as both have added each other: who asked a moment before waits', async () => {
    await network.introduce('acme.test', 'bolt.test');
    const roomId = await bo.createRoom();
    const asked = invite(bo, roomId, li);
    const profile = bo.get(v3`/profile/${li.userId}`);
    await network.introduce('bolt.test', 'acme.test');
    // Else profiles are for those who share a room, which the invitation may or may not have made by then.
    setPolicy(network.island('acme.test'), 'bolt.test', {
      directory: { expose: 'everyone', fields: ['display_name'], contacts: [] },
    });
    await asked;
    assert.equal((await profile).status, 200);
    await invitation(li, roomId);
    await join(li, roomId);
    await agree(network, roomId, [bo, li]);
  });

  it('lose the link at once and everything with it when they are taken out, and catch up when put back', async () => {
    await network.pair('acme.test', 'bolt.test');
    const roomId = await li.createRoom({ invite: [bo.userId] });
    await join(bo, roomId);
    await li.say(roomId, 'as partners');
    await agree(network, roomId, [li, bo]);

    const acme = network.island('acme.test');
    const partners = [...acme.partners];
    acme.setPartners([]);
    await network.until(
      () => network.island('bolt.test').homeserver.federation.link.status('acme.test').state !== 'connected',
      'the link of a partner that was taken out stays up',
    );
    const written = { msgtype: 'm.text', body: 'from behind the border' };
    await refused(403, 'M_FORBIDDEN', li.put(v3`/rooms/${roomId}/send/m.room.message/${'behind'}`, written));
    await bo.say(roomId, 'can you hear me');
    const other = await li.createRoom();
    await refused(403, 'M_FORBIDDEN', li.post(v3`/rooms/${other}/invite`, { user_id: bo.userId }));
    assert.match(String((await li.get(v3`/profile/${bo.userId}`)).body['error']), /not an active partner/);
    const unserved = await clock.hurry(bo.get(v3`/profile/${li.userId}`));
    assert.equal(unserved.status, 504);
    assert.ok(!(await clock.hurry(textsOf(li, roomId))).includes('can you hear me'));

    acme.setPartners(partners);
    await network.linked('acme.test', 'bolt.test');
    await network.settled();
    await li.say(roomId, 'partners again');
    await agree(network, roomId, [li, bo]);
    for (const client of [li, bo])
      assert.deepEqual((await textsOf(client, roomId)).sort(), [
        'as partners',
        'can you hear me',
        'partners again',
      ]);
  });

  it('may become partners at any time, and join a room that was there before', async () => {
    await network.pair('acme.test', 'bolt.test');
    const roomId = await li.createRoom({ invite: [bo.userId], name: 'Desk' });
    await join(bo, roomId);
    await li.say(roomId, 'the two of us');
    const cava = await network.add('cava.test', { clock });
    const cy = await Client.create(cava, 'cy');
    await network.pair('acme.test', 'cava.test');
    await network.pair('bolt.test', 'cava.test');
    await invite(bo, roomId, cy);
    await join(cy, roomId);
    await cy.say(roomId, 'three of us');
    await network.settled();
    await li.say(roomId, 'welcome');
    await agree(network, roomId, [li, bo, cy]);
    for (const client of [li, bo, cy])
      assert.deepEqual(await textsOf(client, roomId), ['the two of us', 'three of us', 'welcome']);
  });

  it('of a partner stay strangers: a third island is not brought in by way of a friend', async () => {
    const cava = await network.add('cava.test', { clock });
    const cy = await Client.create(cava, 'cy');
    await network.pair('acme.test', 'bolt.test');
    await network.pair('bolt.test', 'cava.test');
    // Nobody minds whom the room holds: what is left is that acme knows no key of cava.
    const any = { ...defaultPartnerPolicy.rooms, thirdParties: 'allow' } as const;
    setPolicy(network.island('acme.test'), 'bolt.test', { rooms: any });
    for (const other of ['acme.test', 'cava.test'])
      setPolicy(network.island('bolt.test'), other, { rooms: any });
    setPolicy(cava, 'bolt.test', { rooms: any });
    const roomId = await bo.createRoom({ preset: 'public_chat', room_alias_name: 'hub' });
    await join(li, '#hub:bolt.test');
    await join(cy, '#hub:bolt.test');
    await network.settled();
    await cy.say(roomId, 'from a stranger');
    await bo.say(roomId, 'from a friend');
    await network.settled();
    // Nobody vouches to acme for cava's key: its events do not count there, and the room goes on.
    assert.equal(await membershipOf(li, roomId, cy.userId), 'leave');
    assert.deepEqual(await textsOf(li, roomId), ['from a friend']);
    await refused(403, 'M_FORBIDDEN', li.post(v3`/rooms/${roomId}/invite`, { user_id: cy.userId }));

    assert.equal(await hasBeginning(li, roomId), true);
  });
});
