import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('coming into rooms and going', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;
  let carol: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    carol = await Client.create(island, 'carol');
  });

  after(() => network.stop());

  const join = (user: Client, roomId: string, body: JsonObject = {}) =>
    user.post(v3`/rooms/${roomId}/join`, body);
  const act = (user: Client, action: string, roomId: string, target: Client, reason?: string) =>
    user.post(v3`/rooms/${roomId}/${action}`, {
      user_id: target.userId,
      ...(reason === undefined ? {} : { reason }),
    });
  const memberEvent = async (roomId: string, target: Client): Promise<JsonObject> =>
    ok(alice.get(v3`/rooms/${roomId}/state/m.room.member/${target.userId}`, { format: 'event' }));
  const membership = async (roomId: string, target: Client) =>
    at(await memberEvent(roomId, target), 'content', 'membership');
  const joinedRooms = async (user: Client): Promise<unknown> =>
    at(await ok(user.get(v3`/joined_rooms`)), 'joined_rooms');
  /** Alice's room with Bob in it. */
  const roomWithBob = async (options: JsonObject = {}): Promise<string> => {
    const roomId = await alice.createRoom({ preset: 'public_chat', ...options });
    await ok(join(bob, roomId));
    return roomId;
  };

  describe('joining', () => {
    it('works by room id, by alias, and with servers named', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat', room_alias_name: 'lobby' });
      for (const path of [
        v3`/rooms/${roomId}/join`,
        v3`/join/${roomId}`,
        v3`/join/${'#lobby:acme.test'}`,
        `${v3`/join/${roomId}`}?via=acme.test&via=nowhere.test`,
        `${v3`/join/${'#lobby:acme.test'}`}?server_name=acme.test`,
      ]) {
        assert.deepEqual(await ok(bob.post(path)), { room_id: roomId });
        assert.equal(await membership(roomId, bob), 'join');
        await ok(bob.post(v3`/rooms/${roomId}/leave`));
      }
    });

    it('twice is joining once', async () => {
      const roomId = await roomWithBob();
      const first = textAt(await memberEvent(roomId, bob), 'event_id');
      await ok(join(bob, roomId));
      assert.equal(textAt(await memberEvent(roomId, bob), 'event_id'), first);
      const carols = await Promise.all([join(carol, roomId), join(carol, roomId), join(carol, roomId)]);
      assert.deepEqual(
        carols.map(({ status }) => status),
        [200, 200, 200],
      );
      assert.deepEqual(await joinedRooms(carol), [roomId]);
      await ok(carol.post(v3`/rooms/${roomId}/leave`));
    });

    it('keeps the reason, and the profile of who joins', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      await ok(carol.put(v3`/profile/${carol.userId}/displayname`, { displayname: 'Carol' }));
      await ok(join(carol, roomId, { reason: 'curious' }));
      assert.deepEqual(at(await memberEvent(roomId, carol), 'content'), {
        membership: 'join',
        displayname: 'Carol',
        reason: 'curious',
      });
    });

    it('asks for an invitation where the join rule does', async () => {
      const roomId = await alice.createRoom({ preset: 'private_chat' });
      await refused(403, 'M_FORBIDDEN', join(bob, roomId));
      await ok(act(alice, 'invite', roomId, bob));
      await ok(join(bob, roomId));
      const closed = await alice.createRoom({
        initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }],
      });
      await refused(403, 'M_FORBIDDEN', join(bob, closed));
      await ok(act(alice, 'invite', closed, bob));
      await ok(join(bob, closed));
      const shut = await alice.createRoom({
        invite: [bob.userId],
        initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'private' } }],
      });
      await refused(403, 'M_FORBIDDEN', join(bob, shut));
    });

    it('lets members of an allowed room into a restricted one, with somebody of the room to vouch', async () => {
      const lobby = await alice.createRoom({ preset: 'public_chat' });
      for (const rule of ['restricted', 'knock_restricted']) {
        const roomId = await alice.createRoom({
          initial_state: [
            {
              type: 'm.room.join_rules',
              content: { join_rule: rule, allow: [{ type: 'm.room_membership', room_id: lobby }] },
            },
          ],
        });
        await refused(403, 'M_FORBIDDEN', join(bob, roomId));
        await ok(join(bob, lobby));
        await ok(join(bob, roomId));
        const { content } = await memberEvent(roomId, bob);
        assert.equal(at(content, 'join_authorised_via_users_server'), alice.userId);
        await ok(bob.post(v3`/rooms/${lobby}/leave`));
        // Who is in stays in, and who is invited needs no vouching.
        assert.equal(await membership(roomId, bob), 'join');
        await ok(act(alice, 'invite', roomId, carol));
        await ok(join(carol, roomId));
        assert.equal(
          at(await memberEvent(roomId, carol), 'content', 'join_authorised_via_users_server'),
          undefined,
        );
      }
      const closed = await alice.createRoom({
        initial_state: [
          {
            type: 'm.room.join_rules',
            content: {
              join_rule: 'restricted',
              allow: [{ type: 'm.room_membership', room_id: '!x:far.test' }],
            },
          },
        ],
      });
      await refused(400, 'M_UNABLE_TO_AUTHORISE_JOIN', join(bob, closed));
    });

    it('is refused with the right error for rooms that are not there and names that are none', async () => {
      await refused(404, 'M_NOT_FOUND', join(bob, '!nothing:acme.test'));
      await refused(404, 'M_NOT_FOUND', bob.post(v3`/join/${'#nothing:acme.test'}`));
      await refused(400, 'M_INVALID_PARAM', bob.post(v3`/join/${'lobby'}`));
      await refused(400, 'M_INVALID_PARAM', bob.post(v3`/join/${'#lobby'}`));
      await refused(400, 'M_INVALID_PARAM', join(bob, 'lobby'));
      await refused(400, 'M_BAD_JSON', join(bob, '!nothing:acme.test', { reason: 3 }));
    });
  });

  describe('inviting', () => {
    it('shows in the room, with its reason, and can be repeated', async () => {
      const roomId = await alice.createRoom();
      await ok(act(alice, 'invite', roomId, bob, 'please'));
      assert.deepEqual(at(await memberEvent(roomId, bob), 'content'), {
        membership: 'invite',
        reason: 'please',
      });
      await ok(act(alice, 'invite', roomId, bob));
    });

    it('as a state event is the same', async () => {
      const roomId = await alice.createRoom();
      const path = v3`/rooms/${roomId}/state/m.room.member/${bob.userId}`;
      await ok(alice.put(path, { membership: 'invite', reason: 'so' }));
      assert.equal(await membership(roomId, bob), 'invite');
      await ok(join(bob, roomId));
    });

    it('is for members with the level, of people who are neither in nor banned', async () => {
      const roomId = await roomWithBob({ power_level_content_override: { invite: 50 } });
      await refused(403, 'M_FORBIDDEN', act(bob, 'invite', roomId, carol));
      await refused(403, 'M_FORBIDDEN', act(carol, 'invite', roomId, bob));
      await refused(403, 'M_FORBIDDEN', act(alice, 'invite', roomId, bob));
      await ok(act(alice, 'ban', roomId, carol));
      await refused(403, 'M_FORBIDDEN', act(alice, 'invite', roomId, carol));
      await refused(404, 'M_NOT_FOUND', act(alice, 'invite', '!nothing:acme.test', carol));
      await refused(400, 'M_INVALID_PARAM', alice.post(v3`/rooms/${roomId}/invite`, { user_id: 'carol' }));
      await refused(400, 'M_MISSING_PARAM', alice.post(v3`/rooms/${roomId}/invite`, {}));
      await refused(
        403,
        'M_FORBIDDEN',
        alice.post(v3`/rooms/${roomId}/invite`, { user_id: '@eve:stranger.test' }),
      );
    });

    it('is rejected by leaving', async () => {
      const roomId = await alice.createRoom({ invite: [bob.userId] });
      await ok(bob.post(v3`/rooms/${roomId}/leave`, { reason: 'no thanks' }));
      assert.deepEqual(at(await memberEvent(roomId, bob), 'content'), {
        membership: 'leave',
        reason: 'no thanks',
      });
      await refused(403, 'M_FORBIDDEN', join(bob, roomId));
    });

    it('is withdrawn by kicking', async () => {
      const roomId = await alice.createRoom({ invite: [bob.userId] });
      await ok(act(alice, 'kick', roomId, bob));
      await refused(403, 'M_FORBIDDEN', join(bob, roomId));
    });
  });

  describe('leaving', () => {
    it('keeps the reason, can be repeated, and ends what a member may do', async () => {
      const roomId = await roomWithBob();
      await ok(bob.post(v3`/rooms/${roomId}/leave`, { reason: 'lunch' }));
      const event = await memberEvent(roomId, bob);
      assert.deepEqual(event['content'], { membership: 'leave', reason: 'lunch' });
      await ok(bob.post(v3`/rooms/${roomId}/leave`));
      assert.equal(textAt(await memberEvent(roomId, bob), 'event_id'), event['event_id']);
      await refused(
        403,
        'M_FORBIDDEN',
        bob.put(v3`/rooms/${roomId}/send/m.room.message/t1`, { msgtype: 'm.text', body: 'still here' }),
      );
      await ok(join(bob, roomId));
    });

    it('is refused for rooms with which the user has nothing to do, and where a ban stands', async () => {
      const roomId = await roomWithBob();
      await refused(404, 'M_NOT_FOUND', carol.post(v3`/rooms/${roomId}/leave`));
      await refused(404, 'M_NOT_FOUND', carol.post(v3`/rooms/${'!nothing:acme.test'}/leave`));
      await ok(act(alice, 'ban', roomId, bob));
      await refused(403, 'M_FORBIDDEN', bob.post(v3`/rooms/${roomId}/leave`));
    });

    it('forgets a room only after it was left', async () => {
      const roomId = await roomWithBob();
      await refused(400, 'M_UNKNOWN', bob.post(v3`/rooms/${roomId}/forget`));
      await ok(bob.post(v3`/rooms/${roomId}/leave`));
      await ok(bob.get(v3`/rooms/${roomId}/messages`, { dir: 'b' }));
      await ok(bob.post(v3`/rooms/${roomId}/forget`));
      await ok(bob.post(v3`/rooms/${roomId}/forget`));
      await refused(403, 'M_FORBIDDEN', bob.get(v3`/rooms/${roomId}/messages`, { dir: 'b' }));
      await refused(403, 'M_FORBIDDEN', bob.get(v3`/rooms/${roomId}/state`));
      await refused(404, 'M_NOT_FOUND', carol.post(v3`/rooms/${roomId}/forget`));
      // Who comes back remembers.
      await ok(join(bob, roomId));
      await ok(bob.get(v3`/rooms/${roomId}/state`));
      const invited = await alice.createRoom({ invite: [bob.userId] });
      await refused(400, 'M_UNKNOWN', bob.post(v3`/rooms/${invited}/forget`));
      await ok(act(alice, 'ban', invited, bob));
      await ok(bob.post(v3`/rooms/${invited}/forget`));
    });
  });

  describe('putting people out', () => {
    it('kicks, with a reason, and lets the kicked come back', async () => {
      const roomId = await roomWithBob();
      await ok(act(alice, 'kick', roomId, bob, 'rude'));
      const event = await memberEvent(roomId, bob);
      assert.deepEqual(event['content'], { membership: 'leave', reason: 'rude' });
      assert.equal(event['sender'], alice.userId);
      assert.ok(!(await joinedRoomsOf(bob)).includes(roomId));
      await ok(join(bob, roomId));
    });

    it('bans members and strangers, and again with another reason', async () => {
      const roomId = await roomWithBob();
      await ok(act(alice, 'ban', roomId, bob, 'rude'));
      await ok(act(alice, 'ban', roomId, bob, 'very rude'));
      await ok(act(alice, 'ban', roomId, carol));
      assert.deepEqual(at(await memberEvent(roomId, bob), 'content'), {
        membership: 'ban',
        reason: 'very rude',
      });
      await refused(403, 'M_FORBIDDEN', join(bob, roomId));
      await refused(403, 'M_FORBIDDEN', join(carol, roomId));
      await ok(act(alice, 'unban', roomId, bob, 'fine'));
      assert.deepEqual(at(await memberEvent(roomId, bob), 'content'), {
        membership: 'leave',
        reason: 'fine',
      });
      await ok(join(bob, roomId));
    });

    it('is for members with a higher level than their target', async () => {
      const roomId = await roomWithBob();
      await ok(join(carol, roomId));
      for (const action of ['kick', 'ban']) {
        await refused(403, 'M_FORBIDDEN', act(bob, action, roomId, carol));
        await refused(403, 'M_FORBIDDEN', act(bob, action, roomId, alice));
      }
      const levels = await ok(alice.get(v3`/rooms/${roomId}/state/m.room.power_levels/`));
      await ok(
        alice.put(v3`/rooms/${roomId}/state/m.room.power_levels/`, {
          ...levels,
          users: { [bob.userId]: 50, [carol.userId]: 50 },
        }),
      );
      await refused(403, 'M_FORBIDDEN', act(bob, 'kick', roomId, carol));
      await ok(act(alice, 'ban', roomId, carol));
      await refused(403, 'M_FORBIDDEN', act(carol, 'kick', roomId, bob));
      await refused(403, 'M_FORBIDDEN', act(carol, 'unban', roomId, carol));
      await ok(bob.post(v3`/rooms/${roomId}/leave`));
      await refused(403, 'M_FORBIDDEN', act(bob, 'unban', roomId, carol));
      await ok(act(alice, 'unban', roomId, carol));
    });

    it('is refused for people who are not what they would have to be', async () => {
      const roomId = await roomWithBob();
      await refused(403, 'M_FORBIDDEN', act(alice, 'kick', roomId, carol));
      await refused(403, 'M_FORBIDDEN', act(alice, 'unban', roomId, bob));
      await refused(404, 'M_NOT_FOUND', act(alice, 'kick', '!nothing:acme.test', bob));
      for (const action of ['kick', 'ban', 'unban']) {
        await refused(400, 'M_INVALID_PARAM', alice.post(v3`/rooms/${roomId}/${action}`, { user_id: 'bob' }));
        await refused(400, 'M_MISSING_PARAM', alice.post(v3`/rooms/${roomId}/${action}`, {}));
      }
    });
  });

  it('lists members by what they are, and who is joined with their names', async () => {
    const roomId = await roomWithBob({ invite: [carol.userId] });
    const dave = await Client.create(network.island('acme.test'), 'dave');
    await ok(join(dave, roomId));
    await ok(dave.post(v3`/rooms/${roomId}/leave`));
    const members = async (query: Record<string, string>) =>
      listAt(await ok(alice.get(v3`/rooms/${roomId}/members`, query)), 'chunk')
        .map((event) => String(event['state_key']))
        .sort();
    const all = [alice, bob, carol, dave].map(({ userId }) => userId);
    assert.deepEqual(await members({}), all);
    assert.deepEqual(await members({ membership: 'join' }), [alice.userId, bob.userId]);
    assert.deepEqual(await members({ membership: 'invite' }), [carol.userId]);
    assert.deepEqual(await members({ not_membership: 'leave' }), [alice.userId, bob.userId, carol.userId]);
    assert.deepEqual(await members({ membership: 'ban' }), []);
    await ok(dave.post(v3`/rooms/${roomId}/join`));
    await ok(dave.put(v3`/profile/${dave.userId}/displayname`, { displayname: 'Dave' }));
    await ok(dave.put(v3`/profile/${dave.userId}/avatar_url`, { avatar_url: 'mxc://acme.test/dave' }));
    const { joined } = await ok(alice.get(v3`/rooms/${roomId}/joined_members`));
    assert.deepEqual(joined, {
      [alice.userId]: {},
      [bob.userId]: {},
      [dave.userId]: { display_name: 'Dave', avatar_url: 'mxc://acme.test/dave' },
    });
    await ok(dave.post(v3`/rooms/${roomId}/leave`));
    for (const user of [carol, dave])
      await refused(403, 'M_FORBIDDEN', user.get(v3`/rooms/${roomId}/joined_members`));
    await refused(403, 'M_FORBIDDEN', alice.get(v3`/rooms/${'!nothing:acme.test'}/joined_members`));
  });

  it('lists the rooms that a user is joined to', async () => {
    const erin = await Client.create(network.island('acme.test'), 'erin');
    assert.deepEqual(await joinedRooms(erin), []);
    const one = await erin.createRoom();
    const two = await erin.createRoom();
    await alice.createRoom({ invite: [erin.userId] });
    assert.deepEqual((await joinedRoomsOf(erin)).sort(), [one, two].sort());
    await ok(erin.post(v3`/rooms/${one}/leave`));
    assert.deepEqual(await joinedRooms(erin), [two]);
  });

  const joinedRoomsOf = async (user: Client): Promise<string[]> => {
    const rooms = await joinedRooms(user);
    return Array.isArray(rooms) ? rooms.map(String) : [];
  };
});
