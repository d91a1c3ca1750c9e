import assert from 'node:assert/strict';
import { Client, ok, refused } from '../support/client.ts';
import { TestNetwork, testPassword } from '../support/test-network.ts';

describe('what people do with their accounts, in the audit log', () => {
  let network: TestNetwork;

  before(async () => {
    network = await TestNetwork.start(['acme.test'], { enableRegistration: true });
  });

  after(() => network.stop());

  /** The lines that are new since a number, as `action outcome actor`. */
  async function linesSince(seq: number): Promise<{ short: string; detail: unknown; subject: unknown }[]> {
    const { audit } = network.island('acme.test').homeserver.db;
    await audit.settled();
    return (await audit.page({ after: seq })).map(({ action, outcome, actor, detail, subject }) => ({
      short: `${action} ${outcome} ${actor}`,
      detail,
      subject,
    }));
  }

  async function head(): Promise<number> {
    const { audit } = network.island('acme.test').homeserver.db;
    await audit.settled();
    return (await audit.head())?.seq ?? 0;
  }

  const shorts = (lines: { short: string }[]) => lines.map(({ short }) => short);

  it('has a line for each login, new device or known, and each logout', async () => {
    const acme = network.island('acme.test');
    await Client.create(acme, 'li');
    const before = await head();
    const phone = await Client.logIn(acme, 'li', { deviceId: 'PHONE' });
    const again = await Client.logIn(acme, 'li', { deviceId: 'PHONE' });
    await ok(again.post('/_matrix/client/v3/logout', {}));
    const third = await Client.logIn(acme, 'li');
    await ok(third.post('/_matrix/client/v3/logout/all', {}));
    const lines = await linesSince(before);
    const user = phone.userId;
    assert.deepEqual(shorts(lines), [
      `user.login done ${user}`,
      `user.login done ${user}`,
      `user.logout done ${user}`,
      `user.login done ${user}`,
      `user.logout done ${user}`,
    ]);
    assert.deepEqual(lines[0]?.detail, { device: 'PHONE', new_device: true, address: '127.0.0.1' });
    assert.deepEqual(lines[1]?.detail, { device: 'PHONE', new_device: false, address: '127.0.0.1' });
    assert.deepEqual(lines[2]?.detail, { devices: ['PHONE'] });
    assert.deepEqual(lines[4]?.detail, { devices: 'all' });
  });

  it('has one line for many failed logins, and does not say what was typed where a name belongs', async () => {
    const acme = network.island('acme.test');
    const anonymous = Client.anonymous(acme);
    const before = await head();
    const attempt = (user: string) =>
      anonymous.post('/_matrix/client/v3/login', {
        type: 'm.login.password',
        identifier: { type: 'm.id.user', user },
        password: 'wrong',
      });
    for (let index = 0; index < 3; index++) await refused(403, 'M_FORBIDDEN', attempt('li'));
    await refused(403, 'M_FORBIDDEN', attempt('my-secret-password'));
    acme.homeserver.accounts.flush();
    const lines = await linesSince(before);
    assert.deepEqual(
      lines.map(({ short, subject, detail }) => [short, subject, detail]),
      [
        ['user.login denied anonymous', '@li:acme.test', { address: '127.0.0.1' }],
        ['user.login denied anonymous', undefined, { address: '127.0.0.1' }],
        ['user.login denied anonymous', '@li:acme.test', { address: '127.0.0.1', times: 2 }],
      ],
    );
  });

  it('has a line for a registration, a new password, removed devices and a deactivation', async () => {
    const acme = network.island('acme.test');
    const before = await head();
    const session = await ok(
      Client.anonymous(acme).post('/_matrix/client/v3/register', {
        auth: { type: 'm.login.dummy' },
        username: 'ann',
        password: testPassword,
      }),
    );
    const user = String(session['user_id']);
    const ann = await Client.logIn(acme, 'ann');
    const auth = (password: string) => ({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user },
      password,
    });
    const change = { new_password: 'another password', logout_devices: false };
    const path = '/_matrix/client/v3/account/password';
    await refused(401, 'M_FORBIDDEN', ann.post(path, { ...change, auth: auth('wrong') }));
    await ok(ann.post(path, { ...change, auth: auth(testPassword) }));
    const devices = [String(session['device_id']), 'NOBODYS'];
    const right = auth('another password');
    await ok(ann.post('/_matrix/client/v3/delete_devices', { devices, auth: right }));
    await ok(ann.post('/_matrix/client/v3/account/deactivate', { auth: right }));
    const lines = await linesSince(before);
    assert.deepEqual(shorts(lines), [
      `user.register done ${user}`,
      `user.login done ${user}`,
      `user.login done ${user}`,
      `user.confirm denied ${user}`,
      `user.change-password done ${user}`,
      `user.logout done ${user}`,
      `user.deactivate done ${user}`,
    ]);
    assert.deepEqual(lines[0]?.detail, { address: '127.0.0.1', admin: false, shared_secret: false });
    assert.deepEqual(lines[5]?.detail, { devices: [session['device_id']] });
  });
});
