import assert from 'node:assert/strict';
import { Client, ok, refused, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork, testPassword } from '../support/test-network.ts';

describe('logging in', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let anybody: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test']);
    island = network.island('acme.test');
    anybody = Client.anonymous(island);
    await Client.create(island, 'alice');
  });

  after(() => network.stop());

  const byPassword = (user: string, password = testPassword) => ({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password,
  });

  it('offers passwords', async () => {
    assert.deepEqual(await ok(anybody.get(v3`/login`)), { flows: [{ type: 'm.login.password' }] });
  });

  it('takes the local part, the whole user id, and the old user field', async () => {
    for (const body of [
      byPassword('alice'),
      byPassword('@alice:acme.test'),
      { type: 'm.login.password', user: 'alice', password: testPassword },
      { type: 'm.login.password', user: '@alice:acme.test', password: testPassword },
    ]) {
      const session = await ok(anybody.post(v3`/login`, body));
      assert.equal(session['user_id'], '@alice:acme.test');
      const who = await ok(Client.of(island, session).get(v3`/account/whoami`));
      assert.deepEqual(who, {
        user_id: '@alice:acme.test',
        device_id: session['device_id'],
        is_guest: false,
      });
    }
  });

  it('refuses a wrong password and an unknown user in the same words', async () => {
    const wrong = await refused(
      403,
      'M_FORBIDDEN',
      anybody.post(v3`/login`, byPassword('alice', 'not this')),
    );
    for (const user of ['nobody', '@nobody:acme.test', '@alice:elsewhere.test']) {
      const unknown = await refused(403, 'M_FORBIDDEN', anybody.post(v3`/login`, byPassword(user)));
      assert.deepEqual(unknown, wrong);
    }
  });
});
