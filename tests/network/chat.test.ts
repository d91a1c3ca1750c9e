import assert from 'node:assert/strict';
import { at, Client, listAt, ok, refused, textAt, v1, v3 } from '../support/client.ts';
import {
  agree,
  invitation,
  invite,
  isInvited,
  join,
  leave,
  membershipOf,
  moderate,
  seen,
  setState,
  stateContent,
  textsOf,
} from '../support/conversation.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('people of two islands', () => {
  const clock = new ShiftableClock();
  let network: TestNetwork;
  let li: Client;
  let bo: Client;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { clock });
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
  });

  after(() => network.stop());

  for (const roomVersion of ['10', '11', '12']) {
    it(`are invited, join, chat, leave and come back in room version ${roomVersion}`, async () => {
      const roomId = await li.createRoom({ room_version: roomVersion, name: 'Desk' });
      await li.say(roomId, 'before you came');
      await invite(li, roomId, bo);
      const state = await invitation(bo, roomId);
      assert.equal(
        at(
          state.find(({ type }) => type === 'm.room.name'),
          'content',
          'name',
        ),
        'Desk',
      );
      assert.ok(state.some(({ type }) => type === 'm.room.create'));
      assert.equal(await membershipOf(li, roomId, bo.userId), 'invite');
      await join(bo, roomId);
      await agree(network, roomId, [li, bo]);
      await li.say(roomId, 'hello');
      await network.settled();
      await bo.say(roomId, 'hello yourself');
      await network.settled();
      for (const client of [li, bo])
        assert.deepEqual(await textsOf(client, roomId), ['before you came', 'hello', 'hello yourself']);
      assert.equal(at(await stateContent(li, roomId, 'm.room.create'), 'room_version'), roomVersion);
      await leave(bo, roomId);
      await network.settled();
      assert.equal(await membershipOf(li, roomId, bo.userId), 'leave');
      await li.say(roomId, 'nobody hears me');
      await refused(403, 'M_FORBIDDEN', bo.post(v3`/rooms/${roomId}/join`));
      await invite(li, roomId, bo);
      await join(bo, roomId);
      await bo.say(roomId, 'back again');
      await agree(network, roomId, [li, bo]);
      assert.equal((await textsOf(li, roomId)).at(-1), 'back again');
      assert.equal((await textsOf(bo, roomId)).at(-1), 'back again');
    });
  }

  it('see each message in /sync as it comes, with its sender and nothing doubled', async () => {
    const roomId = await li.createRoom({ invite: [bo.userId], preset: 'private_chat' });
    await join(bo, roomId);
    await network.settled();
    const since = textAt(await bo.sync(), 'next_batch');
    const waiting = bo.sync(since, { timeout: 10_000 });
    const eventId = await li.say(roomId, 'pushed');
    const events = listAt(await waiting, 'rooms', 'join', roomId, 'timeline', 'events');
    assert.deepEqual(
      events.map((event) => [event['event_id'], event['sender'], at(event, 'content', 'body')]),
      [[eventId, li.userId, 'pushed']],
    );
  });

  it('find a room by an alias of the partner, and join by it', async () => {
    const roomId = await li.createRoom({ preset: 'public_chat', room_alias_name: 'lobby' });
    const found = await ok(bo.get(v3`/directory/room/${'#lobby:acme.test'}`));
    assert.equal(found['room_id'], roomId);
    assert.deepEqual(found['servers'], ['acme.test']);
    assert.equal(await join(bo, '#lobby:acme.test'), roomId);
    await agree(network, roomId, [li, bo]);
    await refused(404, 'M_NOT_FOUND', bo.get(v3`/directory/room/${'#nothing:acme.test'}`));
    await refused(404, 'M_NOT_FOUND', bo.post(v3`/join/${'#nothing:acme.test'}`));
  });

  it('join a public room by a server that is named, and not without one', async () => {
    const roomId = await li.createRoom({ preset: 'public_chat' });
    await refused(404, 'M_NOT_FOUND', bo.post(v3`/join/${roomId}`));
    await refused(404, 'M_NOT_FOUND', bo.post(`${v3`/join/${roomId}`}?via=nowhere.test`));
    await join(bo, roomId, ['nowhere.test', 'acme.test']);
    await bo.say(roomId, 'found the way');
    await agree(network, roomId, [li, bo]);
    assert.deepEqual(await textsOf(li, roomId), ['found the way']);
  });

  it('join a restricted room by way of the island that may vouch for them, while others talk on', async () => {
    const ann = await Client.create(network.island('acme.test'), 'ann');
    const club = await bo.createRoom({ preset: 'public_chat' });
    const roomId = await bo.createRoom({
      preset: 'public_chat',
      power_level_content_override: { invite: 50 },
    });
    await join(li, roomId, ['bolt.test']);
    await join(ann, club, ['bolt.test']);
    await setState(bo, roomId, 'm.room.join_rules', {
      join_rule: 'restricted',
      allow: [{ type: 'm.room_membership', room_id: club }],
    });
    await network.settled();
    // Nobody of acme may invite there; bo of bolt may.
    const texts = Array.from({ length: 6 }, (_, index) => `talking on ${index}`);
    const talk = (async () => {
      for (const text of texts) await li.say(roomId, text);
    })();
    await Promise.all([talk, join(ann, roomId)]);
    await ann.say(roomId, 'here I am');
    await agree(network, roomId, [li, bo, ann]);
    const member = await stateContent(bo, roomId, 'm.room.member', ann.userId);
    assert.equal(member['join_authorised_via_users_server'], bo.userId);
    for (const client of [li, bo])
      assert.deepEqual((await textsOf(client, roomId)).sort(), ['here I am', ...texts].sort());
    const eve = await Client.create(network.island('acme.test'), 'eve');
    await refused(403, 'M_FORBIDDEN', eve.post(v3`/join/${roomId}`));
  });

  it('read each other’s profiles, also as they change', async () => {
    await ok(li.put(v3`/profile/${li.userId}/displayname`, { displayname: 'Li of Acme' }));
    // To people of the other island a name says whose it is.
    assert.equal(at(await ok(bo.get(v3`/profile/${li.userId}`)), 'displayname'), 'Li of Acme (acme.test)');
    const one = await ok(bo.get(v3`/profile/${li.userId}/displayname`));
    assert.deepEqual(one, { displayname: 'Li of Acme (acme.test)' });
    await refused(404, 'M_NOT_FOUND', bo.get(v3`/profile/${'@nobody:acme.test'}`));
    const roomId = await li.createRoom({ invite: [bo.userId] });
    await join(bo, roomId);
    await ok(li.put(v3`/profile/${li.userId}/displayname`, { displayname: 'Li, married' }));
    await network.settled();
    const member = await stateContent(bo, roomId, 'm.room.member', li.userId);
    assert.equal(member['displayname'], 'Li, married (acme.test)');
  });

  it('send each other files', async () => {
    const picture = Buffer.alloc(700_000, 'a picture ');
    const uploaded = await ok(
      li.request('POST', '/_matrix/media/v3/upload?filename=p.png', {
        raw: picture,
        headers: { 'content-type': 'image/png' },
      }),
    );
    const mediaId = textAt(uploaded, 'content_uri').replace('mxc://acme.test/', '');
    const file = await bo.get(v1`/media/download/${'acme.test'}/${mediaId}`);
    assert.equal(file.status, 200);
    assert.equal(file.headers['content-type'], 'image/png');
    assert.match(String(file.headers['content-disposition']), /p\.png/);
    assert.ok(file.bytes.equals(picture));
    await refused(404, 'M_NOT_FOUND', bo.get(v1`/media/download/${'acme.test'}/${'nothing'}`));
  });

  it('see who types and how far the others have read', async () => {
    const roomId = await li.createRoom({ invite: [bo.userId] });
    await join(bo, roomId);
    const eventId = await li.say(roomId, 'read me');
    await network.settled();
    await ok(bo.put(v3`/rooms/${roomId}/typing/${bo.userId}`, { typing: true, timeout: 20_000 }));
    const ephemeral = (type: string) => (body: Parameters<typeof at>[0]) =>
      at(
        listAt(body, 'rooms', 'join', roomId, 'ephemeral', 'events').find((event) => event['type'] === type),
        'content',
      );
    const typing = await seen(li, ephemeral('m.typing'), 'nobody types');
    assert.deepEqual(typing, { user_ids: [bo.userId] });
    await ok(bo.post(v3`/rooms/${roomId}/receipt/m.read/${eventId}`));
    const receipt = await seen(li, ephemeral('m.receipt'), 'nobody read it');
    assert.equal(typeof at(receipt, eventId, 'm.read', bo.userId, 'ts'), 'number');
    await ok(bo.put(v3`/rooms/${roomId}/typing/${bo.userId}`, { typing: false }));
    await seen(
      li,
      (body) => (at(ephemeral('m.typing')(body), 'user_ids', 0) === undefined ? true : undefined),
      'they type for ever',
    );
  });

  describe('in a room of the one', () => {
    let roomId: string;

    beforeEach(async () => {
      roomId = await li.createRoom({ invite: [bo.userId] });
    });

    it('turn an invitation down', async () => {
      await leave(bo, roomId);
      await network.settled();
      assert.equal(await membershipOf(li, roomId, bo.userId), 'leave');
      assert.equal(await isInvited(bo, roomId), false);
      await refused(403, 'M_FORBIDDEN', bo.post(`${v3`/join/${roomId}`}?via=acme.test`));
    });

    it('have an invitation withdrawn', async () => {
      await invitation(bo, roomId);
      await moderate(li, 'kick', roomId, bo.userId);
      await network.settled();
      assert.equal(await isInvited(bo, roomId), false);
      await refused(403, 'M_FORBIDDEN', bo.post(`${v3`/join/${roomId}`}?via=acme.test`));
    });

    it('turn an invitation down although the inviter’s island is gone', async () => {
      network.cut('acme.test', 'bolt.test');
      await clock.hurry(leave(bo, roomId));
      assert.equal(await isInvited(bo, roomId), false);
      network.heal('acme.test', 'bolt.test');
      await network.linked('acme.test', 'bolt.test');
      // Li does not know, and takes the invitation back: that is no trouble for anybody.
      await moderate(li, 'kick', roomId, bo.userId);
      await network.settled();
      const { lines } = network.island('bolt.test');
      assert.deepEqual(
        lines.filter(({ msg }) => msg === 'a dead letter'),
        [],
      );
    });

    it('are kicked, and come back by an invitation', async () => {
      await join(bo, roomId);
      await agree(network, roomId, [li, bo]);
      await refused(403, 'M_FORBIDDEN', bo.post(v3`/rooms/${roomId}/kick`, { user_id: li.userId }));
      await moderate(li, 'kick', roomId, bo.userId);
      await network.settled();
      assert.equal(at(await bo.sync(), 'rooms', 'join', roomId), undefined);
      await refused(403, 'M_FORBIDDEN', bo.put(v3`/rooms/${roomId}/send/m.room.message/1`, { body: 'x' }));
      await invite(li, roomId, bo);
      await join(bo, roomId);
      await agree(network, roomId, [li, bo]);
    });

    it('are banned, and cannot come back until the ban is lifted', async () => {
      await join(bo, roomId);
      await agree(network, roomId, [li, bo]);
      await moderate(li, 'ban', roomId, bo.userId);
      await network.settled();
      assert.equal(at(await bo.sync(), 'rooms', 'join', roomId), undefined);
      await refused(403, 'M_FORBIDDEN', bo.post(`${v3`/join/${roomId}`}?via=acme.test`));
      await refused(403, 'M_FORBIDDEN', li.post(v3`/rooms/${roomId}/invite`, { user_id: bo.userId }));
      await moderate(li, 'unban', roomId, bo.userId);
      await invite(li, roomId, bo);
      await join(bo, roomId);
      await agree(network, roomId, [li, bo]);
    });

    it('redact what they said, on both sides', async () => {
      await join(bo, roomId);
      const eventId = await bo.say(roomId, 'a slip of the tongue');
      await network.settled();
      assert.ok((await textsOf(li, roomId)).includes('a slip of the tongue'));
      await ok(bo.put(v3`/rooms/${roomId}/redact/${eventId}/r1`, { reason: 'oops' }));
      await network.settled();
      for (const client of [li, bo]) {
        assert.ok(!(await textsOf(client, roomId)).includes('a slip of the tongue'));
        const event = await ok(client.get(v3`/rooms/${roomId}/event/${eventId}`));
        assert.deepEqual(event['content'], {});
        assert.equal(at(event, 'unsigned', 'redacted_because', 'content', 'reason'), 'oops');
      }
    });

    it('change the room, and both see it', async () => {
      await join(bo, roomId);
      await setState(li, roomId, 'm.room.topic', { topic: 'of both' });
      await agree(network, roomId, [li, bo]);
      assert.equal(at(await stateContent(bo, roomId, 'm.room.topic'), 'topic'), 'of both');
      const refusal = bo.put(v3`/rooms/${roomId}/state/m.room.topic/`, { topic: 'mine' });
      await refused(403, 'M_FORBIDDEN', refusal);
    });
  });
});
