import assert from 'node:assert/strict';
import { Client, ok, refused, v3 } from '../support/client.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { TestNetwork } from '../support/test-network.ts';

const minuteMs = 60_000;

describe('A partnership whose contract ends while the islands run', () => {
  const clock = new ShiftableClock();
  let network: TestNetwork;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { clock });
  });

  after(() => network.stop());

  it('is suspended at that moment without a reload: the link closes, and nothing can be sent any more', async () => {
    const acme = network.island('acme.test');
    const alice = await Client.create(acme, 'alice');
    const bob = await Client.create(network.island('bolt.test'), 'bob');
    const { room_id: room } = await ok(alice.post(v3`/createRoom`, { invite: [bob.userId] }));
    assert.ok(typeof room === 'string');
    await network.settled();
    await ok(bob.post(v3`/join/${room}`, {}));
    await ok(alice.put(v3`/rooms/${room}/send/m.room.message/1`, { msgtype: 'm.text', body: 'before' }));
    const end = clock.now() + minuteMs;
    acme.setPartners(acme.partners.map((partner) => ({ ...partner, validUntil: end })));
    const { link } = acme.homeserver.federation;
    assert.equal(link.status('bolt.test').state, 'connected');
    await clock.hurry(network.until(() => clock.now() >= end - minuteMs / 2, 'time stands still'));
    assert.equal(acme.homeserver.partners.isActive('bolt.test'), true);
    await clock.hurry(network.until(() => clock.now() >= end, 'time stands still'));
    await network.until(() => link.status('bolt.test').state !== 'connected', 'the link does not close');
    assert.equal(acme.homeserver.partners.isActive('bolt.test'), false);
    const sent = alice.put(v3`/rooms/${room}/send/m.room.message/2`, { msgtype: 'm.text', body: 'after' });
    await refused(403, 'M_FORBIDDEN', sent);
  });
});
