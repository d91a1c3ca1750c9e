import assert from 'node:assert/strict';
import { Client } from '../support/client.ts';
import {
  agree,
  inGraphOrder,
  invite,
  join,
  leave,
  membershipOf,
  moderate,
  setState,
  stateContent,
  textsOf,
} from '../support/conversation.ts';
import { TestNetwork } from '../support/test-network.ts';

const names = ['acme.test', 'bolt.test', 'cava.test'] as const;

describe('what people do at the same time on islands that cannot reach each other', () => {
  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let cy: Client;
  let mia: string;

  before(async () => {
    network = await TestNetwork.paired(names);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    cy = await Client.create(network.island('cava.test'), 'cy');
    mia = (await Client.create(network.island('acme.test'), 'mia')).userId;
  });

  after(() => network.stop());

  const pairs = names.flatMap((one, index) => names.slice(index + 1).map((other) => [one, other] as const));

  /** Runs this while no island reaches another; then all do again. */
  async function apart(run: () => Promise<unknown>): Promise<void> {
    for (const [one, other] of pairs) network.cut(one, other);
    try {
      await run();
    } finally {
      for (const [one, other] of pairs) network.heal(one, other);
      for (const [one, other] of pairs) await network.linked(one, other);
    }
    await network.settled();
  }

  /** A room of all three in which bo and cy are moderators. */
  async function room(version: string): Promise<string> {
    const roomId = await li.createRoom({
      preset: 'public_chat',
      room_version: version,
      power_level_content_override: {
        events: { 'm.room.power_levels': 50 },
        users: { ...(version === '12' ? {} : { [li.userId]: 100 }), [bo.userId]: 50, [cy.userId]: 50 },
      },
    });
    await join(bo, roomId, ['acme.test']);
    await join(cy, roomId, ['acme.test']);
    await network.settled();
    return roomId;
  }

  const topicOf = async (client: Client, roomId: string) =>
    (await stateContent(client, roomId, 'm.room.topic'))['topic'];
  const setLevel = async (client: Client, roomId: string, userId: string, level: number): Promise<string> => {
    const levels = await stateContent(client, roomId, 'm.room.power_levels');
    const users = { ...(levels['users'] as Record<string, number>), [userId]: level };
    return setState(client, roomId, 'm.room.power_levels', { ...levels, users });
  };

  for (const version of ['10', '11', '12'])
    describe(`in room version ${version}`, () => {
      let roomId: string;

      beforeEach(async () => {
        roomId = await room(version);
      });

      it('settles on one of three topics and on what nobody disputes', async () => {
        await apart(async () => {
          await setState(li, roomId, 'm.room.topic', { topic: 'of acme' });
          await setState(bo, roomId, 'm.room.topic', { topic: 'of bolt' });
          await setState(cy, roomId, 'm.room.topic', { topic: 'of cava' });
          await setState(bo, roomId, 'm.room.name', { name: 'undisputed' });
          await setState(bo, roomId, 'm.room.topic', { topic: 'of bolt again' });
          for (const client of [cy, bo, li]) await client.say(roomId, `from ${client.userId}`);
        });
        await agree(network, roomId, [li, bo, cy]);
        assert.match(String(await topicOf(li, roomId)), /^of /);
        assert.deepEqual(await stateContent(cy, roomId, 'm.room.name'), { name: 'undisputed' });
        const texts = (await textsOf(li, roomId)).sort();
        assert.equal(texts.length, 3);
        for (const client of [bo, cy]) assert.deepEqual((await textsOf(client, roomId)).sort(), texts);
      });

      it('lets a ban win over what the banned one said and did meanwhile', async () => {
        await apart(async () => {
          await moderate(li, 'ban', roomId, bo.userId);
          await bo.say(roomId, 'I was never told');
          await setState(bo, roomId, 'm.room.topic', { topic: 'by one who is banned' });
          await setState(cy, roomId, 'm.room.topic', { topic: 'by one who may' });
        });
        await agree(network, roomId, [li, cy]);
        for (const client of [li, cy]) {
          assert.equal(await membershipOf(client, roomId, bo.userId), 'ban');
          assert.equal(await topicOf(client, roomId), 'by one who may');
        }
        assert.deepEqual(await textsOf(li, roomId), []);
        const bolt = await network.island('bolt.test').homeserver.engine.view(roomId);
        assert.equal(bolt?.membership(bo.userId), 'ban');
        await cy.say(roomId, 'moving on');
        await agree(network, roomId, [li, cy]);
      });

      it('lets a change of power win over what was done with the power', async () => {
        const dan = await Client.create(network.island('cava.test'), `dan${version}`);
        await join(dan, roomId);
        await agree(network, roomId, [li, bo, cy]);
        await apart(async () => {
          await setLevel(li, roomId, bo.userId, 0);
          await setState(bo, roomId, 'm.room.name', { name: 'by one who may not any more' });
          await moderate(bo, 'kick', roomId, dan.userId);
          await dan.say(roomId, 'still here');
        });
        await agree(network, roomId, [li, bo, cy]);
        assert.deepEqual(await stateContent(li, roomId, 'm.room.name'), {});
        assert.equal(await membershipOf(bo, roomId, dan.userId), 'join');
      });

      it('comes to one result when both sides change the power levels', async () => {
        await apart(async () => {
          await setLevel(li, roomId, mia, 10);
          await setLevel(bo, roomId, mia, 20);
          await setLevel(cy, roomId, mia, 30);
        });
        await agree(network, roomId, [li, bo, cy]);
        await setLevel(li, roomId, mia, 5);
        await agree(network, roomId, [li, bo, cy]);
      });

      it('comes to one result when two kick the same one, and that one leaves', async () => {
        const eve = await Client.create(network.island('bolt.test'), `eve${version}`);
        await join(eve, roomId);
        await agree(network, roomId, [li, bo, cy]);
        await apart(async () => {
          await moderate(li, 'kick', roomId, eve.userId);
          await moderate(cy, 'ban', roomId, eve.userId);
          await leave(eve, roomId);
        });
        const state = await agree(network, roomId, [li, bo, cy]);
        assert.equal(state.filter((line) => line.includes(eve.userId)).length, 1);
        assert.notEqual(await membershipOf(li, roomId, eve.userId), 'join');
      });

      it('comes to one result when moderators of one level remove each other from their posts', async () => {
        await apart(async () => {
          await setState(bo, roomId, 'm.room.join_rules', { join_rule: 'invite' });
          await setState(cy, roomId, 'm.room.join_rules', { join_rule: 'public' });
          await setLevel(bo, roomId, bo.userId, 0);
          await moderate(li, 'kick', roomId, cy.userId);
          await cy.say(roomId, 'unheard');
        });
        await agree(network, roomId, [li, bo]);
        assert.equal(await membershipOf(bo, roomId, cy.userId), 'leave');
      });
    });

  it('brings together what two thirds hold when one link alone is down', async () => {
    const roomId = await room('12');
    network.cut('acme.test', 'cava.test');
    await li.say(roomId, 'one');
    await setState(li, roomId, 'm.room.topic', { topic: 'behind the wall' });
    await network.until(
      async () => (await textsOf(bo, roomId)).includes('one') && (await topicOf(bo, roomId)) !== undefined,
      'bolt did not hear of it',
    );
    // Bolt's event refers to acme's: cava fetches what it lacks from bolt.
    await bo.say(roomId, 'two');
    await network.until(
      async () => (await textsOf(cy, roomId)).includes('two'),
      'cava did not hear of it by way of bolt',
    );
    assert.deepEqual(await textsOf(cy, roomId), ['one', 'two']);
    assert.equal(await topicOf(cy, roomId), 'behind the wall');
    await cy.say(roomId, 'three');
    await network.until(async () => (await textsOf(bo, roomId)).includes('three'), 'bolt did not hear');
    await bo.say(roomId, 'four');
    await network.until(async () => (await textsOf(li, roomId)).includes('four'), 'acme did not hear');
    assert.deepEqual(await textsOf(li, roomId), ['one', 'two', 'three', 'four']);
    network.heal('acme.test', 'cava.test');
    await network.linked('acme.test', 'cava.test');
    await agree(network, roomId, [li, bo, cy]);
    for (const client of [li, bo, cy])
      assert.deepEqual(await textsOf(client, roomId), ['one', 'two', 'three', 'four']);
  });

  it('puts every event after those it refers to, whatever the order in which they came', async () => {
    const roomId = await room('12');
    for (let round = 0; round < 3; round += 1) {
      await apart(async () => {
        for (const client of [li, bo, cy])
          for (let index = 0; index < 4; index += 1)
            await client.say(roomId, `${client.userId} ${round}.${index}`);
      });
      await bo.say(roomId, `together ${round}`);
    }
    await agree(network, roomId, [li, bo, cy]);
    const texts = (await textsOf(li, roomId)).sort();
    assert.equal(texts.length, 3 * (3 * 4 + 1));
    for (const client of [bo, cy]) assert.deepEqual((await textsOf(client, roomId)).sort(), texts);
    for (const [client, name] of [
      [li, 'acme.test'],
      [bo, 'bolt.test'],
      [cy, 'cava.test'],
    ] as const)
      await inGraphOrder(client, network.island(name), roomId);
    const tips = await Promise.all(
      names.map(async (name) => (await network.island(name).homeserver.engine.view(roomId))?.extremities),
    );
    assert.equal(tips[0]?.length, 1);
    assert.deepEqual(tips, [tips[0], tips[0], tips[0]]);
  });

  it('lets somebody join at one side while the other changes the rules', async () => {
    const roomId = await room('12');
    const fay = await Client.create(network.island('bolt.test'), 'fay');
    await apart(async () => {
      await setState(li, roomId, 'm.room.join_rules', { join_rule: 'invite' });
      await join(fay, roomId);
      await fay.say(roomId, 'just in time');
    });
    await agree(network, roomId, [li, bo, cy]);
    const membership = await membershipOf(li, roomId, fay.userId);
    assert.equal(await membershipOf(bo, roomId, fay.userId), membership);
    await invite(li, roomId, fay).catch(() => undefined); // She may be in already.
    await agree(network, roomId, [li, bo, cy]);
  });
});
