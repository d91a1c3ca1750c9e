import assert from 'node:assert/strict';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('what clients keep on their island', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let alice: Client;
  let bob: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    island = network.island('acme.test');
    alice = await Client.create(island, 'alice');
    bob = await Client.create(island, 'bob');
    roomId = await alice.createRoom();
  });

  after(() => network.stop());

  const global = (type: string, userId = alice.userId): string => v3`/user/${userId}/account_data/${type}`;
  const inRoom = (type: string, room = roomId, userId = alice.userId): string =>
    v3`/user/${userId}/rooms/${room}/account_data/${type}`;

  describe('account data', () => {
    it('is written, read and replaced, globally and by room, each for itself', async () => {
      const values: JsonObject[] = [
        { a: 1, b: [true, null, 'ü'], 'c.d': { 'e\u0000f': 0.5 } },
        {},
        { theme: 'dark' },
      ];
      for (const path of [global('org.example/x y'), inRoom('org.example/x y'), global('org.example')]) {
        await refused(404, 'M_NOT_FOUND', alice.get(path));
        for (const value of values) {
          assert.deepEqual(await ok(alice.put(path, value)), {});
          assert.deepEqual(await ok(alice.get(path)), value);
        }
      }
      await refused(404, 'M_NOT_FOUND', alice.get(inRoom('org.example')));
    });

    it('comes with /sync, the first time and when it changes', async () => {
      const { next_batch } = await alice.sync();
      await ok(alice.put(global('org.example.sync'), { n: 1 }));
      await ok(alice.put(inRoom('org.example.sync'), { n: 2 }));
      const update = await alice.sync(String(next_batch));
      const wanted = (type: string, content: JsonObject) => [{ type, content }];
      assert.deepEqual(at(update, 'account_data', 'events'), wanted('org.example.sync', { n: 1 }));
      const room = at(update, 'rooms', 'join', roomId, 'account_data', 'events');
      assert.deepEqual(room, wanted('org.example.sync', { n: 2 }));
      const whole = listAt(await alice.sync(), 'account_data', 'events').map(({ type }) => type);
      assert.ok(whole.includes('org.example.sync') && whole.includes('m.push_rules'));
    });

    it('is for its user alone', async () => {
      for (const path of [global('org.example'), inRoom('org.example')]) {
        await refused(403, 'M_FORBIDDEN', bob.get(path));
        await refused(403, 'M_FORBIDDEN', bob.put(path, {}));
        await refused(401, 'M_MISSING_TOKEN', Client.anonymous(island).get(path));
      }
    });

    it('does not take what the server keeps itself', async () => {
      for (const type of ['m.fully_read', 'm.push_rules']) {
        await refused(405, 'M_BAD_JSON', alice.put(global(type), { event_id: '$a' }));
        await refused(405, 'M_BAD_JSON', alice.put(inRoom(type), { event_id: '$a' }));
      }
      const rules = await ok(alice.get(v3`/pushrules/`));
      assert.deepEqual(await ok(alice.get(global('m.push_rules'))), rules);
    });

    it('must be an object, of a room if of any', async () => {
      const bodies: JsonValue[] = [[], 'x', 1, null];
      for (const body of bodies) await refused(400, 'M_BAD_JSON', alice.put(global('org.example'), body));
      const notJson = alice.request('PUT', global('org.example'), { raw: '{' });
      await refused(400, 'M_NOT_JSON', notJson);
      for (const room of ['room', '@alice:acme.test', '!']) {
        await refused(400, 'M_INVALID_PARAM', alice.put(inRoom('org.example', room), {}));
        await refused(400, 'M_INVALID_PARAM', alice.get(inRoom('org.example', room)));
        await refused(400, 'M_INVALID_PARAM', alice.get(v3`/user/${alice.userId}/rooms/${room}/tags`));
      }
    });
  });

  describe('tags', () => {
    const tags = (tag?: string): string =>
      tag === undefined
        ? v3`/user/${alice.userId}/rooms/${roomId}/tags`
        : v3`/user/${alice.userId}/rooms/${roomId}/tags/${tag}`;

    it('are put, listed, removed, and are account data of the room', async () => {
      assert.deepEqual(await ok(alice.get(tags())), { tags: {} });
      assert.deepEqual(await ok(alice.put(tags('m.favourite'), { order: 0.25 })), {});
      assert.deepEqual(await ok(alice.put(tags('u.Work/Life'), {})), {});
      const both = { 'm.favourite': { order: 0.25 }, 'u.Work/Life': {} };
      assert.deepEqual(await ok(alice.get(tags())), { tags: both });
      assert.deepEqual(await ok(alice.get(inRoom('m.tag'))), { tags: both });
      assert.deepEqual(await ok(alice.delete(tags('u.Work/Life'))), {});
      assert.deepEqual(await ok(alice.get(tags())), { tags: { 'm.favourite': { order: 0.25 } } });
      await ok(alice.delete(tags('u.nothing')));
      await refused(400, 'M_BAD_JSON', alice.put(tags('m.favourite'), { order: 'first' }));
    });

    it('that are put at the same moment are all kept', async () => {
      const names = Array.from({ length: 40 }, (_, index) => `u.tag${index}`).sort();
      await Promise.all(names.map((name) => alice.put(tags(name), {})));
      const { tags: kept } = await ok(alice.get(tags()));
      assert.deepEqual(
        Object.keys(kept ?? {})
          .filter((name) => name.startsWith('u.'))
          .sort(),
        names,
      );
    });

    it('are for their user alone', async () => {
      await refused(403, 'M_FORBIDDEN', bob.get(tags()));
      await refused(403, 'M_FORBIDDEN', bob.put(tags('m.favourite'), {}));
      await refused(403, 'M_FORBIDDEN', bob.delete(tags('m.favourite')));
    });
  });

  describe('filters', () => {
    const path = (userId = alice.userId): string => v3`/user/${userId}/filter`;

    it('are kept and given back, and named so that a client can tell them from JSON', async () => {
      const filter = {
        room: { timeline: { limit: 5, types: ['m.room.*'], lazy_load_members: true }, include_leave: true },
        presence: { not_types: ['*'] },
        event_format: 'client',
        event_fields: ['type', 'content.body'],
      };
      const id = textAt(await ok(alice.post(path(), filter)), 'filter_id');
      assert.ok(!id.startsWith('{'));
      assert.deepEqual(await ok(alice.get(v3`/user/${alice.userId}/filter/${id}`)), filter);
      const other = textAt(await ok(alice.post(path(), {})), 'filter_id');
      assert.notEqual(other, id);
      assert.deepEqual(await ok(alice.get(v3`/user/${alice.userId}/filter/${other}`)), {});
    });

    it('that choose fields of events give those, and what makes an event', async () => {
      await ok(
        alice.put(v3`/rooms/${roomId}/state/m.room.topic/`, { topic: 'fields', extra: { a: 1, b: 2 } }),
      );
      const filter = {
        event_fields: ['content.extra.a'],
        room: { timeline: { types: ['m.room.topic'] }, state: { limit: 0 } },
        account_data: { types: ['m.push_rules'] },
      };
      const update = await alice.sync(undefined, { filter: JSON.stringify(filter) });
      const [event] = listAt(update, 'rooms', 'join', roomId, 'timeline', 'events').slice(-1);
      assert.deepEqual(Object.keys(event ?? {}).sort(), [
        'content',
        'event_id',
        'origin_server_ts',
        'sender',
        'state_key',
        'type',
      ]);
      assert.deepEqual(event?.['content'], { extra: { a: 1 } });
      const rules = listAt(update, 'account_data', 'events');
      assert.deepEqual(rules, [{ type: 'm.push_rules', content: {} }]);
    });

    it('are for their user alone', async () => {
      const id = textAt(await ok(alice.post(path(), {})), 'filter_id');
      await refused(403, 'M_FORBIDDEN', bob.get(v3`/user/${alice.userId}/filter/${id}`));
      await refused(403, 'M_FORBIDDEN', bob.post(path(), {}));
      await refused(404, 'M_NOT_FOUND', alice.get(v3`/user/${alice.userId}/filter/nothing`));
      await refused(404, 'M_NOT_FOUND', bob.get(v3`/user/${bob.userId}/filter/nothing`));
    });

    it('must be filters', async () => {
      const wrong: JsonValue[] = [
        { room: { timeline: { limit: 'many' } } },
        { room: { rooms: '!a:acme.test' } },
        { presence: { types: 'x' } },
        { event_fields: 'type' },
        { event_format: 'other' },
        { account_data: [] },
        { room: { state: { types: [7] } } },
        [],
      ];
      for (const filter of wrong) {
        const { status, body } = await alice.post(path(), filter);
        assert.deepEqual([status, body['errcode']], [400, 'M_BAD_JSON'], JSON.stringify(filter));
      }
      await refused(400, 'M_NOT_JSON', alice.request('POST', path(), { raw: 'filter' }));
    });
  });

  describe('push rules', () => {
    it('are the default ones, whole, by kind and one by one', async () => {
      const rules = await ok(alice.get(v3`/pushrules/`));
      const kinds = ['override', 'content', 'room', 'sender', 'underride'];
      assert.deepEqual(Object.keys(rules['global'] ?? {}).sort(), [...kinds].sort());
      assert.deepEqual(await ok(alice.get(v3`/pushrules/global/`)), rules['global']);
      let count = 0;
      for (const kind of kinds) {
        for (const rule of listAt(rules, 'global', kind)) {
          count += 1;
          const id = textAt(rule, 'rule_id');
          const one = v3`/pushrules/global/${kind}/${id}`;
          assert.deepEqual(await ok(alice.get(one)), rule);
          assert.deepEqual(await ok(alice.get(`${one}/enabled`)), { enabled: rule['enabled'] });
          assert.deepEqual(await ok(alice.get(`${one}/actions`)), { actions: rule['actions'] });
          assert.equal(rule['default'], true);
        }
      }
      assert.ok(count > 10);
      const mention = await ok(alice.get(v3`/pushrules/global/override/.m.rule.is_user_mention`));
      assert.ok(JSON.stringify(mention).includes('@alice:acme.test'));
    });

    it('are not found under other names, and not changed yet', async () => {
      await refused(404, 'M_NOT_FOUND', alice.get(v3`/pushrules/global/override/nothing`));
      await refused(404, 'M_NOT_FOUND', alice.get(v3`/pushrules/global/override/nothing/enabled`));
      await refused(400, 'M_INVALID_PARAM', alice.get(v3`/pushrules/global/nothing/.m.rule.master`));
      const master = v3`/pushrules/global/override/.m.rule.master`;
      await refused(405, 'M_UNRECOGNIZED', alice.put(`${master}/enabled`, { enabled: true }));
      await refused(405, 'M_UNRECOGNIZED', alice.put(master, { actions: [] }));
      await refused(405, 'M_UNRECOGNIZED', alice.delete(master));
    });
  });
});
