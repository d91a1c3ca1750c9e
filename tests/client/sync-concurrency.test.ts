import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, textAt, v3 } from '../support/client.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { idsOf, nextBatch, stateOf, timelineOf } from '../support/sync.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

/** What a client knows of one room from its syncs: every event of the timeline in order, and the state. */
class Follower {
  readonly #client: Client;
  readonly #roomId: string;
  readonly #limit: number;
  readonly events: string[] = [];
  readonly state = new Map<string, JsonObject>();
  since: string | undefined;
  gaps = 0;

  constructor(client: Client, roomId: string, limit: number) {
    this.#client = client;
    this.#roomId = roomId;
    this.#limit = limit;
  }

  /** One sync, the gap before its timeline filled by paging. */
  async step(timeout = 0): Promise<JsonObject> {
    const filter = JSON.stringify({ room: { rooms: [this.#roomId], timeline: { limit: this.#limit } } });
    const before = this.since;
    const sync = await this.#client.sync(before, { timeout, filter });
    this.since = nextBatch(sync);
    for (const section of ['join', 'leave'] as const) {
      const timeline = timelineOf(sync, this.#roomId, section);
      if (at(sync, 'rooms', section, this.#roomId, 'timeline', 'limited') === true) {
        const prevBatch = textAt(sync, 'rooms', section, this.#roomId, 'timeline', 'prev_batch');
        this.events.push(...(await this.#gap(prevBatch, before)));
      }
      this.events.push(...idsOf(timeline));
      for (const event of [...stateOf(sync, this.#roomId, section), ...timeline]) {
        if (typeof event['state_key'] === 'string')
          this.state.set(`${String(event['type'])} ${event['state_key']}`, event);
      }
    }
    return sync;
  }

  /** What lies between two places, oldest first. */
  async #gap(from: string, to: string | undefined): Promise<string[]> {
    this.gaps += 1;
    const found: string[] = [];
    for (let token: string | undefined = from; token !== undefined; ) {
      const body: JsonObject = await ok(
        this.#client.get(v3`/rooms/${this.#roomId}/messages`, { dir: 'b', from: token, to, limit: 20 }),
      );
      found.push(...idsOf(listAt(body, 'chunk')));
      token = typeof body['end'] === 'string' ? body['end'] : undefined;
    }
    return found.reverse();
  }
}

for (const kind of ['sqlite', 'postgres'] as const)
  describe(`/sync while others write, on ${kind}`, () => {
    let network: TestNetwork;
    let island: TestIsland;
    let writers: Client[];
    let reader: Client;

    before(async function () {
      this.timeout(60_000);
      const database = kind === 'postgres' ? { database: await emptyPostgres() } : {};
      network = await TestNetwork.start(['acme.test'], database);
      island = network.island('acme.test');
      writers = await Promise.all(['alice', 'bob', 'carol'].map((name) => Client.create(island, name)));
      reader = await Client.create(island, 'rita');
    });

    after(() => network.stop());

    const roomOfAll = async (options: JsonObject = {}): Promise<string> => {
      const [owner, ...others] = writers;
      assert.ok(owner !== undefined);
      const roomId = await owner.createRoom({
        preset: 'public_chat',
        power_level_content_override: { state_default: 0, events: {} },
        ...options,
      });
      for (const user of others) await ok(user.post(v3`/rooms/${roomId}/join`));
      return roomId;
    };
    /** Each writer sends messages and sets state, some at the same moment as the others. */
    const write = async (roomId: string, rounds: number): Promise<void> => {
      await Promise.all(
        writers.map(async (writer, index) => {
          for (let n = 0; n < rounds; n += 1) {
            const topic = v3`/rooms/${roomId}/state/m.room.topic/`;
            if (n % 5 === index) await ok(writer.put(topic, { topic: `${writer.userId} ${n}` }));
            else if (n % 7 === index)
              await ok(writer.put(v3`/rooms/${roomId}/state/test.of/${`k${index}`}`, { n }));
            else await Promise.all([writer.say(roomId, `${n}`), writer.say(roomId, `${n} too`)]);
          }
        }),
      );
    };
    const historyOf = async (user: Client, roomId: string): Promise<string[]> => {
      const body = await ok(user.get(v3`/rooms/${roomId}/messages`, { dir: 'f', limit: 1000 }));
      return idsOf(listAt(body, 'chunk'));
    };
    const currentState = async (roomId: string): Promise<Map<string, unknown>> => {
      const { json } = await reader.get(v3`/rooms/${roomId}/state`);
      return new Map(
        listAt(json).map((event) => [
          `${String(event['type'])} ${String(event['state_key'])}`,
          event['event_id'],
        ]),
      );
    };
    /** Syncs until the writing is done and everything was seen. */
    const follow = async (follower: Follower, done: Promise<void>): Promise<void> => {
      let isDone = false;
      done.then(
        () => {
          isDone = true;
        },
        () => {
          isDone = true;
        },
      );
      while (!isDone) await follower.step(200);
      await done;
      for (let sync = await follower.step(); 'rooms' in sync; ) sync = await follower.step();
    };

    for (const limit of [1, 3, 100]) {
      it(`loses nothing and doubles nothing with ${limit} events at a time`, async () => {
        const roomId = await roomOfAll();
        await ok(reader.post(v3`/rooms/${roomId}/join`));
        const follower = new Follower(reader, roomId, limit);
        await follower.step();
        await follow(follower, write(roomId, 8));
        assert.deepEqual(follower.events, await historyOf(reader, roomId));
        const state = new Map([...follower.state].map(([key, event]) => [key, event['event_id']]));
        assert.deepEqual(new Map([...state].sort()), new Map([...(await currentState(roomId))].sort()));
        if (limit === 1) assert.ok(follower.gaps > 1);
      });
    }

    it('is right at every step: what was applied so far is the state at that place', async () => {
      const roomId = await roomOfAll();
      await ok(reader.post(v3`/rooms/${roomId}/join`));
      const follower = new Follower(reader, roomId, 2);
      await follower.step();
      const done = write(roomId, 8);
      const snapshots: { seen: number; topic: unknown }[] = [];
      let isDone = false;
      void done.finally(() => {
        isDone = true;
      });
      while (!isDone) {
        await follower.step(200);
        snapshots.push({
          seen: follower.events.length,
          topic: follower.state.get('m.room.topic ')?.['event_id'],
        });
      }
      await done;
      const body = await ok(reader.get(v3`/rooms/${roomId}/messages`, { dir: 'f', limit: 1000 }));
      const history = listAt(body, 'chunk');
      for (const { seen, topic } of snapshots) {
        const expected = history
          .slice(0, seen)
          .filter((event) => event['type'] === 'm.room.topic')
          .at(-1)?.['event_id'];
        assert.equal(topic, expected, `after ${seen} events`);
      }
      assert.ok(snapshots.length > 3);
    });

    it('misses nothing of the time in the room while the reader comes and goes', async () => {
      const roomId = await roomOfAll({
        initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
      });
      const phone = await Client.logIn(island, 'rita');
      await ok(reader.post(v3`/rooms/${roomId}/join`));
      const follower = new Follower(phone, roomId, 4);
      await follower.step();
      const coming = async (): Promise<void> => {
        for (let n = 0; n < 6; n += 1) {
          await ok(reader.post(v3`/rooms/${roomId}/leave`));
          await ok(reader.put(v3`/profile/${reader.userId}/displayname`, { displayname: `Rita ${n}` }));
          await ok(reader.post(v3`/rooms/${roomId}/join`));
          await ok(reader.put(v3`/profile/${reader.userId}/displayname`, { displayname: `Rita ${n}b` }));
        }
      };
      await follow(
        follower,
        Promise.all([write(roomId, 8), coming()]).then(() => undefined),
      );
      const visible = await historyOf(reader, roomId);
      const seen = new Set(follower.events);
      assert.deepEqual(
        visible.filter((id) => !seen.has(id)),
        [],
      );
      const own = follower.state.get(`m.room.member ${reader.userId}`);
      assert.equal(at(own, 'content', 'displayname'), 'Rita 5b');
    });

    it('wakes for an event that comes while it looks: no answer is late', async () => {
      const roomId = await roomOfAll();
      await ok(reader.post(v3`/rooms/${roomId}/join`));
      const [writer] = writers;
      assert.ok(writer !== undefined);
      let since = nextBatch(await reader.sync());
      for (let n = 0; n < 30; n += 1) {
        const started = Date.now();
        const [sync, said]: [JsonObject, string] = await Promise.all([
          reader.sync(since, { timeout: 10_000 }),
          writer.say(roomId, String(n)),
        ]);
        assert.ok(Date.now() - started < 9_000, 'a wake-up was lost');
        assert.deepEqual(idsOf(timelineOf(sync, roomId)), [said]);
        since = nextBatch(sync);
      }
    });

    it('shows an event only when it is on disk: who saw it in a sync finds it after a restart', async () => {
      const roomId = await roomOfAll();
      await ok(reader.post(v3`/rooms/${roomId}/join`));
      const follower = new Follower(reader, roomId, 100);
      await follower.step();
      await follow(follower, write(roomId, 4));
      await network.restart('acme.test');
      assert.deepEqual(await historyOf(reader, roomId), follower.events);
      await write(roomId, 2);
      await follower.step();
      assert.deepEqual(follower.events, await historyOf(reader, roomId));
    });
  });
