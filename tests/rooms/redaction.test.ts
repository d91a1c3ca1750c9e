import assert from 'node:assert/strict';
import { Archipelago, type Island, refused } from './support.ts';

for (const roomVersion of ['10', '11', '12']) {
  describe(`redactions in room version ${roomVersion}`, () => {
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
      roomId = await acme.room(li, { roomVersion, invite: [bo] });
      await bolt.engine.join(bo, roomId);
      await net.settle();
    });

    afterEach(() => net.close());

    const contentOn = async (island: Island, eventId: string) =>
      (await island.engine.event(eventId))?.pdu.content;

    it('take the content away on both sides, for good, and are shown', async () => {
      const said = await bolt.say(bo, roomId, 'oops');
      await net.settle();
      const { eventId } = await bolt.engine.redact({ userId: bo, roomId, eventId: said, reason: 'typo' });
      await net.settle();
      for (const island of [acme, bolt]) {
        assert.deepEqual(await contentOn(island, said), {});
        assert.equal((await island.engine.event(said))?.redactedBy, eventId);
        assert.equal((await island.timeline(roomId)).at(-1), 'm.room.redaction');
        await island.restart();
        assert.deepEqual(await contentOn(island, said), {});
      }
      const target = await acme.engine.event(said);
      const redaction = await acme.engine.event(eventId);
      assert.ok(target && redaction);
      const [shown, because] = await acme.engine.clientEvents({ userId: li }, [target, redaction]);
      assert.ok(shown);
      assert.equal((shown.unsigned['redacted_because'] as { event_id: string }).event_id, eventId);
      assert.equal(because?.['redacts'], said);
      assert.equal(because?.content['redacts'], said);
    });

    it('wait for what they redact when they come first', async () => {
      const said = await bolt.say(bo, roomId, 'oops');
      const redaction = await bolt.engine.redact({ userId: bo, roomId, eventId: said });
      const [message] = await bolt.dropOutbox();
      assert.ok(message);
      const early = await bolt.forge(
        roomId,
        {
          type: 'm.room.redaction',
          sender: bo,
          content: roomVersion === '10' ? {} : { redacts: said },
        },
        { prev: (await acme.view(roomId)).extremities, ...(roomVersion === '10' ? { redacts: said } : {}) },
      );
      assert.ok(redaction.eventId);
      assert.equal((await acme.receive('bolt.test', early.pdu)).kind, 'accepted');
      assert.equal((await acme.timeline(roomId)).includes('m.room.redaction'), false);
      await acme.restart();
      const original = { ...message, content: { msgtype: 'm.text', body: 'oops' } };
      assert.equal((await acme.receive('bolt.test', original)).kind, 'accepted');
      assert.deepEqual(await contentOn(acme, said), {});
      assert.equal((await acme.engine.event(said))?.redactedBy, early.eventId);
      assert.equal((await acme.timeline(roomId)).filter((type) => type === 'm.room.redaction').length, 1);
      assert.equal((await acme.timeline(roomId)).includes('oops'), false);
    });

    it('need the redact level for what another server’s people said', async () => {
      const said = await acme.say(li, roomId, 'mine');
      await net.settle();
      await refused(bolt.engine.redact({ userId: bo, roomId, eventId: said }), 403, 'M_FORBIDDEN');
      const content = roomVersion === '10' ? {} : { redacts: said };
      const forged = await bolt.forge(
        roomId,
        { type: 'm.room.redaction', sender: bo, content },
        roomVersion === '10' ? { redacts: said } : {},
      );
      assert.equal((await acme.receive('bolt.test', forged.pdu)).kind, 'accepted');
      assert.deepEqual(await contentOn(acme, said), { msgtype: 'm.text', body: 'mine' });
      assert.equal((await acme.timeline(roomId)).includes('m.room.redaction'), false);
      const theirs = await bolt.say(bo, roomId, 'theirs');
      await net.settle();
      await acme.engine.redact({ userId: li, roomId, eventId: theirs });
      await net.settle();
      assert.deepEqual(await contentOn(bolt, theirs), {});
    });

    it('do not reach into other rooms', async () => {
      const other = await acme.room(li);
      const said = await acme.say(li, other, 'elsewhere');
      await refused(acme.engine.redact({ userId: li, roomId, eventId: said }), 404, 'M_NOT_FOUND');
      const content = roomVersion === '10' ? {} : { redacts: said };
      const forged = await bolt.forge(
        roomId,
        { type: 'm.room.redaction', sender: bo, content },
        roomVersion === '10' ? { redacts: said } : {},
      );
      await acme.receive('bolt.test', forged.pdu);
      assert.deepEqual(await contentOn(acme, said), { msgtype: 'm.text', body: 'elsewhere' });
    });

    it('keep what a redacted state event means for the room', async () => {
      const member = (await acme.view(roomId)).get('m.room.member', bo);
      assert.ok(member);
      await acme.engine.redact({ userId: li, roomId, eventId: member.eventId });
      await net.settle();
      for (const island of [acme, bolt]) {
        assert.equal((await island.view(roomId)).membership(bo), 'join');
        assert.equal((await island.view(roomId)).content('m.room.member', bo)['displayname'], undefined);
      }
    });
  });
}
