import assert from 'node:assert/strict';
import { Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { invite, join } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';
import { administrator, api, auditOf } from './support.ts';

describe('A policy that names a department', function () {
  this.timeout(60_000);

  let network: TestNetwork;
  let acme: TestIsland;
  let owner: Client;
  let li: Client;
  let ann: Client;
  let bo: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { adminApi: true });
    acme = network.island('acme.test');
    owner = await administrator(acme, 'olga', ['owner', 'admin']);
    li = await Client.create(acme, 'li');
    ann = await Client.create(acme, 'ann');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    setPolicy(acme, 'bolt.test', { allowLocal: [{ department: 'purchasing' }] });
    roomId = String((await ok(bo.post(v3`/createRoom`, {})))['room_id']);
  });

  after(() => network.stop());

  it('lets exactly its people talk, from the moment on when they are in it', async () => {
    await refused(403, 'M_FORBIDDEN', bo.post(v3`/rooms/${roomId}/invite`, { user_id: li.userId }));
    const put = await ok(owner.put(`${api}/users/li/departments/purchasing`));
    assert.deepEqual(put, { user_id: li.userId, departments: ['purchasing'], changed: true });
    await invite(bo, roomId, li);
    await join(li, roomId, ['bolt.test']);
    await ok(li.put(v3`/rooms/${roomId}/send/m.room.message/1`, { msgtype: 'm.text', body: 'hello' }));
    await refused(403, 'M_FORBIDDEN', bo.post(v3`/rooms/${roomId}/invite`, { user_id: ann.userId }));
  });

  it('lets nobody who has left it', async () => {
    await ok(owner.put(`${api}/users/ann/departments/purchasing`));
    await ok(owner.delete(`${api}/users/li/departments/purchasing`));
    const message = { msgtype: 'm.text', body: 'still here?' };
    await refused(403, 'M_FORBIDDEN', li.put(v3`/rooms/${roomId}/send/m.room.message/2`, message));
    await invite(bo, roomId, ann);
    assert.deepEqual(listAt(await ok(owner.get(`${api}/departments`)), 'departments'), [
      { department: 'purchasing', users: [ann.userId] },
    ]);
  });

  it('goes by the same after a restart, and the audit log says who changed what', async () => {
    await network.restart('acme.test');
    await network.linked('acme.test', 'bolt.test');
    assert.deepEqual(acme.homeserver.people.person(ann.userId).departments, ['purchasing']);
    assert.deepEqual(acme.homeserver.people.person(li.userId).departments, []);
    const lines = (await auditOf(acme)).filter(({ action }) => /^department\.(add|remove)$/.test(action));
    assert.deepEqual(
      lines.map(({ action, actor, subject, detail }) => [action, actor, subject, detail?.['department']]),
      [
        ['department.add', owner.userId, li.userId, 'purchasing'],
        ['department.add', owner.userId, ann.userId, 'purchasing'],
        ['department.remove', owner.userId, li.userId, 'purchasing'],
      ],
    );
  });
});
