import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, ok, textAt, v3 } from '../support/client.ts';
import {
  agree,
  hasBeginning,
  inGraphOrder,
  join,
  leave,
  moderate,
  setState,
  stateContent,
  textsOf,
} from '../support/conversation.ts';
import { ForgedRoom } from '../support/forged-room.ts';
import { type ForgedEvent, ForgingPartner } from '../support/forging-partner.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('a conversation that is interrupted', () => {
  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
  });

  after(() => network.stop());

  beforeEach(async () => {
    roomId = await li.createRoom({ invite: [bo.userId] });
    await join(bo, roomId);
    await network.settled();
  });

  /** Both sides hold these texts, each once, in the order of the graph. */
  async function assertWhole(texts: readonly string[]): Promise<void> {
    await network.linked('acme.test', 'bolt.test');
    await agree(network, roomId, [li, bo]);
    for (const client of [li, bo])
      assert.deepEqual((await textsOf(client, roomId)).sort(), [...texts].sort());
    await inGraphOrder(li, network.island('acme.test'), roomId);
    await inGraphOrder(bo, network.island('bolt.test'), roomId);
    assert.ok(await hasBeginning(bo, roomId));
  }

  it('by a cut of the link is whole again when the link is back', async () => {
    const said: string[] = [];
    const say = async (client: Client): Promise<void> => {
      said.push(`${client.userId} ${said.length}`);
      await client.say(roomId, said.at(-1) ?? '');
    };
    for (let round = 0; round < 4; round += 1) {
      await Promise.all([say(li), say(bo)]);
      network.cut('acme.test', 'bolt.test');
      for (let index = 0; index < 5; index += 1) await Promise.all([say(li), say(bo)]);
      network.heal('acme.test', 'bolt.test');
      // Talking goes on while the link comes up and what waited is delivered.
      await Promise.all([say(li), say(bo)]);
    }
    await assertWhole(said);
  });

  for (const name of ['acme.test', 'bolt.test'])
    it(`by a restart of ${name} is whole again`, async () => {
      const said: string[] = [];
      const say = async (client: Client): Promise<void> => {
        said.push(`${client.userId} ${said.length}`);
        await client.say(roomId, said.at(-1) ?? '');
      };
      await Promise.all([say(li), say(bo)]);
      const other = name === 'acme.test' ? bo : li;
      await network.restart(name, async () => {
        for (let index = 0; index < 5; index += 1) await say(other);
      });
      await Promise.all([say(li), say(bo)]);
      await assertWhole(said);
    });

  it('by restarts of both, one after the other, is whole again', async () => {
    await li.say(roomId, 'one');
    await network.island('bolt.test').stop();
    await li.say(roomId, 'two');
    await network.restart('acme.test');
    await li.say(roomId, 'three');
    await network.restart('bolt.test');
    await bo.say(roomId, 'four');
    await assertWhole(['one', 'two', 'three', 'four']);
  });

  it('goes on where it was after one has left and come back', async () => {
    await li.say(roomId, 'before');
    await network.settled();
    await leave(bo, roomId);
    await network.settled();
    for (let index = 0; index < 15; index += 1) await li.say(roomId, `while you were gone ${index}`);
    await moderate(li, 'ban', roomId, bo.userId);
    await moderate(li, 'unban', roomId, bo.userId);
    await setState(li, roomId, 'm.room.topic', { topic: 'changed meanwhile' });
    await ok(li.post(v3`/rooms/${roomId}/invite`, { user_id: bo.userId }));
    await join(bo, roomId);
    await li.say(roomId, 'welcome back');
    await agree(network, roomId, [li, bo]);
    assert.deepEqual(await stateContent(bo, roomId, 'm.room.topic'), { topic: 'changed meanwhile' });
    const texts = await textsOf(bo, roomId);
    assert.equal(texts.at(-1), 'welcome back');
    assert.deepEqual(texts.slice().sort(), (await textsOf(li, roomId)).sort());
    assert.ok(await hasBeginning(bo, roomId));
  });

  it('has a beginning for one who was kicked and joined again right after', async () => {
    const open = await li.createRoom({ preset: 'public_chat' });
    await join(bo, open, ['acme.test']);
    await network.settled();
    await moderate(li, 'kick', open, bo.userId);
    await network.settled();
    await join(bo, open, ['acme.test']);
    await bo.say(open, 'back');
    await agree(network, open, [li, bo]);
    assert.ok(await hasBeginning(bo, open));
    assert.equal(await network.island('bolt.test').homeserver.engine.hasMoreHistory(open), false);
  });

  it('is read back to its beginning by one who came late', async () => {
    const open = await li.createRoom({ preset: 'public_chat', name: 'Archive' });
    const said: string[] = [];
    for (let index = 0; index < 130; index += 1) {
      said.push(`old ${index}`);
      await li.say(open, `old ${index}`);
      if (index % 40 === 0) await setState(li, open, 'm.room.topic', { topic: `at ${index}` });
    }
    await join(bo, open, ['acme.test']);
    await bo.say(open, 'at last');
    await network.settled();
    assert.deepEqual(await textsOf(bo, open), [...said, 'at last']);
    assert.deepEqual(await textsOf(li, open), [...said, 'at last']);
    assert.ok(await hasBeginning(bo, open));
    await inGraphOrder(bo, network.island('bolt.test'), open);
    const [first] = await firstEvents(bo, open);
    assert.equal(first?.['type'], 'm.room.create');
  });

  const firstEvents = async (client: Client, room: string): Promise<JsonObject[]> => {
    const body = await ok(client.get(v3`/rooms/${room}/messages`, { dir: 'f', limit: 3 }));
    return body['chunk'] as JsonObject[]; // validated against the OpenAPI files
  };
});

