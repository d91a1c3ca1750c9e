import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { eventOf, typesOf } from '../support/sync.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('creating a room', () => {
  let network: TestNetwork;
  let alice: Client;
  let bob: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    const island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
  });

  after(() => network.stop());

  /** All events of a room, oldest first. */
  const history = async (roomId: string): Promise<JsonObject[]> =>
    listAt(await ok(alice.get(v3`/rooms/${roomId}/messages`, { dir: 'f', limit: 100 })), 'chunk');

  const content = (events: JsonObject[], type: string, key = ''): JsonObject | undefined => {
    const found = at(eventOf(events, type, key), 'content');
    return found === undefined ? undefined : (found as JsonObject);
  };

  const create = (body: JsonObject) => alice.post(v3`/createRoom`, body);

  for (const version of ['10', '11', '12']) {
    describe(`of version ${version}`, () => {
      it('makes the events that the specification prescribes, in its order', async () => {
        const roomId = await alice.createRoom({
          room_version: version,
          preset: 'public_chat',
          room_alias_name: `pub${version}`,
          name: 'The Grand Duke Pub',
          topic: 'All about happy hour',
          invite: [bob.userId],
          initial_state: [
            { type: 'm.room.avatar', content: { url: 'mxc://acme.test/pub' } },
            { type: 'test.state', state_key: 'key', content: { some: 'thing' } },
          ],
          creation_content: { 'm.federate': false, 'test.extra': 1 },
        });
        const events = await history(roomId);
        assert.deepEqual(typesOf(events), [
          'm.room.create',
          'm.room.member/@alice:acme.test',
          'm.room.power_levels',
          'm.room.canonical_alias',
          'm.room.join_rules',
          'm.room.history_visibility',
          'm.room.guest_access',
          'm.room.avatar',
          'test.state/key',
          'm.room.name',
          'm.room.topic',
          'm.room.member/@bob:acme.test',
        ]);
        assert.ok(events.every((event) => event['room_id'] === roomId));
        assert.deepEqual(content(events, 'm.room.create'), {
          'm.federate': false,
          'test.extra': 1,
          room_version: version,
          ...(version === '10' ? { creator: alice.userId } : {}),
        });
        assert.deepEqual(content(events, 'm.room.canonical_alias'), { alias: `#pub${version}:acme.test` });
        assert.deepEqual(content(events, 'm.room.name'), { name: 'The Grand Duke Pub' });
        assert.deepEqual(content(events, 'm.room.topic'), {
          topic: 'All about happy hour',
          'm.topic': { 'm.text': [{ body: 'All about happy hour', mimetype: 'text/plain' }] },
        });
        assert.deepEqual(content(events, 'm.room.member', bob.userId), { membership: 'invite' });
        const alias = await ok(alice.get(v3`/directory/room/${`#pub${version}:acme.test`}`));
        assert.deepEqual(alias, { room_id: roomId, servers: ['acme.test'] });
      });

      it('gives each preset its rules', async () => {
        const rules = async (body: JsonObject) => {
          const events = await history(await alice.createRoom({ room_version: version, ...body }));
          return [
            at(content(events, 'm.room.join_rules'), 'join_rule'),
            at(content(events, 'm.room.history_visibility'), 'history_visibility'),
            at(content(events, 'm.room.guest_access'), 'guest_access'),
          ];
        };
        const closed = ['invite', 'shared', 'can_join'];
        const open = ['public', 'shared', 'forbidden'];
        assert.deepEqual(await rules({ preset: 'private_chat' }), closed);
        assert.deepEqual(await rules({ preset: 'trusted_private_chat' }), closed);
        assert.deepEqual(await rules({ preset: 'public_chat' }), open);
        assert.deepEqual(await rules({}), closed);
        assert.deepEqual(await rules({ visibility: 'private' }), closed);
        assert.deepEqual(await rules({ visibility: 'public' }), open);
        assert.deepEqual(await rules({ visibility: 'public', preset: 'private_chat' }), closed);
      });

      it('trusts everybody who is invited to a trusted private chat as much as the creator', async () => {
        const roomId = await alice.createRoom({
          room_version: version,
          preset: 'trusted_private_chat',
          is_direct: true,
          invite: [bob.userId],
          creation_content: version === '12' ? { additional_creators: ['@old:acme.test', bob.userId] } : {},
        });
        const events = await history(roomId);
        const users = at(content(events, 'm.room.power_levels'), 'users');
        if (version === '12') {
          assert.deepEqual(at(content(events, 'm.room.create'), 'additional_creators'), [
            '@old:acme.test',
            bob.userId,
          ]);
          assert.deepEqual(users, {});
        } else {
          assert.equal(at(content(events, 'm.room.create'), 'additional_creators'), undefined);
          assert.deepEqual(users, { [alice.userId]: 100, [bob.userId]: 100 });
        }
        assert.deepEqual(content(events, 'm.room.member', bob.userId), {
          membership: 'invite',
          is_direct: true,
        });
        // What only the most powerful may do.
        await ok(bob.post(v3`/rooms/${roomId}/join`));
        await ok(
          bob.put(v3`/rooms/${roomId}/state/m.room.tombstone/`, { body: 'over', replacement_room: '!x' }),
        );
      });

      it('gives power to the creator alone otherwise', async () => {
        const roomId = await alice.createRoom({ room_version: version, invite: [bob.userId] });
        const levels = content(await history(roomId), 'm.room.power_levels');
        assert.deepEqual(at(levels, 'users'), version === '12' ? {} : { [alice.userId]: 100 });
        assert.equal(at(levels, 'events', 'm.room.tombstone'), version === '12' ? 150 : 100);
        assert.equal(at(levels, 'state_default'), 50);
        await ok(bob.post(v3`/rooms/${roomId}/join`));
        await refused(403, 'M_FORBIDDEN', bob.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'x' }));
        await ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name: 'x' }));
      });

      it('lets the caller override power levels, and refuses those that contradict the room', async () => {
        const roomId = await alice.createRoom({
          room_version: version,
          power_level_content_override: { invite: 100, events: { 'm.room.name': 0 } },
        });
        const levels = content(await history(roomId), 'm.room.power_levels');
        assert.equal(at(levels, 'invite'), 100);
        assert.equal(at(levels, 'events', 'm.room.name'), 0);
        assert.equal(at(levels, 'ban'), 50);
        if (version === '12') {
          assert.equal(at(levels, 'events', 'm.room.tombstone'), 150, 'no room without it');
          await refused(
            400,
            'M_INVALID_ROOM_STATE',
            create({
              room_version: version,
              power_level_content_override: { users: { [alice.userId]: 100 } },
            }),
          );
        }
        await refused(
          400,
          'M_INVALID_ROOM_STATE',
          create({ room_version: version, power_level_content_override: { ban: 'fifty' } }),
        );
      });
    });
  }

  it('makes a room of the default version, 12, whose id is a hash', async () => {
    const roomId = await alice.createRoom();
    assert.match(roomId, /^![A-Za-z0-9_-]{43}$/);
    assert.equal(at(content(await history(roomId), 'm.room.create'), 'room_version'), '12');
    assert.match(await alice.createRoom({ room_version: '11' }), /^![^:]+:acme\.test$/);
  });

  it('makes two rooms of two equal requests, also at the same moment', async () => {
    const rooms = await Promise.all([1, 2, 3, 4].map(() => alice.createRoom({ name: 'Same' })));
    assert.equal(new Set(rooms).size, 4);
  });

  it('takes initial state over what a preset says, and name and topic over that', async () => {
    const events = await history(
      await alice.createRoom({
        name: 'Given',
        initial_state: [
          { type: 'm.room.name', content: { name: 'Overridden' } },
          { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
        ],
      }),
    );
    assert.deepEqual(content(events, 'm.room.name'), { name: 'Given' });
    assert.deepEqual(content(events, 'm.room.history_visibility'), { history_visibility: 'joined' });
    assert.equal(typesOf(events).filter((type) => type === 'm.room.history_visibility').length, 1);
  });

  it('puts the profile of everybody into their member events', async () => {
    const carol = await Client.create(network.island('acme.test'), 'carol');
    const dave = await Client.create(network.island('acme.test'), 'dave');
    await ok(carol.put(v3`/profile/${carol.userId}/displayname`, { displayname: 'Carol C.' }));
    await ok(dave.put(v3`/profile/${dave.userId}/avatar_url`, { avatar_url: 'mxc://acme.test/dave' }));
    const roomId = await carol.createRoom({ invite: [dave.userId, alice.userId] });
    await ok(alice.post(v3`/rooms/${roomId}/join`));
    const events = await history(roomId);
    assert.equal(at(content(events, 'm.room.member', carol.userId), 'displayname'), 'Carol C.');
    assert.equal(at(content(events, 'm.room.member', dave.userId), 'avatar_url'), 'mxc://acme.test/dave');
  });

  it('refuses a version that it does not know, and the old ones that it does not serve', async () => {
    for (const version of ['13', '9', 'org.example', ''])
      await refused(400, 'M_UNSUPPORTED_ROOM_VERSION', create({ room_version: version }));
  });

  it('refuses an alias that is taken, also of two at the same moment one', async () => {
    await alice.createRoom({ room_alias_name: 'taken' });
    await refused(400, 'M_ROOM_IN_USE', create({ room_alias_name: 'taken' }));
    const answers = await Promise.all([1, 2, 3].map(() => create({ room_alias_name: 'once' })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 400, 400]);
    for (const { status, body } of answers)
      if (status === 400) assert.equal(body['errcode'], 'M_ROOM_IN_USE');
    const won = answers.find(({ status }) => status === 200)?.body;
    const { body } = await alice.get(v3`/directory/room/${'#once:acme.test'}`);
    assert.equal(textAt(body, 'room_id'), textAt(won, 'room_id'));
    // Of those that were refused nothing is left.
    const joined = listOf(await ok(alice.get(v3`/joined_rooms`)));
    assert.equal(joined.length, new Set(joined).size);
  });

  it('refuses aliases, invitations and state that are none', async () => {
    for (const name of ['', 'a:b', 'a b', 'x'.repeat(300)])
      await refused(400, 'M_INVALID_PARAM', create({ room_alias_name: name }));
    await refused(400, 'M_INVALID_PARAM', create({ invite: ['bob'] }));
    await refused(403, 'M_FORBIDDEN', create({ invite: [alice.userId] }));
    await refused(403, 'M_FORBIDDEN', create({ invite: ['@eve:stranger.test'] }));
    await refused(
      400,
      'M_INVALID_PARAM',
      create({ initial_state: [{ type: 'm.room.create', content: {} }] }),
    );
    await refused(400, 'M_MISSING_PARAM', create({ initial_state: [{ content: {} }] }));
    await refused(400, 'M_BAD_JSON', create({ preset: 'nonsense' }));
    await refused(400, 'M_BAD_JSON', create({ creation_content: { additional_creators: ['nobody'] } }));
    await refused(400, 'M_BAD_JSON', create({ name: 7 }));
    await refused(400, 'M_BAD_JSON', create({ initial_state: [{ type: 'a', content: { float: 1.5 } }] }));
    await refused(
      400,
      'M_INVALID_ROOM_STATE',
      create({ initial_state: [{ type: 'a', state_key: '@bob:acme.test', content: {} }] }),
    );
  });

  it('says plainly that it invites nobody by e-mail address', async () => {
    const invitation = { id_server: 'id.test', id_access_token: 'x', medium: 'email', address: 'a@b.test' };
    const { error } = await refused(403, 'M_THREEPID_DENIED', create({ invite_3pid: [invitation] }));
    assert.match(String(error), /e-mail/);
    await ok(create({ invite_3pid: [] }));
    const roomId = await alice.createRoom();
    await refused(403, 'M_THREEPID_DENIED', alice.post(v3`/rooms/${roomId}/invite`, invitation));
  });

  it('asks for an access token', async () => {
    const anybody = Client.anonymous(network.island('acme.test'));
    await refused(401, 'M_MISSING_TOKEN', anybody.post(v3`/createRoom`));
  });

  const listOf = (body: JsonObject): string[] => {
    const rooms = body['joined_rooms'];
    return Array.isArray(rooms) ? rooms.map(String) : [];
  };
});
