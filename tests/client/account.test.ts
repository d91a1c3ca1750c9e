import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { type Answer, Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork, testPassword } from '../support/test-network.ts';

describe('the account of a user', () => {
  let network: TestNetwork;
  let island: TestIsland;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    island = network.island('acme.test');
  });

  after(() => network.stop());

  const auth = (user: string, password = testPassword): JsonObject => ({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password,
  });

  const whoami = (client: Client): Promise<Answer> => client.get(v3`/account/whoami`);

  /** What every request must do that asks for the password again. */
  const asksForThePassword = (
    name: string,
    request: (client: Client, body: JsonObject) => Promise<Answer>,
  ): void => {
    it(`asks for the password again before it ${name}`, async () => {
      const client = await Client.create(island, name.replaceAll(' ', '-'));
      const first = await request(client, {});
      assert.equal(first.status, 401);
      assert.deepEqual(first.body['flows'], [{ stages: ['m.login.password'] }]);
      assert.equal(first.body['errcode'], undefined);
      const { session = '' } = first.body;

      const wrong = await request(client, { auth: { ...auth(client.userId, 'not this'), session } });
      assert.deepEqual([wrong.status, wrong.body['errcode']], [401, 'M_FORBIDDEN']);
      assert.equal(wrong.body['session'], session);
      const dummy = await request(client, { auth: { type: 'm.login.dummy', session } });
      assert.deepEqual([dummy.status, dummy.body['errcode']], [401, 'M_UNRECOGNIZED']);
      assert.equal((await request(client, { auth: { session } })).status, 401);
      const other = await Client.create(island, `${name.replaceAll(' ', '-')}-other`);
      await refused(403, 'M_FORBIDDEN', request(client, { auth: auth(other.userId) }));
      await refused(400, 'M_MISSING_PARAM', request(client, { auth: { type: 'm.login.password', session } }));
      await refused(400, 'M_BAD_JSON', request(client, { auth: 'password' }));
      await ok(whoami(client));

      await ok(request(client, { auth: { ...auth(client.userId), session } }));
    });
  };

  asksForThePassword('changes the password', (client, body) =>
    client.post(v3`/account/password`, { new_password: 'another password', ...body }),
  );
  asksForThePassword('deactivates', (client, body) => client.post(v3`/account/deactivate`, body));
  asksForThePassword('deletes a device', (client, body) => client.delete(v3`/devices/X`, body));
  asksForThePassword('deletes devices', (client, body) =>
    client.post(v3`/delete_devices`, { devices: ['X'], ...body }),
  );

  it('changes the password and logs out the other devices, unless told to keep them', async () => {
    const laptop = await Client.create(island, 'changer');
    const phone = await Client.logIn(island, 'changer');
    const kept = { new_password: 'the second password', logout_devices: false, auth: auth('changer') };
    assert.deepEqual(await ok(laptop.post(v3`/account/password`, kept)), {});
    await ok(whoami(phone));

    const next = {
      new_password: 'the third password',
      auth: auth('@changer:acme.test', 'the second password'),
    };
    await ok(laptop.post(v3`/account/password`, next));
    await ok(whoami(laptop));
    await refused(401, 'M_UNKNOWN_TOKEN', whoami(phone));
    await Client.logIn(island, 'changer', { password: 'the third password' });
    const old = Client.anonymous(island).post(v3`/login`, auth('changer', 'the second password'));
    await refused(403, 'M_FORBIDDEN', old);
  });

  it('takes the name of the user in the old way, or none, when it asks for the password', async () => {
    const client = await Client.create(island, 'brief');
    const type = 'm.login.password';
    const rename = (given: JsonObject) =>
      client.post(v3`/account/password`, { new_password: testPassword, auth: { type, ...given } });
    await ok(rename({ user: 'brief', password: testPassword }));
    await ok(rename({ password: testPassword }));
  });

  it('refuses a new password that is short or missing before it asks for the old one', async () => {
    const client = await Client.create(island, 'weakling');
    await refused(400, 'M_WEAK_PASSWORD', client.post(v3`/account/password`, { new_password: 'short' }));
    await refused(400, 'M_MISSING_PARAM', client.post(v3`/account/password`, {}));
    await refused(401, 'M_MISSING_TOKEN', Client.anonymous(island).post(v3`/account/password`, {}));
  });

  it('is gone once deactivated: no session, no login, no profile, and nobody else gets the name', async () => {
    const client = await Client.create(island, 'leaver');
    const phone = await Client.logIn(island, 'leaver');
    await ok(client.put(v3`/profile/${client.userId}/displayname`, { displayname: 'Leaver' }));
    assert.deepEqual(await ok(client.post(v3`/account/deactivate`, { auth: auth('leaver') })), {
      id_server_unbind_result: 'success',
    });
    for (const session of [client, phone]) await refused(401, 'M_UNKNOWN_TOKEN', whoami(session));
    const anybody = Client.anonymous(island);
    await refused(403, 'M_FORBIDDEN', anybody.post(v3`/login`, auth('leaver')));
    await refused(404, 'M_NOT_FOUND', anybody.get(v3`/profile/${client.userId}`));
    await assert.rejects(Client.create(island, 'leaver'), /taken/);
  });

  it('has no third-party identifiers', async () => {
    const client = await Client.create(island, 'plain');
    assert.deepEqual(await ok(client.get(v3`/account/3pid`)), { threepids: [] });
  });

  describe('with devices', () => {
    it('lists, shows and renames them, and only its own', async () => {
      const laptop = await Client.create(island, 'owner');
      const phone = await Client.logIn(island, 'owner', { deviceId: 'A/B C' });
      const other = await Client.create(island, 'neighbour');
      const { devices } = await ok(laptop.get(v3`/devices`));
      assert.deepEqual(
        listAt(devices)
          .map((device) => device['device_id'])
          .sort(),
        [laptop.deviceId, 'A/B C'].sort(),
      );
      assert.deepEqual(await ok(laptop.put(v3`/devices/${'A/B C'}`, { display_name: 'Phone' })), {});
      const shown = await ok(phone.get(v3`/devices/${'A/B C'}`));
      assert.deepEqual([shown['device_id'], shown['display_name']], ['A/B C', 'Phone']);
      assert.equal(shown['last_seen_ip'], '127.0.0.1');
      assert.ok(Math.abs(Number(shown['last_seen_ts']) - Date.now()) < 60_000);

      for (const path of [v3`/devices/${other.deviceId}`, v3`/devices/NONE`]) {
        await refused(404, 'M_NOT_FOUND', laptop.get(path));
        await refused(404, 'M_NOT_FOUND', laptop.put(path, { display_name: 'mine' }));
      }
      const long = { display_name: 'x'.repeat(256) };
      await refused(400, 'M_BAD_JSON', laptop.put(v3`/devices/${laptop.deviceId}`, long));
      // Nothing to change is no error.
      await ok(laptop.put(v3`/devices/${laptop.deviceId}`, {}));
    });

    it('ends the sessions of those that it deletes, and no other user’s', async () => {
      const laptop = await Client.create(island, 'deleter');
      const [phone, tablet] = [await Client.logIn(island, 'deleter'), await Client.logIn(island, 'deleter')];
      const other = await Client.create(island, 'bystander');
      assert.deepEqual(
        await ok(laptop.delete(v3`/devices/${phone.deviceId}`, { auth: auth('deleter') })),
        {},
      );
      await refused(401, 'M_UNKNOWN_TOKEN', whoami(phone));
      await ok(whoami(tablet));
      const devices = [tablet.deviceId, other.deviceId, 'NONE'];
      await ok(laptop.post(v3`/delete_devices`, { devices, auth: auth('deleter') }));
      await refused(401, 'M_UNKNOWN_TOKEN', whoami(tablet));
      await ok(whoami(other));
      await ok(whoami(laptop));
      await refused(400, 'M_MISSING_PARAM', laptop.post(v3`/delete_devices`, { auth: auth('deleter') }));
    });
  });
});
