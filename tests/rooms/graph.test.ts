import assert from 'node:assert/strict';
import type { RoomEvent } from '../../protocol/event.ts';
import { TryAgain } from '../../rooms/errors.ts';
import { Archipelago, type Island, wire } from './support.ts';

describe('the event graph', () => {
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
    roomId = await acme.room(li, { invite: [bo], powerLevelContentOverride: { users: { [bo]: 50 } } });
    await bolt.engine.join(bo, roomId);
    await net.settle();
  });

  afterEach(() => net.close());

  const agree = async () => {
    await net.settle();
    assert.deepEqual(await bolt.stateOf(roomId), await acme.stateOf(roomId));
  };

  it('comes to the same state from changes made on both sides of a cut', async () => {
    net.cut('acme.test', 'bolt.test');
    await acme.setState(li, roomId, 'm.room.topic', { topic: 'of acme' });
    await bolt.setState(bo, roomId, 'm.room.topic', { topic: 'of bolt' });
    await bolt.setState(bo, roomId, 'm.room.name', { name: 'of bolt' });
    await acme.setState(li, roomId, 'm.room.avatar', { url: 'mxc://acme.test/a' });
    await bolt.say(bo, roomId, 'from bolt');
    await acme.say(li, roomId, 'from acme');
    net.heal('acme.test', 'bolt.test');
    await agree();
    assert.equal((await acme.view(roomId)).extremities.length, 2);
    await acme.say(li, roomId, 'joined up');
    await agree();
    assert.deepEqual((await bolt.view(roomId)).extremities, (await acme.view(roomId)).extremities);
    assert.equal((await bolt.view(roomId)).extremities.length, 1);
    await bolt.restart();
    assert.deepEqual(await bolt.stateOf(roomId), await acme.stateOf(roomId));
  });

  it('lets a ban win over what the banned did meanwhile', async () => {
    net.cut('acme.test', 'bolt.test');
    await acme.engine.ban(li, roomId, bo);
    const topic = await bolt.setState(bo, roomId, 'm.room.topic', { topic: 'too late' });
    net.heal('acme.test', 'bolt.test');
    await net.settle();
    const event = await acme.engine.event(topic);
    assert.equal(event?.softFailed, true);
    assert.equal((await acme.view(roomId)).get('m.room.topic', ''), undefined);
    assert.equal((await bolt.view(roomId)).membership(bo), 'ban');
    assert.equal((await bolt.view(roomId)).get('m.room.topic', ''), undefined);
  });

  it('stores what is soft-failed, serves it, and neither shows it nor builds on it', async () => {
    const cava = await net.add('cava.test');
    const cy = await cava.user('cy');
    await acme.engine.invite(li, roomId, cy);
    await cava.engine.join(cy, roomId);
    await net.settle();
    const prev = (await acme.view(roomId)).extremities;
    await acme.engine.ban(li, roomId, bo);
    const evasion = await bolt.forge(
      roomId,
      { type: 'm.room.message', sender: bo, content: { body: 'evasion' } },
      { prev },
    );
    assert.equal((await acme.receive('bolt.test', evasion.pdu)).kind, 'soft-failed');
    assert.equal((await acme.timeline(roomId)).includes('evasion'), false);
    assert.equal((await acme.view(roomId)).extremities.includes(evasion.eventId), false);
    assert.deepEqual(wire(await acme.engine.getEvent('cava.test', evasion.eventId)), wire(evasion.pdu));
    assert.equal((await acme.receive('bolt.test', evasion.pdu)).kind, 'duplicate');
    // Another server took it before the ban: what refers to it is taken as usual.
    const child = await cava.forge(
      roomId,
      { type: 'm.room.message', sender: cy, content: { body: 'after both' } },
      { prev: [evasion.eventId, ...(await acme.view(roomId)).extremities] },
    );
    assert.equal((await acme.receive('cava.test', child.pdu)).kind, 'accepted');
    assert.deepEqual((await acme.view(roomId)).extremities, [child.eventId]);
  });

  it('fetches missing events from the one who sent their successor', async () => {
    for (let index = 0; index < 30; index += 1) await bolt.say(bo, roomId, `m${index}`);
    const pdus = await bolt.dropOutbox();
    const last = pdus.at(-1);
    assert.ok(last);
    assert.equal((await acme.receive('bolt.test', last)).kind, 'accepted');
    await agree();
    assert.deepEqual(
      (await acme.timeline(roomId)).slice(-30),
      Array.from({ length: 30 }, (_, index) => `m${index}`),
    );
    assert.ok(acme.asked.includes('get_missing_events bolt.test'));
    assert.equal(acme.asked.includes('state_ids bolt.test'), false);
  });

  it('takes the state at a gap that is too wide to fill, and fills it from the history', async () => {
    await bolt.setState(bo, roomId, 'm.room.topic', { topic: 'in the gap' });
    for (let index = 0; index < 4; index += 1) await bolt.say(bo, roomId, `m${index}`);
    const pdus = await bolt.dropOutbox();
    const last = pdus.at(-1);
    assert.ok(last);
    acme.overrides.missingEvents = async () => [];
    assert.equal((await acme.receive('bolt.test', last)).kind, 'accepted');
    assert.equal((await acme.view(roomId)).content('m.room.topic')['topic'], 'in the gap');
    assert.equal((await acme.timeline(roomId)).includes('m0'), false);
    await agree();
    assert.equal(await acme.engine.hasMoreHistory(roomId), true);
    assert.ok((await acme.engine.fetchHistory(roomId, 50)).count > 0);
    assert.ok((await acme.timeline(roomId)).includes('m0'));
    assert.equal(await acme.engine.hasMoreHistory(roomId), false);
    await agree();
  });

  it('asks to try again when nobody can fill a gap, and takes the event later', async () => {
    await bolt.say(bo, roomId, 'lost');
    await bolt.say(bo, roomId, 'found');
    const pdus = await bolt.dropOutbox();
    const last = pdus.at(-1);
    assert.ok(last);
    net.cut('acme.test', 'bolt.test');
    await assert.rejects(acme.receive('bolt.test', last), TryAgain);
    await acme.say(li, roomId, 'meanwhile');
    net.heal('acme.test', 'bolt.test');
    assert.equal((await acme.receive('bolt.test', last)).kind, 'accepted');
    await agree();
    assert.deepEqual((await acme.timeline(roomId)).slice(-3), ['meanwhile', 'lost', 'found']);
  });

  it('takes the same event once, however often and however concurrently it comes', async () => {
    await bolt.say(bo, roomId, 'once');
    const [pdu] = await bolt.dropOutbox();
    assert.ok(pdu);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => acme.receive('bolt.test', pdu)));
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'accepted').length, 1);
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'duplicate').length, 7);
    assert.equal((await acme.timeline(roomId)).filter((body) => body === 'once').length, 1);
  });

  it('commits what was given to be written along with an event, whatever becomes of it', async () => {
    const rows = async () => (await acme.db.aliases.get('#along:acme.test'))?.roomId;
    const also = (room: string) => [
      ...acme.db.aliases.remove('#along:acme.test'),
      ...acme.db.aliases.insert({ alias: '#along:acme.test', roomId: room, servers: [], creator: li }),
    ];
    await bolt.say(bo, roomId, 'once');
    const [pdu] = await bolt.dropOutbox();
    assert.ok(pdu);
    await acme.engine.receive('bolt.test', wire(pdu), { alsoWrite: also('accepted') });
    assert.equal(await rows(), 'accepted');
    await acme.engine.receive('bolt.test', wire(pdu), { alsoWrite: also('duplicate') });
    assert.equal(await rows(), 'duplicate');
    await acme.engine.receive('bolt.test', { ...wire(pdu), depth: 9 }, { alsoWrite: also('dropped') });
    assert.equal(await rows(), 'dropped');
  });

  describe('events that came before what authorises them', () => {
    let mine: RoomEvent;
    let theirs: RoomEvent;

    beforeEach(async () => {
      // A change of levels that only bolt holds, and a topic that names it as its authorisation.
      const levels = (await acme.view(roomId)).content('m.room.power_levels');
      mine = await acme.forge(roomId, {
        type: 'm.room.power_levels',
        sender: li,
        stateKey: '',
        content: { ...levels, events: {} },
      });
      const view = await acme.view(roomId);
      const member = view.get('m.room.member', bo)?.eventId ?? '';
      theirs = await bolt.forge(
        roomId,
        { type: 'm.room.topic', sender: bo, stateKey: '', content: { topic: 'late' } },
        { auth: [mine.eventId, member], prev: view.extremities },
      );
    });

    for (const restart of [false, true]) {
      it(`are rejected, and accepted once it is here${restart ? ', after a restart too' : ''}`, async () => {
        const first = await acme.receive('bolt.test', theirs.pdu);
        assert.equal(first.kind, 'rejected');
        assert.equal((await acme.view(roomId)).get('m.room.topic', ''), undefined);
        if (restart) await acme.restart();
        assert.equal((await acme.receive('bolt.test', mine.pdu)).kind, 'accepted');
        assert.equal((await acme.engine.event(theirs.eventId))?.rejected, false);
        assert.equal((await acme.view(roomId)).content('m.room.topic')['topic'], 'late');
        await acme.say(li, roomId, 'on top');
        assert.deepEqual((await acme.timeline(roomId)).slice(-3), [
          'm.room.power_levels',
          'm.room.topic',
          'on top',
        ]);
      });
    }

    it('are accepted at once when the sender has what authorises them', async () => {
      assert.equal((await bolt.receive('acme.test', mine.pdu)).kind, 'accepted');
      assert.equal((await bolt.receive('bolt.test', theirs.pdu)).kind, 'accepted');
      assert.equal((await acme.receive('bolt.test', theirs.pdu)).kind, 'accepted');
      assert.ok(acme.asked.includes('event_auth bolt.test'));
      assert.equal((await acme.engine.event(mine.eventId))?.outlier, true);
      // The authorising event itself gets its place when it comes.
      assert.equal((await acme.receive('bolt.test', mine.pdu)).kind, 'accepted');
      assert.equal((await acme.engine.event(mine.eventId))?.outlier, false);
      await agree();
    });
  });
});
