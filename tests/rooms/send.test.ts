import assert from 'node:assert/strict';
import { Archipelago, type Island, refused } from './support.ts';

describe('sending', () => {
  let net: Archipelago;
  let acme: Island;
  let li: string;
  let roomId: string;

  beforeEach(async () => {
    net = new Archipelago();
    acme = await net.add('acme.test');
    li = await acme.user('li');
    roomId = await acme.room(li, { roomVersion: '11' });
  });

  afterEach(() => net.close());

  const message = (body: string, txnKey?: string) => ({
    userId: li,
    roomId,
    type: 'm.room.message',
    content: { body },
    ...(txnKey === undefined ? {} : { txn: { deviceId: 'D', txnKey } }),
  });

  it('makes one chain of what is sent at once', async () => {
    const sent = await Promise.all(
      Array.from({ length: 50 }, (_, index) => acme.say(li, roomId, `m${index}`)),
    );
    assert.equal(new Set(sent).size, 50);
    const view = await acme.view(roomId);
    assert.deepEqual(view.extremities, [sent.at(-1)]);
    for (const [index, id] of sent.entries()) {
      const event = await acme.engine.event(id);
      if (index > 0) assert.deepEqual(event?.pdu.prev_events, [sent[index - 1]]);
    }
    const bodies = (await acme.timeline(roomId)).filter(
      (body) => body.startsWith('m') && !body.includes('.'),
    );
    assert.deepEqual(
      bodies,
      Array.from({ length: 50 }, (_, index) => `m${index}`),
    );
  });

  it('makes one event of equal transaction ids, in a race and after a restart', async () => {
    const [a, b, c] = await Promise.all([
      acme.engine.send(message('once', 't1')),
      acme.engine.send(message('once', 't1')),
      acme.engine.send(message('once', 't1')),
    ]);
    assert.deepEqual([b, c], [a, a]);
    await acme.restart();
    assert.deepEqual(await acme.engine.send(message('once', 't1')), a);
    assert.notDeepEqual(await acme.engine.send(message('once', 't2')), a);
    assert.equal((await acme.timeline(roomId)).filter((body) => body === 'once').length, 2);
  });

  it('refuses strangers, unknown rooms, too much, and forbidden content', async () => {
    const mia = await acme.user('mia');
    await refused(acme.engine.send({ ...message('x'), userId: mia }), 403, 'M_FORBIDDEN');
    await refused(acme.engine.send({ ...message('x'), roomId: '!none:acme.test' }), 404, 'M_NOT_FOUND');
    await refused(acme.engine.send(message('x'.repeat(65_536))), 413, 'M_TOO_LARGE');
    await refused(acme.engine.send({ ...message('x'), type: 't'.repeat(256) }), 413, 'M_TOO_LARGE');
    await refused(acme.engine.send({ ...message('x'), content: { half: 0.5 } }), 400, 'M_BAD_JSON');
    assert.equal((await acme.timeline(roomId)).includes('x'), false);
    await acme.say(li, roomId, 'and the room goes on');
  });

  it('rebuilds the view from disk when a write fails, and what was built on it', async () => {
    await acme.say(li, roomId, 'before');
    await acme.db.writer.transact('test trigger', (tx) =>
      tx.query(
        `CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.type = 'm.cursed'
         BEGIN SELECT RAISE(ABORT, 'cursed'); END`,
      ),
    );
    const cursed = acme.engine.send({ userId: li, roomId, type: 'm.cursed', content: {}, stateKey: '' });
    const after = [1, 2, 3].map((index) => acme.say(li, roomId, `after ${index}`));
    await assert.rejects(cursed, /cursed/);
    const sent = await Promise.all(after);
    assert.deepEqual((await acme.timeline(roomId)).slice(-4), ['before', 'after 1', 'after 2', 'after 3']);
    const view = await acme.view(roomId);
    assert.equal(view.get('m.cursed', ''), undefined);
    assert.deepEqual(view.extremities, [sent[2]]);
    for (const id of sent) {
      for (const prev of (await acme.engine.event(id))?.pdu.prev_events ?? [])
        assert.ok(await acme.engine.event(prev), 'a previous event that was never written');
    }
    await acme.restart();
    assert.deepEqual((await acme.view(roomId)).extremities, [sent[2]]);
  });

  it('joins more than 20 forward extremities step by step', async () => {
    const bolt = await net.add('bolt.test');
    const bo = await bolt.user('bo');
    await acme.engine.invite(li, roomId, bo);
    await bolt.engine.join(bo, roomId);
    await net.settle();
    const prev = (await acme.view(roomId)).extremities;
    for (let index = 0; index < 30; index += 1) {
      const content = { body: `fork ${index}` };
      const { pdu } = await bolt.forge(roomId, { type: 'm.room.message', sender: bo, content }, { prev });
      assert.equal((await acme.receive('bolt.test', pdu)).kind, 'accepted');
    }
    assert.equal((await acme.view(roomId)).extremities.length, 30);
    const first = await acme.engine.event(await acme.say(li, roomId, 'knot'));
    assert.equal(first?.pdu.prev_events.length, 20);
    await acme.say(li, roomId, 'knot again');
    assert.equal((await acme.view(roomId)).extremities.length, 1);
  });
});
