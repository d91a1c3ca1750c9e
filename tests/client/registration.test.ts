import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { JsonObject } from '../../protocol/json.ts';
import { Client, ok, refused, textAt, v3 } from '../support/client.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { TestNetwork } from '../support/test-network.ts';

const password = 'correct horse battery';
const dummy = { type: 'm.login.dummy' };

describe('registration', () => {
  let network: TestNetwork;

  before(async () => {
    network = await TestNetwork.start([]);
    await network.add('closed.test');
    await network.add('open.test', { enableRegistration: true });
  });

  after(() => network.stop());

  describe('as it is by default', () => {
    it('is closed, to users and guests, and tells nothing of names', async () => {
      const anybody = Client.anonymous(network.island('closed.test'));
      const body = { username: 'alice', password, auth: dummy };
      await refused(403, 'M_FORBIDDEN', anybody.post(v3`/register`, body));
      await refused(403, 'M_FORBIDDEN', anybody.post(v3`/register`, {}));
      await refused(403, 'M_FORBIDDEN', anybody.post(`${v3`/register`}?kind=guest`, {}));
      await refused(403, 'M_FORBIDDEN', anybody.get(v3`/register/available`, { username: 'alice' }));
    });
  });

  describe('where it is open', () => {
    let anybody: Client;

    before(() => {
      anybody = Client.anonymous(network.island('open.test'));
    });

    const register = (body: JsonObject) => anybody.post(v3`/register`, body);

    it('asks for the dummy stage and then makes a user who can use the session', async () => {
      const first = await register({ username: 'alice', password });
      assert.equal(first.status, 401);
      assert.deepEqual(first.body['flows'], [{ stages: ['m.login.dummy'] }]);
      const session = textAt(first.body, 'session');
      const again = await register({ username: 'alice', password, auth: { session } });
      assert.equal(again.status, 401);
      assert.equal(again.body['session'], session);

      const done = await ok(
        register({
          username: 'alice',
          password,
          device_id: 'PHONE',
          initial_device_display_name: 'My phone',
          auth: { ...dummy, session },
        }),
      );
      assert.equal(done['user_id'], '@alice:open.test');
      const alice = Client.of(network.island('open.test'), done);
      assert.equal(alice.deviceId, 'PHONE');
      assert.equal((await ok(alice.get(v3`/devices/PHONE`)))['display_name'], 'My phone');
      await Client.logIn(network.island('open.test'), 'alice', { password });
    });

    it('logs nobody in who does not want it', async () => {
      const done = await ok(register({ username: 'quiet', password, inhibit_login: true, auth: dummy }));
      assert.equal(done['user_id'], '@quiet:open.test');
      assert.ok(!('access_token' in done) && !('device_id' in done));
    });

    it('finds a name for who gives none', async () => {
      assert.match(
        textAt(await ok(register({ password, auth: dummy })), 'user_id'),
        /^@[0-9a-f]{16}:open\.test$/,
      );
    });

    it('says before it authenticates that a name is taken or no name, or a password too short', async () => {
      await ok(register({ username: 'taken', password, auth: dummy }));
      await refused(400, 'M_USER_IN_USE', register({ username: 'taken', password }));
      await refused(400, 'M_USER_IN_USE', register({ username: 'taken', password, auth: dummy }));
      for (const username of ['', 'Alice', 'two words', 'ü', 'a:b', '@a', 'x'.repeat(250), 'a\0']) {
        await refused(400, 'M_INVALID_USERNAME', register({ username, password }));
        await refused(400, 'M_INVALID_USERNAME', anybody.get(v3`/register/available`, { username }));
      }
      await refused(400, 'M_WEAK_PASSWORD', register({ username: 'weak', password: '1234567' }));
      await refused(400, 'M_WEAK_PASSWORD', register({ username: 'weak', password: '1234567', auth: dummy }));
      await refused(400, 'M_MISSING_PARAM', register({ username: 'weak', auth: dummy }));
      await refused(400, 'M_INVALID_PARAM', register({ username: 'weak', password: 'x'.repeat(513) }));
    });

    it('says whether a name is free', async () => {
      assert.deepEqual(await ok(anybody.get(v3`/register/available`, { username: 'free' })), {
        available: true,
      });
      await ok(register({ username: 'used', password, auth: dummy }));
      await refused(400, 'M_USER_IN_USE', anybody.get(v3`/register/available`, { username: 'used' }));
      await refused(400, 'M_MISSING_PARAM', anybody.get(v3`/register/available`));
    });

    it('makes one user of two who want the same name at once', async () => {
      const both = await Promise.all([1, 2].map(() => register({ username: 'race', password, auth: dummy })));
      assert.deepEqual(both.map(({ status }) => status).sort(), [200, 400]);
      assert.ok(both.some(({ body }) => body['errcode'] === 'M_USER_IN_USE'));
    });

    it('has no guests and no other kinds', async () => {
      await refused(403, 'M_FORBIDDEN', anybody.post(`${v3`/register`}?kind=guest`, {}));
      await refused(400, 'M_INVALID_PARAM', anybody.post(`${v3`/register`}?kind=robot`, {}));
    });
  });
});

