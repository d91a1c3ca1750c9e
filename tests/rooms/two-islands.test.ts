import assert from 'node:assert/strict';
import { Archipelago, type Island, refused, version, wire } from './support.ts';

describe('two islands in one room', () => {
  for (const roomVersion of ['10', '11', '12']) {
    describe(`room version ${roomVersion}`, () => {
      let net: Archipelago;
      let acme: Island;
      let bolt: Island;
      let li: string;
      let bo: string;
      let roomId: string;

      beforeEach(async () => {
        net = new Archipelago();
        acme = await net.add('acme.test');
        bolt = await net.add('bolt.test');
        li = await acme.user('li');
        bo = await bolt.user('bo');
        roomId = await acme.room(li, { roomVersion, name: 'Desk', invite: [bo] });
      });

      afterEach(() => net.close());

      const agree = async () => {
        await net.settle();
        assert.deepEqual(await bolt.stateOf(roomId), await acme.stateOf(roomId));
      };

      it('invites with both signatures, joins, and chats both ways', async () => {
        const invite = (await acme.view(roomId)).get('m.room.member', bo);
        assert.deepEqual(Object.keys(invite?.pdu.signatures ?? {}).sort(), ['acme.test', 'bolt.test']);
        const pending = await bolt.db.memberships.invite(roomId, bo);
        assert.deepEqual(
          JSON.parse(pending?.strippedStateJson ?? '[]')
            .map((state: { type: string }) => state.type)
            .sort(),
          ['m.room.create', 'm.room.join_rules', 'm.room.member', 'm.room.name'],
        );
        await bolt.engine.join(bo, roomId);
        assert.equal(await bolt.db.memberships.invite(roomId, bo), undefined);
        assert.equal((await bolt.view(roomId)).version, version(roomVersion));
        await acme.say(li, roomId, 'hello');
        await net.settle();
        await bolt.say(bo, roomId, 'hello yourself');
        await agree();
        assert.deepEqual((await acme.timeline(roomId)).slice(-3), [
          'm.room.member',
          'hello',
          'hello yourself',
        ]);
        assert.deepEqual(await bolt.timeline(roomId), ['m.room.member', 'hello', 'hello yourself']);
        await bolt.restart();
        await bolt.say(bo, roomId, 'after a restart');
        await agree();
      });

      it('shows the invited on both sides what the room is', async () => {
        const mia = await acme.user('mia');
        await acme.engine.invite(li, roomId, mia);
        for (const [island, userId] of [
          [acme, mia],
          [bolt, bo],
        ] as const) {
          const state = await island.engine.inviteState(userId, roomId);
          assert.equal(state?.find((event) => event.type === 'm.room.name')?.content['name'], 'Desk');
          assert.equal(state?.at(-1)?.state_key, userId);
          assert.deepEqual(
            state?.filter((event) => event.type === 'm.room.member').map((event) => event.state_key),
            [li, userId],
          );
        }
        assert.equal(await acme.engine.inviteState(li, roomId), undefined);
      });

      it('loses nothing that is sent while the answer to a join is on its way', async () => {
        let delivery: Promise<boolean> | undefined;
        bolt.overrides.sendJoin = async (_server, id, eventId, pdu) => {
          const answer = wire(await acme.engine.sendJoin('bolt.test', id, eventId, wire(pdu)));
          await acme.say(li, roomId, 'welcome');
          delivery = acme.flush();
          // Time for the delivery to reach the receiving side before the join is stored there.
          await new Promise((resolve) => setImmediate(resolve));
          await acme.db.writer.idle();
          return answer;
        };
        await bolt.engine.join(bo, roomId);
        await delivery;
        assert.equal((await bolt.timeline(roomId)).at(-1), 'welcome');
      });

      it('leaves, and is invited and joins again', async () => {
        await bolt.engine.join(bo, roomId);
        await net.settle();
        await bolt.engine.leave(bo, roomId);
        await net.settle();
        assert.equal((await acme.view(roomId)).membership(bo), 'leave');
        await acme.say(li, roomId, 'alone');
        await net.settle();
        await refused(bolt.engine.send({ userId: bo, roomId, type: 'm.x', content: {} }), 403, 'M_FORBIDDEN');
        await refused(bolt.engine.join(bo, roomId), 403, 'M_FORBIDDEN');
        await acme.engine.invite(li, roomId, bo);
        await bolt.engine.join(bo, roomId);
        await agree();
        await acme.say(li, roomId, 'back again');
        await net.settle();
        assert.equal((await bolt.timeline(roomId)).at(-1), 'back again');
        assert.equal((await bolt.timeline(roomId)).includes('alone'), false);
      });

      it('kicks, bans and unbans across the link', async () => {
        await bolt.engine.join(bo, roomId);
        await net.settle();
        await refused(bolt.engine.kick(bo, roomId, li), 403, 'M_FORBIDDEN');
        await acme.engine.kick(li, roomId, bo, 'bye');
        await net.settle();
        assert.equal((await bolt.view(roomId)).membership(bo), 'leave');
        await acme.engine.ban(li, roomId, bo);
        await refused(bolt.engine.join(bo, roomId), 403, 'M_FORBIDDEN');
        await refused(acme.engine.invite(li, roomId, bo), 403, 'M_FORBIDDEN');
        await acme.engine.unban(li, roomId, bo);
        await acme.engine.invite(li, roomId, bo);
        await bolt.engine.join(bo, roomId);
        await agree();
        assert.equal((await acme.view(roomId)).membership(bo), 'join');
      });

      it('rejects an invitation by the handshake, and without it when the inviter is gone', async () => {
        await bolt.engine.leave(bo, roomId);
        assert.equal((await acme.view(roomId)).membership(bo), 'leave');
        assert.equal(await bolt.db.memberships.invite(roomId, bo), undefined);
        await acme.engine.invite(li, roomId, bo);
        assert.ok(await bolt.db.memberships.invite(roomId, bo));
        net.cut('acme.test', 'bolt.test');
        await bolt.engine.leave(bo, roomId);
        assert.equal(await bolt.db.memberships.invite(roomId, bo), undefined);
        assert.equal((await acme.view(roomId)).membership(bo), 'invite');
      });

      it('repeats an invitation by the handshake, and not as an event besides', async () => {
        await acme.engine.invite(li, roomId, bo);
        assert.deepEqual(await acme.dropOutbox(), []);
        assert.ok(await bolt.db.memberships.invite(roomId, bo));
        await bolt.engine.join(bo, roomId);
        while (await bolt.engine.hasMoreHistory(roomId)) await bolt.engine.fetchHistory(roomId, 100);
        await agree();
        assert.deepEqual(await bolt.timeline(roomId), await acme.timeline(roomId));
      });

      it('takes an invitation away when it is withdrawn', async () => {
        await acme.engine.kick(li, roomId, bo);
        await net.settle();
        assert.equal(await bolt.db.memberships.invite(roomId, bo), undefined);
        await refused(bolt.engine.join(bo, roomId, { via: ['acme.test'] }), 403, 'M_FORBIDDEN');
      });

      it('lets a second person of a server join through the first one’s island', async () => {
        await bolt.engine.join(bo, roomId);
        const bea = await bolt.user('bea');
        await bolt.engine.invite(bo, roomId, bea);
        await bolt.engine.join(bea, roomId);
        await agree();
        assert.deepEqual([...(await acme.view(roomId)).joinedUsers()].sort(), [bea, bo, li].sort());
      });

      it('fetches the history before the join', async () => {
        for (let index = 0; index < 5; index += 1) await acme.say(li, roomId, `old ${index}`);
        await bolt.engine.join(bo, roomId);
        await bolt.say(bo, roomId, 'new');
        assert.equal(await bolt.engine.hasMoreHistory(roomId), true);
        for (let round = 0; round < 10 && (await bolt.engine.hasMoreHistory(roomId)); round += 1)
          assert.ok((await bolt.engine.fetchHistory(roomId, 4)).count > 0);
        await net.settle();
        assert.deepEqual(await bolt.timeline(roomId), await acme.timeline(roomId));
      });
    });
  }

  it('joins a public room by a server that was named', async () => {
    const net = new Archipelago();
    const acme = await net.add('acme.test');
    const bolt = await net.add('bolt.test');
    const li = await acme.user('li');
    const bo = await bolt.user('bo');
    const roomId = await acme.room(li, { preset: 'public_chat' });
    await refused(bolt.engine.join(bo, roomId), 404, 'M_NOT_FOUND');
    await bolt.engine.join(bo, roomId, { via: ['nowhere.test', 'acme.test'] });
    await net.settle();
    assert.deepEqual(await bolt.stateOf(roomId), await acme.stateOf(roomId));
    await net.close();
  });

  it('lets members of another room into a restricted room', async () => {
    const net = new Archipelago();
    const acme = await net.add('acme.test');
    const bolt = await net.add('bolt.test');
    const li = await acme.user('li');
    const bo = await bolt.user('bo');
    const club = await acme.room(li, { preset: 'public_chat' });
    const roomId = await acme.room(li, {
      initialState: [
        {
          type: 'm.room.join_rules',
          content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: club }] },
        },
      ],
    });
    await refused(bolt.engine.join(bo, roomId, { via: ['acme.test'] }), 403, 'M_FORBIDDEN');
    await bolt.engine.join(bo, club, { via: ['acme.test'] });
    await bolt.engine.join(bo, roomId, { via: ['acme.test'] });
    await net.settle();
    const member = (await bolt.view(roomId)).get('m.room.member', bo);
    assert.equal(member?.pdu.content['join_authorised_via_users_server'], li);
    assert.ok(member?.pdu.signatures['acme.test']);
    assert.deepEqual(await bolt.stateOf(roomId), await acme.stateOf(roomId));
    await net.close();
  });

  it('keeps people of servers that are no partners out, both ways', async () => {
    const net = new Archipelago();
    const acme = await net.add('acme.test', ['bolt.test']);
    const cava = await net.add('cava.test');
    const li = await acme.user('li');
    const cy = await cava.user('cy');
    const roomId = await acme.room(li);
    await refused(acme.engine.invite(li, roomId, cy), 403, 'M_FORBIDDEN');
    await refused(acme.room(li, { invite: [cy] }), 403, 'M_FORBIDDEN');
    const content = { membership: 'invite' };
    await refused(acme.setState(li, roomId, 'm.room.member', content, cy), 403, 'M_FORBIDDEN');
    const theirs = await cava.room(cy, { preset: 'public_chat' });
    await refused(acme.engine.join(li, theirs, { via: ['cava.test'] }), 404, 'M_NOT_FOUND');
    await refused(cava.engine.invite(cy, theirs, li), 502, 'M_UNKNOWN');
    assert.equal(await acme.db.memberships.invite(theirs, li), undefined);
    await net.close();
  });
});
