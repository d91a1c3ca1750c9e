import assert from 'node:assert/strict';
import { copyFile, rm } from 'node:fs/promises';
import { until } from '../support/until.ts';
import { pair, settled, sharedRoom, type TestIsland } from './support/island.ts';

describe('a restored backup', () => {
  let a: TestIsland;
  let b: TestIsland;
  let roomId: string;
  const sent: string[] = [];

  beforeEach(async () => {
    sent.length = 0;
    [a, b] = await pair();
    roomId = await sharedRoom(a, b);
  });

  afterEach(async () => {
    await a.remove();
    await b.remove();
  });

  async function say(island: TestIsland, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const { eventId } = await island.engine.send({
        userId: island.user(island === a ? 'alice' : 'bob'),
        roomId,
        type: 'm.room.message',
        content: { msgtype: 'm.text', body: `${island.serverName} ${sent.length}` },
      });
      sent.push(eventId);
    }
  }

  async function backup(island: TestIsland): Promise<void> {
    await island.stop();
    await copyFile(island.databasePath, `${island.databasePath}.backup`);
    await island.start();
  }

  async function restore(island: TestIsland): Promise<void> {
    await island.stop();
    for (const suffix of ['-wal', '-shm']) await rm(`${island.databasePath}${suffix}`, { force: true });
    await copyFile(`${island.databasePath}.backup`, island.databasePath);
    await island.start();
  }

  async function linked(): Promise<void> {
    await until(
      () =>
        a.federation.link.status('b.test').state === 'connected' &&
        b.federation.link.status('a.test').state === 'connected',
    );
  }

  async function assertSame(): Promise<void> {
    await linked();
    await until(async () => {
      await settled(a, b);
      const counts = await Promise.all([a, b].map(async (island) => (await island.engine.events(sent)).size));
      return counts.every((count) => count === sent.length);
    });
    for (const island of [a, b]) {
      const events = await island.engine.events(sent);
      for (const event of events.values())
        assert.ok(!event.rejected && event.streamPos !== null, event.eventId);
    }
    const states = await Promise.all([a, b].map(async (island) => (await island.engine.view(roomId))?.state));
    const ids = states.map((state) => [...(state ?? [])].map(([, event]) => event.eventId).sort());
    assert.deepEqual(ids[0], ids[1]);
  }

  it('of the sender loses nothing that the partner has, and its link goes on', async () => {
    await say(a, 3);
    await settled(a, b);
    await backup(a);
    await linked();
    await say(a, 12);
    await settled(a, b);
    await restore(a);
    await assertSame();
    await say(a, 2);
    await say(b, 2);
    await assertSame();
    assert.ok(a.alarms('restored').some((line) => line['who'] === 'us'));
    assert.ok(b.alarms('restored').some((line) => line['who'] === 'partner'));
  });

  it('of the receiver is filled again by the partner', async () => {
    await say(a, 3);
    await settled(a, b);
    await backup(b);
    await linked();
    await say(a, 12);
    await say(b, 3);
    await settled(a, b);
    await restore(b);
    await assertSame();
    await say(a, 2);
    await say(b, 2);
    await assertSame();
    assert.ok(a.alarms('restored').some((line) => line['who'] === 'partner'));
  });

  it('of a side that only received is seen by what it acknowledged', async () => {
    await say(a, 3);
    await settled(a, b);
    await backup(b);
    await linked();
    await say(a, 12);
    await settled(a, b);
    await restore(b);
    await assertSame();
  });

  it('of a side that had never sent anything since changes nothing', async () => {
    await say(a, 1);
    await settled(a, b);
    await backup(a);
    await restore(a);
    await assertSame();
    assert.deepEqual([...a.alarms('restored'), ...b.alarms('restored')], []);
  });

  it('does not come into it when a link is only cut', async () => {
    for (let round = 0; round < 5; round++) {
      await Promise.all([say(a, 5), say(b, 5)]);
      a.federation.link.cut('b.test');
    }
    await assertSame();
    assert.deepEqual([...a.alarms('restored'), ...b.alarms('restored')], []);
  });
});