describe('registration with a shared secret', () => {
  const path = '/_synapse/admin/v1/register';
  const secret = 'a shared secret';
  let network: TestNetwork;
  let clock: FakeClock;
  let anybody: Client;

  before(async () => {
    clock = new FakeClock();
    network = await TestNetwork.start(['acme.test'], { registrationSharedSecret: secret, clock });
    anybody = Client.anonymous(network.island('acme.test'));
  });

  after(() => network.stop());

  const nonce = async (): Promise<string> => textAt(await ok(anybody.get(path)), 'nonce');

  const mac = (...parts: string[]): string =>
    createHmac('sha1', secret).update(parts.join('\0')).digest('hex');

  it('makes a user with the HMAC that tools compute', async () => {
    const given = await nonce();
    const done = await ok(
      anybody.post(path, {
        nonce: given,
        username: 'Alice',
        password,
        displayname: 'Alice A.',
        admin: false,
        mac: mac(given, 'Alice', password, 'notadmin'),
      }),
    );
    assert.equal(done['user_id'], '@alice:acme.test');
    assert.equal(done['home_server'], 'acme.test');
    const alice = Client.of(network.island('acme.test'), done);
    assert.equal((await ok(alice.get(v3`/account/whoami`)))['device_id'], done['device_id']);
    assert.deepEqual(await ok(alice.get(v3`/profile/${alice.userId}`)), { displayname: 'Alice A.' });
    await Client.logIn(network.island('acme.test'), 'alice', { password });
  });

  it('makes an admin only of whom the HMAC says so', async () => {
    const given = await nonce();
    const wrong = { nonce: given, username: 'boss', password, admin: true };
    await refused(
      403,
      'M_FORBIDDEN',
      anybody.post(path, { ...wrong, mac: mac(given, 'boss', password, 'notadmin') }),
    );
    const next = await nonce();
    const right = { nonce: next, username: 'boss', password, admin: true };
    await ok(anybody.post(path, { ...right, mac: mac(next, 'boss', password, 'admin') }));
    assert.deepEqual(await network.island('acme.test').homeserver.db.roles.of('boss'), [
      'admin',
      'owner',
      'partner-manager',
      'security',
    ]);
  });

  it('takes the type of a user into the HMAC', async () => {
    const given = await nonce();
    const body = { nonce: given, username: 'robot', password, user_type: 'bot' };
    await refused(
      403,
      'M_FORBIDDEN',
      anybody.post(path, { ...body, mac: mac(given, 'robot', password, 'notadmin') }),
    );
    const next = await nonce();
    const signed = { ...body, nonce: next, mac: mac(next, 'robot', password, 'notadmin', 'bot') };
    assert.equal((await ok(anybody.post(path, signed)))['user_id'], '@robot:acme.test');
    await refused(400, 'M_BAD_JSON', anybody.post(path, { ...signed, user_type: 'something' }));
  });

  it('takes a nonce once, also after a failure, and for a minute', async () => {
    const request = (given: string, username: string): JsonObject => ({
      nonce: given,
      username,
      password,
      mac: mac(given, username, password, 'notadmin'),
    });
    const used = await nonce();
    await ok(anybody.post(path, request(used, 'once')));
    await refused(400, 'M_UNKNOWN', anybody.post(path, request(used, 'twice')));

    const failed = await nonce();
    await refused(403, 'M_FORBIDDEN', anybody.post(path, { ...request(failed, 'wrong'), mac: 'ff' }));
    await refused(400, 'M_UNKNOWN', anybody.post(path, request(failed, 'wrong')));

    const old = await nonce();
    clock.advance(60_001);
    await refused(400, 'M_UNKNOWN', anybody.post(path, request(old, 'late')));
    await refused(400, 'M_UNKNOWN', anybody.post(path, request('made up', 'late')));
  });

  it('refuses what would make two requests have one HMAC, and bad names and passwords', async () => {
    const ask = async (username: string, secretWord: string): Promise<JsonObject> => {
      const given = await nonce();
      const signature = mac(given, username, secretWord, 'notadmin');
      return { nonce: given, username, password: secretWord, mac: signature };
    };
    await refused(400, 'M_INVALID_PARAM', anybody.post(path, await ask('a\0b', password)));
    await refused(400, 'M_INVALID_PARAM', anybody.post(path, await ask('nul', 'correct\0horse')));
    await refused(400, 'M_INVALID_USERNAME', anybody.post(path, await ask('two words', password)));
    await refused(400, 'M_WEAK_PASSWORD', anybody.post(path, await ask('weak', 'short')));
    await ok(anybody.post(path, await ask('taken', password)));
    await refused(400, 'M_USER_IN_USE', anybody.post(path, await ask('taken', password)));
    const { mac: _mac, ...unsigned } = await ask('nomac', password);
    const missing = await refused(400, 'M_MISSING_PARAM', anybody.post(path, unsigned));
    assert.match(String(missing['error']), /mac/);
  });

  it('is not there without a secret', async () => {
    const other = await network.add('secretless.test');
    const client = Client.anonymous(other);
    await refused(404, 'M_UNRECOGNIZED', client.get(path));
    const body = { nonce: 'x', username: 'a', password, mac: mac('x', 'a', password, 'notadmin') };
    await refused(404, 'M_UNRECOGNIZED', client.post(path, body));
  });
});
