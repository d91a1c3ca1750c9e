import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { formatSyncToken, parseSyncToken } from '../../server/sync/token.ts';
import { at, Client, ok, textAt, v3 } from '../support/client.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { idsOf, nextBatch, roomsIn, stateOf, textsOf, timelineOf } from '../support/sync.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

/**
 * The moment in which a change is on disk, for every reader to see, and nobody has been told of it yet. Calls of /sync
 * that come right then see the database and the rooms in memory ahead of the place up to which they read.
 */
for (const kind of ['sqlite', 'postgres'] as const)
  describe(`/sync in the moment of a commit, on ${kind}`, () => {
    let network: TestNetwork;
    let island: TestIsland;
    let alice: Client;
    let bob: Client;
    /** Called once, in the next such moment. */
    let inTheMoment: (() => void) | undefined;

    before(async function () {
      this.timeout(60_000);
      const database = kind === 'postgres' ? { database: await emptyPostgres() } : {};
      network = await TestNetwork.start(['acme.test'], {
        ...database,
        failPoint: (name) => {
          if (name !== 'event-stored') return;
          const run = inTheMoment;
          inTheMoment = undefined;
          run?.();
        },
      });
      island = network.island('acme.test');
      alice = await Client.create(island, 'alice');
      bob = await Client.create(island, 'bob');
    });

    after(() => network.stop());

    /** What a call of Bob's gets that comes in the moment in which `change` is stored. */
    const syncDuring = async (
      change: () => Promise<unknown>,
      options: { since?: string; timeout?: number } = {},
    ): Promise<JsonObject> => {
      const { sync } = island.homeserver;
      const answer = new Promise<JsonObject>((resolve, reject) => {
        inTheMoment = () => {
          sync
            .sync({
              userId: bob.userId,
              deviceId: bob.deviceId,
              since: options.since === undefined ? undefined : parseSyncToken(options.since),
              filter: {},
              timeout: options.timeout ?? 0,
              fullState: false,
              useStateAfter: false,
              signal: new AbortController().signal,
            })
            .then(resolve, reject);
        };
      });
      await change();
      return answer;
    };
    const setName = (roomId: string, name: string) =>
      ok(alice.put(v3`/rooms/${roomId}/state/m.room.name/`, { name }));
    const roomOfBoth = async (): Promise<string> => {
      const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Before' });
      await ok(bob.post(v3`/rooms/${roomId}/join`));
      return roomId;
    };
    const names = (sync: JsonObject, roomId: string) =>
      [...stateOf(sync, roomId), ...timelineOf(sync, roomId)]
        .filter(({ type }) => type === 'm.room.name')
        .map(({ content }) => at(content, 'name'));

    it('shows no state from after its place, in a first sync or a later one', async () => {
      const roomId = await roomOfBoth();
      const first = await syncDuring(() => setName(roomId, 'After'));
      assert.deepEqual(names(first, roomId), ['Before']);
      const second = await bob.sync(nextBatch(first));
      assert.deepEqual(names(second, roomId), ['After']);
      await ok(alice.put(v3`/rooms/${roomId}/state/m.room.topic/`, { topic: 'x' }));
      const later = await syncDuring(() => setName(roomId, 'Later'), { since: nextBatch(second) });
      assert.deepEqual(names(later, roomId), []);
      assert.deepEqual(names(await bob.sync(nextBatch(later)), roomId), ['Later']);
    });

    it('keeps what was said before somebody left, and shows their leaving once', async () => {
      const roomId = await roomOfBoth();
      const since = nextBatch(await bob.sync());
      await alice.say(roomId, 'last words');
      // What is remembered of Bob's rooms is thrown away, so that they are read in the moment.
      const other = await roomOfBoth();
      const sync = await syncDuring(() => ok(bob.post(v3`/rooms/${roomId}/leave`)), { since });
      const next = await bob.sync(nextBatch(sync));
      const seen = [sync, next].flatMap((answer) => [
        ...timelineOf(answer, roomId),
        ...timelineOf(answer, roomId, 'leave'),
      ]);
      assert.deepEqual(textsOf(seen), ['last words']);
      assert.equal(seen.length, 2);
      assert.equal(seen[1]?.['state_key'], bob.userId);
      assert.equal([sync, next].filter((answer) => roomsIn(answer, 'leave').includes(roomId)).length, 1);
      assert.equal([sync, next].filter((answer) => roomsIn(answer, 'join').includes(other)).length, 1);
    });

    it('shows a join in the moment of it once, and all that comes after', async () => {
      const roomId = await alice.createRoom({ preset: 'public_chat' });
      const since = nextBatch(await bob.sync());
      await roomOfBoth();
      const sync = await syncDuring(() => ok(bob.post(v3`/rooms/${roomId}/join`)), { since });
      const said = await alice.say(roomId, 'welcome');
      const next = await bob.sync(nextBatch(sync));
      const ids = [sync, next].flatMap((answer) => idsOf(timelineOf(answer, roomId)));
      assert.equal(ids.filter((id) => id === said).length, 1);
      assert.equal(new Set(ids).size, ids.length);
      assert.ok([sync, next].some((answer) => roomsIn(answer, 'join').includes(roomId)));
    });

    it('is woken by what is announced while it looks', async () => {
      const roomId = await roomOfBoth();
      const since = nextBatch(await bob.sync());
      const started = Date.now();
      let said = '';
      const sync = await syncDuring(
        async () => {
          said = await alice.say(roomId, 'now');
        },
        { since, timeout: 15_000 },
      );
      assert.ok(Date.now() - started < 12_000, 'the wake-up was lost');
      assert.deepEqual(idsOf(timelineOf(sync, roomId)), [said]);
    });

    it('counts what is unread as of its place, and loses no receipt that comes just then', async () => {
      const roomId = await roomOfBoth();
      const said = await alice.say(roomId, 'one');
      const count = (answer: JsonObject) =>
        at(answer, 'rooms', 'join', roomId, 'unread_notifications', 'notification_count');
      const sync = await syncDuring(() => alice.say(roomId, 'two'));
      assert.equal(count(sync), 1);
      await ok(bob.post(v3`/rooms/${roomId}/receipt/m.read/${said}`));
      assert.equal(count(await bob.sync(nextBatch(sync))), 1);
      assert.equal(count(await bob.sync()), 1);
    });

    it('starts anew from a token of the future: the database was restored', async () => {
      const roomId = await roomOfBoth();
      const { boot } = parseSyncToken(nextBatch(await bob.sync()));
      const sync = await bob.sync(formatSyncToken({ position: 1_000_000_000, typing: 0, boot }));
      assert.ok(roomsIn(sync, 'join').includes(roomId));
      assert.equal(timelineOf(sync, roomId)[0]?.['type'], 'm.room.create');
      assert.ok(parseSyncToken(textAt(sync, 'next_batch')).position < 1_000_000_000);
    });
  });
