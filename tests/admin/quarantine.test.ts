import assert from 'node:assert/strict';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { invite, join, textsOf } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';
import { administrator, api, auditOf } from './support.ts';

describe('quarantine', function () {
  this.timeout(60_000);

  let network: TestNetwork;
  let acme: TestIsland;
  let security: Client;
  let li: Client;
  let bo: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { adminApi: true });
    acme = network.island('acme.test');
    security = await administrator(acme, 'sec', ['security']);
    li = await Client.create(acme, 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await bo.createRoom({ preset: 'private_chat' });
    await invite(bo, roomId, li);
    await join(li, roomId, ['bolt.test']);
    setPolicy(acme, 'bolt.test', { events: { deny: ['m.room.message', 'm.room.topic'] } });
    await bo.say(roomId, 'held back');
    await ok(bo.put(v3`/rooms/${roomId}/state/m.room.topic/`, { topic: 'a held topic' }));
    await network.settled();
  });

  after(() => network.stop());

  async function listed() {
    const events = listAt(await ok(security.get(`${api}/quarantine`)), 'events');
    return events.filter((event) => /^m\.room\.(message|topic)$/.test(String(event['type'])));
  }

  it('is listed with who, where and why, and without what is in it', async () => {
    const events = await listed();
    assert.deepEqual(
      events.map((event) => [
        event['type'],
        event['sender'],
        event['room_id'],
        at(event, 'violations', 0, 'code'),
      ]),
      [
        ['m.room.topic', bo.userId, roomId, 'event_type_denied'],
        ['m.room.message', bo.userId, roomId, 'event_type_denied'],
      ],
    );
    assert.doesNotMatch(JSON.stringify(events), /held/);
  });

  it('gives an event free that an admin releases, and says so in the audit log', async () => {
    assert.deepEqual(await textsOf(li, roomId), []);
    const [topic, message] = (await listed()).map((event) => textAt(event, 'event_id'));
    const release = (id = '') => security.post(`${api}/quarantine/${encodeURIComponent(id)}/release`);
    await ok(release(message));
    assert.deepEqual(await textsOf(li, roomId), ['held back']);
    const stateOf = async () => (await ok(li.get(v3`/rooms/${roomId}/state/m.room.topic/`)))['topic'];
    assert.equal(await stateOf(), undefined);
    await ok(release(topic));
    assert.equal(await stateOf(), 'a held topic');
    const whole = JSON.stringify(await ok(li.get(v3`/sync`, {})));
    assert.match(whole, /held back/);
    assert.match(whole, /a held topic/);
    assert.deepEqual(await listed(), []);
    await refused(404, 'M_NOT_FOUND', release(message));
    await refused(404, 'M_NOT_FOUND', release('$nothing'));
    const lines = (await auditOf(acme)).filter(({ action }) => action === 'quarantine.release');
    assert.deepEqual(
      lines.map(({ outcome, actor, subject, detail }) => [outcome, actor, subject, detail?.['room']]),
      [
        ['done', security.userId, message, roomId],
        ['done', security.userId, topic, roomId],
        ['failed', security.userId, message, undefined],
        ['failed', security.userId, '$nothing', undefined],
      ],
    );
  });

  it('stays released after a restart, and the room goes on', async () => {
    setPolicy(acme, 'bolt.test', {});
    await bo.say(roomId, 'after');
    await network.settled();
    await network.restart('acme.test');
    await network.linked('acme.test', 'bolt.test');
    assert.deepEqual(await textsOf(li, roomId), ['held back', 'after']);
    await li.say(roomId, 'an answer');
    await network.settled();
    assert.deepEqual(await textsOf(bo, roomId), ['held back', 'after', 'an answer']);
  });
});
