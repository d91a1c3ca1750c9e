import assert from 'node:assert/strict';
import { copyFile, rm } from 'node:fs/promises';
import { join as pathOf } from 'node:path';
import { at, Client, listAt, ok, textAt, v1, v3 } from '../support/client.ts';
import {
  agree,
  inGraphOrder,
  invite,
  isInvited,
  join,
  leave,
  membershipOf,
  moderate,
  seen,
  setState,
  stateContent,
  textsOf,
} from '../support/conversation.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('an island whose database of an hour ago is put back', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let li: Client;
  let bo: Client;
  let roomId: string;

  beforeEach(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { isFileTouched: true });
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    li = await Client.create(acme, 'li');
    bo = await Client.create(bolt, 'bo');
    roomId = await li.createRoom({ invite: [bo.userId], name: 'Desk' });
    await join(bo, roomId);
    await li.say(roomId, 'long ago');
    await network.settled();
  });

  afterEach(() => network.stop());

  const database = (island: TestIsland): string => pathOf(island.directory, 'homeserver.db');

  async function backUp(island: TestIsland): Promise<void> {
    await network.restart(island.serverName, () =>
      copyFile(database(island), pathOf(island.directory, 'backup')),
    );
    await network.linked('acme.test', 'bolt.test');
  }

  async function putBack(island: TestIsland, whileDown?: () => Promise<unknown>): Promise<void> {
    await network.restart(island.serverName, async () => {
      for (const suffix of ['-wal', '-shm']) await rm(`${database(island)}${suffix}`, { force: true });
      await copyFile(pathOf(island.directory, 'backup'), database(island));
      await whileDown?.();
    });
  }

  /** Both islands come to hold these texts, each once, and agree about the room. */
  async function assertWhole(texts: readonly string[], room = roomId): Promise<void> {
    await network.linked('acme.test', 'bolt.test');
    const expected = [...texts].sort();
    await network.until(async () => {
      await network.settled();
      const both = await Promise.all([li, bo].map((client) => textsOf(client, room)));
      return both.every((found) => JSON.stringify(found.sort()) === JSON.stringify(expected));
    }, `the texts are not the same on both sides: ${expected}`);
    await agree(network, room, [li, bo]);
    await inGraphOrder(li, acme, room);
    await inGraphOrder(bo, bolt, room);
  }

  /** Nothing waits for ever on either side. */
  async function assertNothingStuck(): Promise<void> {
    await network.settled();
    for (const island of [acme, bolt])
      assert.deepEqual(await island.homeserver.db.inbox.staged(0, 10), [], island.serverName);
  }

  async function assertSignsOfLife(): Promise<void> {
    const eventId = await li.say(roomId, 'are you there');
    await network.settled();
    await ok(bo.post(v3`/rooms/${roomId}/receipt/m.read/${eventId}`));
    await seen(
      li,
      (body) =>
        listAt(body, 'rooms', 'join', roomId, 'ephemeral', 'events').find(
          (event) => at(event, 'content', eventId, 'm.read', bo.userId) !== undefined,
        ),
      'the receipt did not arrive',
    );
    const answer = await bo.say(roomId, 'I am');
    await network.settled();
    await ok(li.post(v3`/rooms/${roomId}/receipt/m.read/${answer}`));
    await ok(li.put(v3`/rooms/${roomId}/typing/${li.userId}`, { typing: true, timeout: 20_000 }));
    await seen(
      bo,
      (body) => {
        const events = listAt(body, 'rooms', 'join', roomId, 'ephemeral', 'events');
        const isTyping = events.some((event) => at(event, 'content', 'user_ids', 0) === li.userId);
        const hasRead = events.some(
          (event) => at(event, 'content', answer, 'm.read', li.userId) !== undefined,
        );
        return isTyping || hasRead ? true : undefined;
      },
      'neither receipt nor typing arrived',
    );
  }

  const alarms = (island: TestIsland): unknown[] =>
    island.lines.filter(({ alarm }) => alarm === 'restored').map(({ who }) => who);

  for (const name of ['acme.test', 'bolt.test'])
    it(`gets back from its partner what it lost, and goes on: ${name}`, async () => {
      const restored = network.island(name);
      const texts = ['long ago'];
      await backUp(restored);
      for (let index = 0; index < 8; index += 1) {
        texts.push(`li ${index}`, `bo ${index}`);
        await li.say(roomId, `li ${index}`);
        await bo.say(roomId, `bo ${index}`);
      }
      await setState(li, roomId, 'm.room.topic', { topic: 'of the lost hour' });
      await network.settled();
      await putBack(restored);
      await assertWhole(texts);
      assert.deepEqual(await stateContent(name === 'acme.test' ? li : bo, roomId, 'm.room.topic'), {
        topic: 'of the lost hour',
      });
      await assertSignsOfLife();
      await assertWhole([...texts, 'are you there', 'I am']);
      await assertNothingStuck();
      // Each side's log says what happened.
      const other = restored === acme ? bolt : acme;
      assert.ok(alarms(restored).includes('us'), JSON.stringify(alarms(restored)));
      assert.ok(alarms(other).includes('partner'));
      const said = restored.lines.find(({ alarm, who }) => alarm === 'restored' && who === 'us');
      assert.match(said?.msg ?? '', /a backup was restored here/);
    });

  it('while both sides send, before the link is up and while it catches up', async () => {
    const texts = ['long ago'];
    const say = async (client: Client, text: string): Promise<void> => {
      texts.push(text);
      await client.say(roomId, text);
    };
    await backUp(acme);
    for (let index = 0; index < 5; index += 1)
      await Promise.all([say(li, `li ${index}`), say(bo, `bo ${index}`)]);
    await network.settled();
    network.cut('acme.test', 'bolt.test');
    await say(li, 'never delivered: it dies with the database');
    texts.pop();
    await putBack(acme, () => say(bo, 'while you were down'));
    await say(li, 'up again, alone');
    await say(bo, 'alone as well');
    network.heal('acme.test', 'bolt.test');
    for (let index = 0; index < 10; index += 1)
      await Promise.all([say(li, `li again ${index}`), say(bo, `bo again ${index}`)]);
    await assertWhole(texts);
    await assertNothingStuck();
  });

  it('twice in a row, and on both sides one after the other', async () => {
    const texts = ['long ago'];
    await backUp(acme);
    await backUp(bolt);
    for (const [round, island] of [acme, bolt, acme, acme].entries()) {
      texts.push(`li ${round}`, `bo ${round}`);
      await li.say(roomId, `li ${round}`);
      await bo.say(roomId, `bo ${round}`);
      await network.settled();
      await putBack(island);
      await assertWhole(texts);
    }
    await assertNothingStuck();
  });

  it('with files: those that are there stay readable on both sides, new ones go across', async () => {
    const upload = async (client: Client, text: string): Promise<string> =>
      textAt(
        await ok(
          client.request('POST', '/_matrix/media/v3/upload', {
            raw: Buffer.from(text),
            headers: { 'content-type': 'text/plain' },
          }),
        ),
        'content_uri',
      ).replace('mxc://acme.test/', '');
    const read = async (client: Client, mediaId: string): Promise<string | number> => {
      const answer = await client.get(v1`/media/download/${'acme.test'}/${mediaId}`);
      return answer.status === 200 ? answer.bytes.toString() : answer.status;
    };
    const old = await upload(li, 'an old file');
    await backUp(acme);
    const lost = await upload(li, 'a file of the lost hour');
    assert.equal(await read(bo, lost), 'a file of the lost hour');
    await putBack(acme);
    await network.linked('acme.test', 'bolt.test');
    for (const client of [li, bo]) assert.equal(await read(client, old), 'an old file');
    // Acme knows nothing of it any more and says so; bolt has kept its copy.
    assert.equal(await read(li, lost), 404);
    assert.equal(await read(bo, lost), 'a file of the lost hour');
    const fresh = await upload(li, 'a new file');
    for (const client of [li, bo]) assert.equal(await read(client, fresh), 'a new file');
  });

  it('remembers who joined and who was removed meanwhile', async () => {
    const ben = await Client.create(bolt, 'ben');
    const bea = await Client.create(bolt, 'bea');
    await invite(li, roomId, bea);
    await network.settled();
    await join(bea, roomId);
    await network.settled();
    await backUp(acme);
    await invite(li, roomId, ben);
    await network.settled();
    await join(ben, roomId);
    await moderate(li, 'ban', roomId, bea.userId);
    await ben.say(roomId, 'I am new');
    await network.settled();
    await putBack(acme);
    await assertWhole(['long ago', 'I am new']);
    assert.equal(await membershipOf(li, roomId, ben.userId), 'join');
    assert.equal(await membershipOf(li, roomId, bea.userId), 'ban');
  });

  it('learns that its people left a room meanwhile', async () => {
    await backUp(bolt);
    await bo.say(roomId, 'good-bye');
    await leave(bo, roomId);
    await network.settled();
    await li.say(roomId, 'gone');
    await putBack(bolt);
    await network.linked('acme.test', 'bolt.test');
    await network.until(
      async () => at(await bo.sync(), 'rooms', 'join', roomId) === undefined,
      'bo is still shown the room that he left',
    );
    assert.ok(!(await textsOf(bo, roomId)).includes('gone'));
    await assertNothingStuck();
  });

  it('gets back a room of the partner that its people joined meanwhile', async () => {
    await backUp(bolt);
    const other = await li.createRoom({ invite: [bo.userId], name: 'Of the lost hour' });
    await li.say(other, 'before you');
    await join(bo, other);
    await bo.say(other, 'here I am');
    await network.settled();
    await putBack(bolt);
    await li.say(other, 'are you still here');
    await network.settled();
    await bo.say(other, 'I am');
    await assertWhole(['before you', 'here I am', 'are you still here', 'I am'], other);
    await assertNothingStuck();
  });

  it('gets back a room of its own that a partner joined meanwhile', async () => {
    await backUp(acme);
    const other = await li.createRoom({ invite: [bo.userId], name: 'Of the lost hour' });
    await join(bo, other);
    await bo.say(other, 'here I am');
    await li.say(other, 'welcome');
    await network.settled();
    await putBack(acme);
    await network.linked('acme.test', 'bolt.test');
    await bo.say(other, 'are you still here');
    await network.settled();
    await li.say(other, 'I am');
    await assertWhole(['here I am', 'welcome', 'are you still here', 'I am'], other);
    assert.deepEqual(await stateContent(li, other, 'm.room.name'), { name: 'Of the lost hour' });
    await assertNothingStuck();
  });

  it('is invited again by the partner that had invited its people meanwhile', async () => {
    await backUp(bolt);
    const other = await li.createRoom({ invite: [bo.userId] });
    assert.equal(await isInvited(bo, other), true);
    // Something else crossed the link in the lost hour: that is how it is noticed.
    await li.say(roomId, 'have you seen the invitation');
    await network.settled();
    await putBack(bolt);
    await network.linked('acme.test', 'bolt.test');
    await network.until(() => isInvited(bo, other), 'the invitation is lost');
    await join(bo, other);
    await agree(network, other, [li, bo]);
  });

  it('does not hide from clients what comes after, whatever they had read before', async () => {
    await backUp(acme);
    for (let index = 0; index < 12; index += 1) await li.say(roomId, `li ${index}`);
    await network.settled();
    const since = textAt(await li.sync(), 'next_batch');
    network.cut('acme.test', 'bolt.test');
    await putBack(acme);
    // The numbers of the lost hour are given again: to other events than those that the client knows.
    const others: string[] = [];
    for (let index = 0; index < 40; index += 1) others.push(await li.say(roomId, `again ${index}`));
    const body = await li.sync(since, { filter: JSON.stringify({ room: { timeline: { limit: 100 } } }) });
    const got = listAt(body, 'rooms', 'join', roomId, 'timeline', 'events').map((event) => event['event_id']);
    assert.deepEqual(
      others.filter((eventId) => !got.includes(eventId)),
      [],
    );
  });
});