describe('events that come out of order', () => {
  const clock = new ShiftableClock();
  let network: TestNetwork;
  let acme: TestIsland;
  let forger: ForgingPartner;
  let li: Client;
  let mal: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test'], { clock });
    acme = network.island('acme.test');
    li = await Client.create(acme, 'li');
    forger = await ForgingPartner.join(network, 'mallory.test', [acme]);
    mal = forger.userId('mal');
  });

  after(async () => {
    await forger.stop();
    await network.stop();
  });

  afterEach(() => {
    forger.answers.clear();
    forger.asked.length = 0;
  });

  const deliver = async (...events: ForgedEvent[]): Promise<void> => {
    const { status } = await forger.send(
      acme,
      events.map(({ pdu }) => pdu),
    );
    assert.equal(status, 200);
    await network.processed();
  };

  const asked = (operation: string): number =>
    forger.asked.filter((line) => line.includes(`/${operation}/`)).length;

  /** A chain of messages after what the room has now. */
  async function chain(roomId: string, texts: readonly string[]): Promise<ForgedEvent[]> {
    const events: ForgedEvent[] = [];
    for (const body of texts) {
      const prev = events.at(-1)?.eventId;
      const forgery = { type: 'm.room.message', sender: mal, content: { body } };
      events.push(
        await forger.forge(acme, roomId, {
          ...forgery,
          depth: 100 + events.length,
          ...(prev === undefined ? {} : { prev: [prev] }),
        }),
      );
    }
    return events;
  }

  async function room(): Promise<string> {
    const roomId = await li.createRoom({ preset: 'public_chat' });
    await forger.enter(acme, roomId, mal);
    await network.processed();
    return roomId;
  }

  it('are put into their order when the last one comes first', async () => {
    const roomId = await room();
    const texts = Array.from({ length: 40 }, (_, index) => `m${index}`);
    const events = await chain(roomId, texts);
    const last = events.at(-1);
    assert.ok(last);
    await deliver(last);
    assert.deepEqual(await textsOf(li, roomId), texts);
    assert.equal(asked('get_missing_events'), 1);
    assert.equal(asked('state_ids'), 0);
    await deliver(...events.slice(0, 20).reverse());
    assert.deepEqual(await textsOf(li, roomId), texts);
  });

  it('wait until what lies before them can be had, and hold up nobody', async () => {
    const roomId = await room();
    const [lost, found] = await chain(roomId, ['lost', 'found']);
    assert.ok(lost && found);
    forger.answers.set('get_missing_events', () => ({ status: 500, body: {} }));
    await deliver(found);
    await li.say(roomId, 'meanwhile');
    assert.deepEqual(await textsOf(li, roomId), ['meanwhile']);
    assert.ok(acme.lines.some(({ msg, roomId: of }) => msg === 'an event has to wait' && of === roomId));
    forger.answers.clear();
    await deliver(lost);
    // It is tried again by itself.
    const arrived = network.until(
      async () => (await textsOf(li, roomId)).includes('found'),
      'it waits for ever',
    );
    await clock.hurry(arrived);
    assert.deepEqual(await textsOf(li, roomId), ['meanwhile', 'lost', 'found']);
  });

  it('stand on a state that is told where the gap is too wide, and the gap is filled on reading', async () => {
    const roomId = await room();
    const texts = Array.from({ length: 30 }, (_, index) => `g${index}`);
    const events = await chain(roomId, texts);
    const last = events.at(-1);
    assert.ok(last);
    const view = await acme.homeserver.engine.view(roomId);
    const state = [...(view?.state.values() ?? [])].map(({ eventId }) => eventId);
    forger.answers.set('get_missing_events', () => ({ status: 200, body: { events: [] } }));
    forger.answers.set('state_ids', () => ({ status: 200, body: { pdu_ids: state, auth_chain_ids: [] } }));
    await deliver(last);
    await li.say(roomId, 'on top');
    assert.ok(asked('state_ids') > 0);
    // Rejected events in the middle of what is missing must not hide what lies behind them.
    assert.deepEqual(await textsOf(li, roomId), [...texts, 'on top']);
    assert.ok(await hasBeginning(li, roomId));
  });

  it('are read back past a whole page of events that are rejected', async () => {
    const roomId = await room();
    const start = await chain(roomId, ['far back']);
    let prev = start[0]?.eventId ?? '';
    for (let index = 0; index < 120; index += 1) {
      const bad = await forger.forge(acme, roomId, {
        type: 'm.room.message',
        sender: forger.userId('ghost'),
        content: { body: 'never seen' },
        depth: 200 + index,
        prev: [prev],
      });
      prev = bad.eventId;
    }
    const end = await forger.forge(acme, roomId, {
      type: 'm.room.message',
      sender: mal,
      content: { body: 'the end' },
      depth: 400,
      prev: [prev],
    });
    const view = await acme.homeserver.engine.view(roomId);
    const state = [...(view?.state.values() ?? [])].map(({ eventId }) => eventId);
    forger.answers.set('get_missing_events', () => ({ status: 200, body: { events: [] } }));
    forger.answers.set('state_ids', () => ({ status: 200, body: { pdu_ids: state, auth_chain_ids: [] } }));
    await deliver(end);
    assert.deepEqual(await textsOf(li, roomId), ['far back', 'the end']);
    assert.ok(await hasBeginning(li, roomId));
  });

  it('are accepted after all when what authorises them turns up', async () => {
    const roomId = await room();
    const levels = await stateContent(li, roomId, 'm.room.power_levels');
    const boss = forger.userId('boss');
    await forger.enter(acme, roomId, boss);
    await setState(li, roomId, 'm.room.power_levels', { ...levels, users: { [mal]: 100 } });
    await network.processed();
    // A change of levels that only the forger holds, and a topic that names it as its authorisation.
    const raise = await forger.forge(acme, roomId, {
      type: 'm.room.power_levels',
      sender: mal,
      stateKey: '',
      content: { ...levels, users: { [mal]: 100, [boss]: 60 } },
    });
    const view = await acme.homeserver.engine.view(roomId);
    const member = view?.get('m.room.member', boss)?.eventId ?? '';
    const topic = await forger.forge(acme, roomId, {
      type: 'm.room.topic',
      sender: boss,
      stateKey: '',
      content: { topic: 'accepted after all' },
      auth: [raise.eventId, member],
      prev: [raise.eventId],
    });
    const above = await forger.forge(acme, roomId, {
      type: 'm.room.message',
      sender: mal,
      content: { body: 'refers to both' },
      prev: [topic.eventId],
    });
    // Nobody gives it at first.
    const hidden = new Map(forger.events);
    forger.events.clear();
    forger.answers.set('state_ids', () => ({
      status: 200,
      body: { pdu_ids: [...(view?.state.values() ?? [])].map(({ eventId }) => eventId), auth_chain_ids: [] },
    }));
    await deliver(topic);
    assert.deepEqual(await stateContent(li, roomId, 'm.room.topic'), {});
    assert.equal((await acme.homeserver.engine.event(topic.eventId))?.rejected, true);
    for (const [eventId, pdu] of hidden) forger.events.set(eventId, pdu);
    await network.restart('acme.test');
    forger.redirect(acme);
    await network.until(() => forger.isLinked(acme), 'the forger is not linked again');
    await deliver(raise);
    await deliver(above);
    assert.deepEqual(await stateContent(li, roomId, 'm.room.topic'), { topic: 'accepted after all' });
    assert.ok((await textsOf(li, roomId)).includes('refers to both'));
  });

  it('are accepted after all when what authorises their authorisation turns up', async () => {
    const roomId = await room();
    const boss = forger.userId('boss');
    await forger.enter(acme, roomId, boss);
    const levels = await stateContent(li, roomId, 'm.room.power_levels');
    await setState(li, roomId, 'm.room.power_levels', { ...levels, users: { [mal]: 100, [boss]: 60 } });
    await network.processed();
    const levelsNow = await stateContent(li, roomId, 'm.room.power_levels');
    const view = await acme.homeserver.engine.view(roomId);
    const member = (userId: string): string => view?.get('m.room.member', userId)?.eventId ?? '';
    const levelsBy = (change: JsonObject, auth: string) =>
      forger.forge(acme, roomId, {
        type: 'm.room.power_levels',
        sender: mal,
        stateKey: '',
        content: { ...levelsNow, ...change },
        auth: [auth, member(mal)],
      });
    const first = await levelsBy({ invite: 10 }, view?.get('m.room.power_levels', '')?.eventId ?? '');
    const second = await levelsBy({ invite: 20 }, first.eventId);
    const topic = await forger.forge(acme, roomId, {
      type: 'm.room.topic',
      sender: boss,
      stateKey: '',
      content: { topic: 'at the end of a chain' },
      auth: [second.eventId, member(boss)],
    });
    forger.events.delete(first.eventId);
    await deliver(topic);
    const engine = () => acme.homeserver.engine;
    assert.equal((await engine().event(second.eventId))?.rejected, true);
    assert.equal((await engine().event(topic.eventId))?.rejected, true);
    await deliver(first);
    assert.equal((await engine().event(second.eventId))?.rejected, false);
    assert.equal((await engine().event(topic.eventId))?.rejected, false);
    assert.deepEqual(await stateContent(li, roomId, 'm.room.topic'), { topic: 'at the end of a chain' });
  });

  for (const order of ['before', 'after'] as const)
    for (const version of ['10', '11', '12'])
      it(`redact ${order} what they redact has come, in room version ${version}`, async () => {
        const roomId = await li.createRoom({ preset: 'public_chat', room_version: version });
        await forger.enter(acme, roomId, mal);
        const place = (await acme.homeserver.engine.view(roomId))?.extremities ?? [];
        const slip = await forger.forge(acme, roomId, {
          type: 'm.room.message',
          sender: mal,
          content: { body: 'a slip' },
          prev: place,
        });
        const redaction = await forger.forge(acme, roomId, {
          type: 'm.room.redaction',
          sender: mal,
          content: version === '10' ? {} : { redacts: slip.eventId },
          prev: place,
          ...(version === '10' ? { redacts: slip.eventId } : {}),
        });
        const unfair = await forger.forge(acme, roomId, {
          type: 'm.room.redaction',
          sender: mal,
          content: version === '10' ? {} : { redacts: await li.say(roomId, 'mine') },
          prev: place,
          ...(version === '10' ? { redacts: await li.say(roomId, 'mine') } : {}),
        });
        if (order === 'before') await deliver(redaction, slip, unfair);
        else await deliver(slip, redaction, unfair);
        const texts = await textsOf(li, roomId);
        assert.ok(!texts.includes('a slip') && texts.includes('mine'));
        const event = await ok(li.get(v3`/rooms/${roomId}/event/${slip.eventId}`));
        assert.deepEqual(event['content'], {});
        assert.equal(textAt(event, 'unsigned', 'redacted_because', 'event_id'), redaction.eventId);
        assert.equal(at(event, 'unsigned', 'redacted_because', 'redacts'), slip.eventId);
        // One that may not be applied is not shown either.
        assert.equal((await li.get(v3`/rooms/${roomId}/event/${unfair.eventId}`)).status, 404);
      });

  it('may be of a room that a partner hosts, and come while it is being joined', async () => {
    const hosted = new ForgedRoom(forger, '12', mal);
    let early: Promise<unknown> | undefined;
    hosted.serve({
      answer: (honest) => {
        const draft = hosted.draft('m.room.topic', '', { topic: 'sent before the answer' });
        const event = forger.sign(draft, hosted.version);
        early = forger.send(acme, [event.pdu]);
        return honest;
      },
    });
    await join(li, hosted.roomId, ['mallory.test']);
    await early;
    await network.processed();
    assert.deepEqual(await stateContent(li, hosted.roomId, 'm.room.topic'), {
      topic: 'sent before the answer',
    });
  });
});
