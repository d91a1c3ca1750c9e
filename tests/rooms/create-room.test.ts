import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { Archipelago, type Island, refused } from './support.ts';

describe('creating a room', () => {
  let net: Archipelago;
  let acme: Island;
  let li: string;

  before(async () => {
    net = new Archipelago();
    acme = await net.add('acme.test');
    li = await acme.user('li');
    await acme.user('mia');
  });

  after(() => net.close());

  for (const id of ['10', '11', '12']) {
    it(`gives a room of version ${id} its events in the prescribed order`, async () => {
      const roomId = await acme.room(li, {
        roomVersion: id,
        name: 'Desk',
        topic: 'Purchasing',
        roomAliasName: `desk-${id}`,
        initialState: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
        invite: ['@mia:acme.test'],
        isDirect: true,
      });
      assert.deepEqual(await acme.timeline(roomId), [
        'm.room.create',
        'm.room.member',
        'm.room.power_levels',
        'm.room.canonical_alias',
        'm.room.join_rules',
        'm.room.history_visibility',
        'm.room.guest_access',
        'm.room.encryption',
        'm.room.name',
        'm.room.topic',
        'm.room.member',
      ]);
      const view = await acme.view(roomId);
      assert.equal(view.version.id, id);
      assert.equal(view.content('m.room.create')['room_version'], id);
      assert.equal(view.content('m.room.create')['creator'], id === '10' ? li : undefined);
      assert.equal(roomId.includes(':'), id !== '12');
      assert.deepEqual(view.content('m.room.member', '@mia:acme.test'), {
        displayname: 'MIA',
        is_direct: true,
        membership: 'invite',
      });
      assert.equal(view.powerLevelOf(li), id === '12' ? Number.POSITIVE_INFINITY : 100);
    });
  }

  it('keeps creators of version 12 out of the power levels, and the tombstone above state_default', async () => {
    const roomId = await acme.room(li, {
      roomVersion: '12',
      powerLevelContentOverride: { state_default: 200, events: { 'm.room.name': 0 } },
    });
    const levels = (await acme.view(roomId)).content('m.room.power_levels');
    assert.deepEqual(levels['users'], {});
    assert.ok(Number((levels['events'] as JsonObject)['m.room.tombstone']) > 200);
  });

  it('makes invitees of a trusted private chat equals of the creator', async () => {
    const request = { preset: 'trusted_private_chat', invite: ['@mia:acme.test'] } as const;
    const v11 = await acme.view(await acme.room(li, { ...request, roomVersion: '11' }));
    assert.equal(v11.powerLevelOf('@mia:acme.test'), 100);
    const v12 = await acme.view(
      await acme.room(li, {
        ...request,
        roomVersion: '12',
        creationContent: { additional_creators: ['@mia:acme.test', '@ed:acme.test'] },
      }),
    );
    assert.deepEqual(v12.content('m.room.create')['additional_creators'], [
      '@mia:acme.test',
      '@ed:acme.test',
    ]);
    assert.equal(v12.powerLevelOf('@mia:acme.test'), Number.POSITIVE_INFINITY);
  });

  it('applies the presets', async () => {
    const open = await acme.view(await acme.room(li, { preset: 'public_chat' }));
    assert.equal(open.content('m.room.join_rules')['join_rule'], 'public');
    assert.equal(open.content('m.room.guest_access')['guest_access'], 'forbidden');
    const closed = await acme.view(await acme.room(li, {}));
    assert.equal(closed.content('m.room.join_rules')['join_rule'], 'invite');
    assert.equal(closed.content('m.room.guest_access')['guest_access'], 'can_join');
    const byVisibility = await acme.view(await acme.room(li, { visibility: 'public' }));
    assert.equal(byVisibility.content('m.room.join_rules')['join_rule'], 'public');
  });

  it('makes different rooms of equal requests at one moment', async () => {
    const rooms = await Promise.all([1, 2, 3, 4].map(() => acme.room(li, { roomVersion: '12' })));
    assert.equal(new Set(rooms).size, 4);
  });

  it('refuses what cannot be a room', async () => {
    await refused(acme.room(li, { roomVersion: '9' }), 400, 'M_UNSUPPORTED_ROOM_VERSION');
    await refused(acme.room(li, { creationContent: { additional_creators: ['nobody'] } }), 400, 'M_BAD_JSON');
    await acme.room(li, { roomAliasName: 'taken' });
    await refused(acme.room(li, { roomAliasName: 'taken' }), 400, 'M_ROOM_IN_USE');
    await refused(
      acme.room(li, { roomVersion: '11', name: 'x', powerLevelContentOverride: { users: { [li]: 0 } } }),
      400,
      'M_INVALID_ROOM_STATE',
    );
  });

  it('survives a restart', async () => {
    const roomId = await acme.room(li, { name: 'Lasting' });
    const state = await acme.stateOf(roomId);
    await acme.restart();
    assert.deepEqual(await acme.stateOf(roomId), state);
    await acme.say(li, roomId, 'still here');
    assert.equal((await acme.timeline(roomId)).at(-1), 'still here');
  });
});
