import assert from 'node:assert/strict';
import { at, Client, ok, refused, textAt, v3 } from '../support/client.ts';
import { type TestIsland, TestNetwork, testPassword } from '../support/test-network.ts';

describe('logging in and out', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let anybody: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test'], { publicBaseurl: 'https://matrix.acme.test' });
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
      assert.equal(at(session, 'well_known', 'm.homeserver', 'base_url'), 'https://matrix.acme.test');
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
    for (const user of [
      'nobody',
      '@nobody:acme.test',
      '@alice:elsewhere.test',
      'a\0b',
      '',
      '@',
      '#alice:acme.test',
    ]) {
      const unknown = await refused(403, 'M_FORBIDDEN', anybody.post(v3`/login`, byPassword(user)));
      assert.deepEqual(unknown, wrong);
    }
  });

  it('takes as long to refuse an unknown user as a wrong password', async () => {
    const fastest = async (user: string): Promise<number> => {
      const times: number[] = [];
      for (let count = 0; count < 5; count++) {
        const start = performance.now();
        await refused(403, 'M_FORBIDDEN', anybody.post(v3`/login`, byPassword(user, 'not this')));
        times.push(performance.now() - start);
      }
      return Math.min(...times);
    };
    // Without the hash, an unknown user is refused about twenty times faster.
    assert.ok((await fastest('nobody')) > (await fastest('alice')) / 3);
  });

  it('says what is missing or not understood', async () => {
    const login = v3`/login`;
    await refused(400, 'M_MISSING_PARAM', anybody.post(login, {}));
    await refused(400, 'M_UNKNOWN', anybody.post(login, { type: 'm.login.token', token: 'x' }));
    await refused(400, 'M_MISSING_PARAM', anybody.post(login, { type: 'm.login.password', password: 'x' }));
    const { type, identifier } = byPassword('alice');
    await refused(400, 'M_MISSING_PARAM', anybody.post(login, { type, identifier }));
    await refused(400, 'M_BAD_JSON', anybody.post(login, { ...byPassword('alice'), password: 7 }));
    const other = { ...byPassword('alice'), identifier: { type: 'org.other', user: 'alice' } };
    await refused(400, 'M_UNKNOWN', anybody.post(login, other));
  });

  it('knows nobody by e-mail address or telephone number', async () => {
    const password = testPassword;
    for (const identifier of [
      { type: 'm.id.thirdparty', medium: 'email', address: 'alice@acme.test' },
      { type: 'm.id.phone', country: 'DE', phone: '123' },
    ]) {
      const body = { type: 'm.login.password', identifier, password };
      await refused(403, 'M_FORBIDDEN', anybody.post(v3`/login`, body));
    }
    const old = { type: 'm.login.password', medium: 'email', address: 'alice@acme.test', password };
    await refused(403, 'M_FORBIDDEN', anybody.post(v3`/login`, old));
  });

  it('gives a device that logs in again a new token, ends the old one and keeps its name', async () => {
    const body = { ...byPassword('alice'), device_id: 'LAPTOP', initial_device_display_name: 'My laptop' };
    const first = Client.of(island, await ok(anybody.post(v3`/login`, body)));
    assert.equal(first.deviceId, 'LAPTOP');
    const again = { ...body, initial_device_display_name: 'Another name' };
    const second = Client.of(island, await ok(anybody.post(v3`/login`, again)));
    assert.notEqual(second.accessToken, first.accessToken);
    await refused(401, 'M_UNKNOWN_TOKEN', first.get(v3`/account/whoami`));
    assert.equal((await ok(second.get(v3`/devices/LAPTOP`)))['display_name'], 'My laptop');
  });

  it('refuses device ids and names that are too long', async () => {
    const long = 'x'.repeat(256);
    await refused(
      400,
      'M_INVALID_PARAM',
      anybody.post(v3`/login`, { ...byPassword('alice'), device_id: long }),
    );
    await refused(
      400,
      'M_INVALID_PARAM',
      anybody.post(v3`/login`, { ...byPassword('alice'), device_id: '' }),
    );
    const named = { ...byPassword('alice'), initial_device_display_name: long };
    await refused(400, 'M_BAD_JSON', anybody.post(v3`/login`, named));
  });

  it('ends one session, or all', async () => {
    const [one, two, three] = await Promise.all([1, 2, 3].map(() => Client.logIn(island, 'alice')));
    assert.ok(one && two && three);
    assert.deepEqual(await ok(one.post(v3`/logout`)), {});
    const gone = await refused(401, 'M_UNKNOWN_TOKEN', one.get(v3`/account/whoami`));
    assert.equal(gone['soft_logout'], false);
    await ok(two.get(v3`/account/whoami`));
    await refused(404, 'M_NOT_FOUND', two.get(v3`/devices/${one.deviceId}`));
    assert.deepEqual(await ok(two.post(v3`/logout/all`)), {});
    for (const client of [two, three]) await refused(401, 'M_UNKNOWN_TOKEN', client.get(v3`/account/whoami`));
  });

  it('knows a user whose name was typed in capitals', async () => {
    assert.equal(
      textAt(await ok(anybody.post(v3`/login`, byPassword('Alice'))), 'user_id'),
      '@alice:acme.test',
    );
  });

  it('takes the token from the header or, as all released versions allow, from the query', async () => {
    const alice = await Client.logIn(island, 'alice');
    const token = alice.accessToken ?? '';
    await ok(anybody.get(v3`/account/whoami`, { access_token: token }));
    await refused(401, 'M_MISSING_TOKEN', anybody.get(v3`/account/whoami`));
    await refused(401, 'M_MISSING_TOKEN', anybody.get(v3`/account/whoami`, { access_token: '' }));
    const unknown = await refused(
      401,
      'M_UNKNOWN_TOKEN',
      anybody.get(v3`/account/whoami`, { access_token: 'x' }),
    );
    assert.equal(unknown['soft_logout'], false);
    for (const authorization of ['Basic abc', 'Bearer', 'Bearer  ', `Bearer ${token} more`]) {
      const answer = anybody.request('GET', v3`/account/whoami`, { headers: { authorization } });
      await refused(401, 'M_MISSING_TOKEN', answer);
    }
    assert.ok(!JSON.stringify(island.lines).includes(token), 'the token is in the log');
  });
});
