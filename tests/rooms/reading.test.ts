import assert from 'node:assert/strict';
import type { StoredEvent } from '../../rooms/types.ts';
import { Archipelago, type Island, refused, wire } from './support.ts';

describe('reading rooms', () => {
  let net: Archipelago;
  let acme: Island;
  let li: string;
  let mia: string;

  before(async () => {
    net = new Archipelago();
    acme = await net.add('acme.test');
    li = await acme.user('li');
    mia = await acme.user('mia');
  });

  after(() => net.close());

  /** What the user sees of what was said. */
  const seen = async (userId: string, roomId: string): Promise<string[]> => {
    const { roomNid } = await acme.view(roomId);
    const events = await acme.db.events.timeline(roomNid, { dir: 'f', limit: 1000 });
    const visible = await acme.engine.visibleEvents(userId, roomId, events);
    return visible.flatMap((event) => {
      const { body } = event.pdu.content;
      return typeof body === 'string' ? [body] : [];
    });
  };

  const history = async (visibility: string): Promise<string> => {
    const roomId = await acme.room(li, {
      initialState: [
        { type: 'm.room.history_visibility', content: { history_visibility: visibility } },
        { type: 'm.room.join_rules', content: { join_rule: 'public' } },
      ],
    });
    await acme.say(li, roomId, 'before');
    await acme.engine.invite(li, roomId, mia);
    await acme.say(li, roomId, 'invited');
    await acme.engine.join(mia, roomId);
    await acme.say(li, roomId, 'joined');
    await acme.engine.leave(mia, roomId);
    await acme.say(li, roomId, 'left');
    return roomId;
  };

  const expected: Record<string, { left: string[]; back: string[] }> = {
    world_readable: {
      left: ['before', 'invited', 'joined', 'left'],
      back: ['before', 'invited', 'joined', 'left', 'back'],
    },
    shared: { left: ['before', 'invited', 'joined'], back: ['before', 'invited', 'joined', 'left', 'back'] },
    invited: { left: ['invited', 'joined'], back: ['invited', 'joined', 'back'] },
    joined: { left: ['joined'], back: ['joined', 'back'] },
  };

  for (const [visibility, { left, back }] of Object.entries(expected)) {
    it(`shows history that is ${visibility} to whom it may`, async () => {
      const roomId = await history(visibility);
      assert.deepEqual(await seen(mia, roomId), left);
      await acme.engine.join(mia, roomId);
      await acme.say(li, roomId, 'back');
      assert.deepEqual(await seen(mia, roomId), back);
      const stranger = await seen('@nobody:acme.test', roomId);
      assert.deepEqual(stranger, visibility === 'world_readable' ? back : []);
    });
  }

  it('gives clients their form of an event', async () => {
    const roomId = await acme.room(li, { roomVersion: '12' });
    const create = (await acme.view(roomId)).get('m.room.create', '');
    assert.equal(create?.pdu.room_id, undefined);
    await acme.setState(li, roomId, 'm.room.topic', { topic: 'one' });
    const second = await acme.setState(li, roomId, 'm.room.topic', { topic: 'two' });
    const txn = { deviceId: 'D', txnKey: 'send\nabc' };
    const request = { userId: li, roomId, type: 'm.room.message', content: { body: 'hi' }, txn };
    const { eventId } = await acme.engine.send(request);
    const events: StoredEvent[] = [];
    for (const id of [create?.eventId ?? '', second, eventId]) {
      const event = await acme.engine.event(id);
      assert.ok(event);
      events.push(event);
    }
    const [first, topic, message] = await acme.engine.clientEvents({ userId: li, deviceId: 'D' }, events);
    assert.equal(first?.room_id, roomId);
    assert.deepEqual(topic?.unsigned['prev_content'], { topic: 'one' });
    assert.equal(message?.unsigned['transaction_id'], 'abc');
    assert.equal(message?.unsigned['membership'], 'join');
    assert.ok(Number(message?.unsigned['age']) >= 0);
    for (const key of ['auth_events', 'prev_events', 'hashes', 'signatures', 'depth'])
      assert.equal(message?.[key], undefined);
    const [other] = await acme.engine.clientEvents({ userId: li, deviceId: 'E' }, events.slice(2));
    assert.equal(other?.unsigned['transaction_id'], undefined);
  });

  it('gives a state without loading the state at each of its events', async () => {
    const roomId = await acme.room(li);
    await acme.setState(li, roomId, 'm.room.topic', { topic: 'one' });
    const id = await acme.setState(li, roomId, 'm.room.topic', { topic: 'two' });
    const event = await acme.engine.event(id);
    assert.ok(event);
    const [topic] = await acme.engine.clientState({ userId: li }, [event]);
    assert.deepEqual(topic?.content, { topic: 'two' });
    assert.deepEqual(Object.keys(topic?.unsigned ?? {}), ['age']);
  });

  it('knows the state before and after each event', async () => {
    const roomId = await acme.room(li);
    const one = await acme.setState(li, roomId, 'm.room.topic', { topic: 'one' });
    const two = await acme.setState(li, roomId, 'm.room.topic', { topic: 'two' });
    await acme.restart();
    const key = [...(await acme.engine.stateAfter(two))].find(([, id]) => id === two)?.[0];
    assert.ok(key);
    assert.equal((await acme.engine.stateBefore(two)).get(key), one);
    assert.equal((await acme.engine.stateBefore(one)).get(key), undefined);
    await refused(acme.engine.stateBefore('$none'), 404, 'M_NOT_FOUND');
  });

  it('forgets a room only after it was left', async () => {
    const roomId = await acme.room(li, { invite: [mia] });
    await refused(acme.engine.forget(mia, roomId), 400, 'M_UNKNOWN');
    await acme.engine.join(mia, roomId);
    await refused(acme.engine.forget(mia, roomId), 400, 'M_UNKNOWN');
    await acme.engine.leave(mia, roomId);
    await acme.engine.forget(mia, roomId);
    const { roomNid } = await acme.view(roomId);
    assert.equal((await acme.db.memberships.get(roomNid, mia))?.forgotten, true);
    await refused(acme.engine.forget('@nobody:acme.test', roomId), 404, 'M_NOT_FOUND');
  });

  it('answers partners only about rooms that they are in, and about no other room than they name', async () => {
    const bolt = await net.add('bolt.test');
    const bo = await bolt.user('bo');
    const shared = await acme.room(li, {
      invite: [bo],
      initialState: [
        { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } },
        { type: 'm.room.topic', content: { topic: 't' } },
      ],
    });
    const early = await acme.say(li, shared, 'before they came');
    await bolt.engine.join(bo, shared);
    const secret = await acme.room(li);
    const hidden = await acme.say(li, secret, 'secret');
    const name = 'bolt.test';
    const served = wire(await acme.engine.getEvent(name, early)) as { content: object };
    assert.deepEqual(served.content, {});
    const [newest] = await acme.engine.backfill(name, shared, [early], 1);
    assert.deepEqual((newest as { content: object }).content, {});
    await refused(acme.engine.getEvent(name, hidden), 403, 'M_FORBIDDEN');
    await refused(acme.engine.getStateIds(name, shared, hidden), 404, 'M_NOT_FOUND');
    await refused(acme.engine.getState(name, secret, hidden), 403, 'M_FORBIDDEN');
    await refused(acme.engine.getEventAuth(name, shared, hidden), 404, 'M_NOT_FOUND');
    assert.deepEqual(await acme.engine.backfill(name, shared, [hidden], 10), []);
    const request = { earliest: [], latest: [hidden], limit: 10, minDepth: 0 };
    assert.deepEqual(await acme.engine.getMissingEvents(name, shared, request), []);
    await refused(acme.engine.makeJoin(name, secret, bo, ['12']), 403, 'M_FORBIDDEN');
    await refused(acme.engine.makeJoin(name, shared, '@x:cava.test', ['12']), 403, 'M_FORBIDDEN');
    await refused(acme.engine.makeJoin(name, shared, bo, ['11']), 400, 'M_INCOMPATIBLE_ROOM_VERSION');
  });
});
