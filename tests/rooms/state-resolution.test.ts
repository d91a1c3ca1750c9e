import assert from 'node:assert/strict';
import type { RoomVersionId } from '../../protocol/room-versions.ts';
import { Archipelago, type Island } from './support.ts';

for (const version of ['10', '11', '12'] as const satisfies readonly RoomVersionId[]) {
  describe(`the states of two branches in room version ${version}`, () => {
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
      const users = version === '12' ? { [bo]: 50 } : { [li]: 100, [bo]: 50 };
      const levels = { users, events: { 'm.room.power_levels': 50 } };
      roomId = await acme.room(li, {
        invite: [bo],
        powerLevelContentOverride: levels,
        roomVersion: version,
      });
      await bolt.engine.join(bo, roomId);
      await net.settle();
    });

    afterEach(() => net.close());

    const agree = async () => {
      await net.settle();
      assert.deepEqual(await bolt.stateOf(roomId), await acme.stateOf(roomId));
    };
    const levels = async (island: Island) => (await island.view(roomId)).content('m.room.power_levels');

    it('become one on both sides, after many changes of the power levels on each', async () => {
      net.cut('acme.test', 'bolt.test');
      for (let i = 0; i < 12; i += 1) {
        await acme.setState(li, roomId, 'm.room.power_levels', { ...(await levels(acme)), kick: i });
        await bolt.setState(bo, roomId, 'm.room.power_levels', { ...(await levels(bolt)), ban: i });
        await acme.setState(li, roomId, 'org.example.acme', { i }, String(i % 5));
        await bolt.setState(bo, roomId, 'org.example.bolt', { i }, String(i % 5));
      }
      await bolt.setState(bo, roomId, 'm.room.topic', { topic: 'of bolt' });
      await acme.setState(li, roomId, 'm.room.topic', { topic: 'of acme' });
      net.heal('acme.test', 'bolt.test');
      await agree();
      // What Li made goes first, for her greater power; what Bo made may come after it.
      assert.equal((await levels(acme))['ban'], 11);
      assert.equal((await acme.view(roomId)).get('org.example.bolt', '4')?.pdu.content['i'], 9);
      assert.equal((await bolt.view(roomId)).get('org.example.acme', '4')?.pdu.content['i'], 9);
      await bolt.restart();
      await acme.say(li, roomId, 'joined up');
      await agree();
      assert.equal((await bolt.view(roomId)).extremities.length, 1);
    });

    it('take what a demoted user did meanwhile out of the state', async () => {
      net.cut('acme.test', 'bolt.test');
      await bolt.setState(bo, roomId, 'm.room.topic', { topic: 'too late' });
      const users = version === '12' ? {} : { [li]: 100 };
      await acme.setState(li, roomId, 'm.room.power_levels', { ...(await levels(acme)), users });
      net.heal('acme.test', 'bolt.test');
      await agree();
      assert.equal((await bolt.view(roomId)).get('m.room.topic', ''), undefined);
      assert.equal((await bolt.view(roomId)).powerLevelOf(bo), 0);
    });

    it('each judge a redaction by the power levels at its own place', async () => {
      const target = await acme.say(li, roomId, 'to be redacted');
      await net.settle();
      net.cut('acme.test', 'bolt.test');
      const users = version === '12' ? {} : { [li]: 100 };
      await acme.setState(li, roomId, 'm.room.power_levels', { ...(await levels(acme)), users });
      await bolt.engine.redact({ userId: bo, roomId, eventId: target, reason: 'in time' });
      net.heal('acme.test', 'bolt.test');
      await agree();
      for (const island of [acme, bolt]) {
        const event = await island.engine.event(target);
        assert.deepEqual(event?.pdu.content, {});
        assert.ok(event?.redactedBy);
      }
    });
  });
}
