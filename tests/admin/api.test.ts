import assert from 'node:assert/strict';
import { roles } from '../../server/admin/roles.ts';
import { at, Client, listAt, ok, refused, textAt } from '../support/client.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';
import { administrator, api, auditOf } from './support.ts';

const password = 'a canary in a coal mine';

describe('The admin API', () => {
  let network: TestNetwork;
  let island: TestIsland;
  let owner: Client;
  let nobody: Client;

  before(async () => {
    network = await TestNetwork.start(['acme.test'], { adminApi: true });
    island = network.island('acme.test');
    owner = await administrator(island, 'olga', roles);
    nobody = await administrator(island, 'nobody', []);
  });

  after(() => network.stop());

  /** The last line of the audit log without its number, time and hashes. */
  async function lastLine() {
    const { action, outcome, actor, subject, detail } = (await auditOf(island)).at(-1) ?? assert.fail('none');
    return { action, outcome, actor, subject, detail };
  }

  it('takes the token of a user from the header alone', async () => {
    const anybody = Client.anonymous({ port: island.adminPort });
    await refused(401, 'M_MISSING_TOKEN', anybody.get(`${api}/users`));
    await refused(401, 'M_MISSING_TOKEN', anybody.get(`${api}/users`, { access_token: owner.accessToken }));
    const headers = { authorization: 'Bearer arc_wrong' };
    await refused(401, 'M_UNKNOWN_TOKEN', anybody.request('GET', `${api}/users`, { headers }));
    const both = owner.get(`${api}/users`, { access_token: owner.accessToken });
    assert.match(textAt(await refused(400, 'M_INVALID_PARAM', both), 'error'), /no parameter access_token/);
  });

  it('is on no listener without the resource, and says of other paths that there is nothing', async () => {
    const elsewhere = Client.of(island, { access_token: owner.accessToken ?? '' });
    await refused(404, 'M_UNRECOGNIZED', elsewhere.get(`${api}/users`));
    await refused(404, 'M_UNRECOGNIZED', owner.get(`${api}/nothing`));
    await refused(404, 'M_UNRECOGNIZED', owner.get('/_matrix/client/versions'));
    const { headers } = await owner.delete(`${api}/users`);
    assert.deepEqual(String(headers['allow']).split(', ').sort(), ['GET', 'POST']);
    assert.equal((await owner.request('OPTIONS', `${api}/users/a/roles/owner`)).status, 200);
  });

  it('makes a user, who signs in at once, and keeps the password to itself', async () => {
    const made = await ok(owner.post(`${api}/users`, { user: 'ann', password }));
    assert.deepEqual(made, { user_id: '@ann:acme.test' });
    await Client.logIn(island, 'ann', { password });
    await refused(409, 'ORG.ARCHIPELAGO.CONFLICT', owner.post(`${api}/users`, { user: 'ann', password }));
    assert.deepEqual(await lastLine(), {
      action: 'user.add',
      outcome: 'failed',
      actor: '@olga:acme.test',
      subject: '@ann:acme.test',
      detail: { user: 'ann', error: 'The user name ann is taken' },
    });
    await owner.post(`${api}/users/ann/password`, { password: `${password} 2` });
    await owner.post(`${api}/users`, { user: 'Bad Name', password });
    await nobody.post(`${api}/users`, { user: 'eve', password });
    await owner.post(`${api}/users`, { user: 'eve', password, pasword: password });
    assert.doesNotMatch(JSON.stringify(await auditOf(island)), /canary/);
    assert.doesNotMatch(JSON.stringify(island.lines), /canary/);
  });

  it('says which parameter is wrong', async () => {
    const wrong = async (
      path: string,
      body: Record<string, string | boolean>,
      param: string,
      why: RegExp,
    ) => {
      const answer = await refused(400, 'M_INVALID_PARAM', owner.post(path, body));
      assert.equal(answer['org.archipelago.param'], param);
      assert.match(textAt(answer, 'error'), why);
    };
    await wrong(`${api}/users`, { user: 'x' }, 'password', /The parameter password is missing/);
    await wrong(`${api}/users`, { user: 'x', password, admin: 'yes' }, 'admin', /admin must be boolean/);
    await wrong(`${api}/users`, { user: 'x', password, name: 'X' }, 'name', /There is no parameter name/);
    const page = await refused(400, 'M_INVALID_PARAM', owner.get(`${api}/audit`, { limit: 0 }));
    assert.equal(page['org.archipelago.param'], 'limit');
    await refused(400, 'M_INVALID_PARAM', owner.get(`${api}/audit`, { limit: '1e2' }));
    await refused(400, 'M_BAD_JSON', owner.request('GET', `${api}/audit?limit=1&limit=2`));
    await refused(400, 'M_BAD_JSON', owner.post(`${api}/users/ann/deactivate`, { user: 'bob' }));
    await refused(400, 'M_NOT_JSON', owner.request('POST', `${api}/users`, { raw: '{' }));
    const raw = JSON.stringify({ user: 'x', password: 'x'.repeat(1024 * 1024) });
    await refused(413, 'M_TOO_LARGE', owner.request('POST', `${api}/users`, { raw }));
  });

  it('decodes what stands in a path once', async () => {
    await ok(owner.post(`${api}/users`, { user: 'a/b', password }));
    await ok(owner.put(`${api}/users/${encodeURIComponent('@a/b:acme.test')}/roles/support`));
    assert.deepEqual(await island.homeserver.db.roles.of('a/b'), ['support']);
    const twice = encodeURIComponent(encodeURIComponent('a/b'));
    const answer = await refused(404, 'M_NOT_FOUND', owner.put(`${api}/users/${twice}/roles/support`));
    assert.match(textAt(answer, 'error'), /There is no user @a%2Fb:acme\.test/);
    await refused(400, 'M_INVALID_PARAM', owner.put(`${api}/users/@ann:bolt.test/roles/support`));
  });

  it('refuses by role, says which is needed, and writes it down', async () => {
    const support = await administrator(island, 'sue', ['support']);
    assert.ok(listAt(await ok(support.get(`${api}/users`)), 'users').length > 3);
    assert.deepEqual(await lastLine(), {
      action: 'user.list',
      outcome: 'done',
      actor: '@sue:acme.test',
      subject: undefined,
      detail: undefined,
    });
    const answer = await refused(403, 'M_FORBIDDEN', support.post(`${api}/users/ann/deactivate`));
    assert.equal(answer['error'], 'user.deactivate needs the role admin or security');
    assert.deepEqual(await lastLine(), {
      action: 'user.deactivate',
      outcome: 'denied',
      actor: '@sue:acme.test',
      subject: '@ann:acme.test',
      detail: { error: answer['error'] },
    });
  });

  it('merges the refused calls of somebody without a role, so that they cannot fill the audit log', async () => {
    const eve = await administrator(island, 'flood', []);
    const before = (await auditOf(island)).length;
    for (let call = 0; call < 20; call += 1)
      await refused(403, 'M_FORBIDDEN', eve.post(`${api}/users/ann/deactivate`));
    const lines = (await auditOf(island)).slice(before);
    assert.deepEqual(
      lines.map(({ action, outcome, actor }) => [action, outcome, actor]),
      [['user.deactivate', 'denied', eve.userId]],
    );
    // Not from memory alone: the number is written when the minute is over, or the island stops.
    await network.restart('acme.test');
    const counted = (await auditOf(island)).filter(
      ({ action, actor }) => action === 'user.deactivate' && actor === eve.userId,
    );
    assert.deepEqual(
      counted.map(({ detail }) => detail?.['times']),
      [undefined, 19],
    );
  });

  it('shows the sessions of a user, and ends them', async () => {
    const support = await administrator(island, 'sam', ['support']);
    await ok(owner.post(`${api}/users`, { user: 'cat', password }));
    const phone = await Client.logIn(island, 'cat', { password, deviceId: 'PHONE' });
    const desk = await Client.logIn(island, 'cat', { password, deviceId: 'DESK' });
    const whoami = '/_matrix/client/v3/account/whoami';
    const sessions = listAt(await ok(support.get(`${api}/users/cat/sessions`)), 'sessions');
    assert.deepEqual(sessions.map((session) => session['device_id']).sort(), ['DESK', 'PHONE']);
    const ended = await ok(support.post(`${api}/users/cat/logout`, { device_id: 'PHONE' }));
    assert.deepEqual(ended, { user_id: '@cat:acme.test', sessions: 1 });
    await refused(401, 'M_UNKNOWN_TOKEN', phone.get(whoami));
    await ok(desk.get(whoami));
    assert.deepEqual(await lastLine(), {
      action: 'user.logout',
      outcome: 'done',
      actor: '@sam:acme.test',
      subject: '@cat:acme.test',
      detail: { devices: ['PHONE'] },
    });
    await refused(404, 'M_NOT_FOUND', support.post(`${api}/users/cat/logout`, { device_id: 'PHONE' }));
    await ok(support.post(`${api}/users/cat/logout`));
    await refused(401, 'M_UNKNOWN_TOKEN', desk.get(whoami));
    await refused(403, 'M_FORBIDDEN', support.post(`${api}/users/olga/logout`));
    await ok(owner.get(`${api}/users`));
  });

  it('takes roles given and taken away into account at the next request', async () => {
    const ben = await administrator(island, 'ben', []);
    await refused(403, 'M_FORBIDDEN', ben.get(`${api}/audit`));
    const given = await ok(owner.put(`${api}/users/ben/roles/auditor`));
    assert.deepEqual(given, { user_id: '@ben:acme.test', roles: ['auditor'], changed: true });
    await ok(ben.get(`${api}/audit`));
    await ok(owner.delete(`${api}/users/ben/roles/auditor`));
    await refused(403, 'M_FORBIDDEN', ben.get(`${api}/audit`));
    await ok(owner.put(`${api}/users/ben/roles/auditor`));
    await ok(owner.post(`${api}/users/ben/deactivate`));
    await refused(401, 'M_UNKNOWN_TOKEN', ben.get(`${api}/audit`));
    assert.deepEqual(await island.homeserver.db.roles.of('ben'), []);
  });

  it('lets nobody make an owner who is none, nor take over who has a role', async () => {
    const admin = await administrator(island, 'adam', ['admin', 'security']);
    await refused(403, 'M_FORBIDDEN', admin.post(`${api}/users`, { user: 'x', password, admin: true }));
    await refused(403, 'M_FORBIDDEN', admin.put(`${api}/users/adam/roles/owner`));
    await refused(403, 'M_FORBIDDEN', admin.post(`${api}/users/olga/password`, { password }));
    await refused(403, 'M_FORBIDDEN', admin.post(`${api}/users/olga/deactivate`));
    await ok(owner.get(`${api}/users`));
    await ok(admin.post(`${api}/users/ann/password`, { password }));
  });

  it('leaves an owner, whoever asks at the same time', async () => {
    const other = await administrator(island, 'oscar', ['owner', 'admin']);
    const answers = await Promise.all([
      owner.delete(`${api}/users/oscar/roles/owner`),
      other.delete(`${api}/users/olga/roles/owner`),
      Client.of(island, { access_token: owner.accessToken ?? '' }).get('/_matrix/client/v3/account/whoami'),
    ]);
    const rolesOf = await island.homeserver.db.roles.all();
    const owners = [...rolesOf].filter(([, roles]) => roles.includes('owner')).map(([name]) => name);
    assert.equal(owners.length, 1, JSON.stringify(answers.map(({ body }) => body)));
    const [left = ''] = owners;
    const last = left === 'olga' ? owner : other;
    const answer = await refused(
      409,
      'ORG.ARCHIPELAGO.CONFLICT',
      last.delete(`${api}/users/${left}/roles/owner`),
    );
    assert.match(textAt(answer, 'error'), /is the only owner of this island/);
    await refused(409, 'ORG.ARCHIPELAGO.CONFLICT', last.post(`${api}/users/${left}/deactivate`));
    // Of their own accord neither.
    const client = Client.of(island, { access_token: last.accessToken ?? '' });
    const deactivate = '/_matrix/client/v3/account/deactivate';
    const session = at((await client.post(deactivate)).body, 'session') ?? null;
    const identifier = { type: 'm.id.user', user: left };
    const auth = { type: 'm.login.password', identifier, password: 'a test password', session };
    await refused(403, 'M_FORBIDDEN', client.post(deactivate, { auth }));
    await ok(last.put(`${api}/users/${left === 'olga' ? 'oscar' : 'olga'}/roles/owner`));
  });

  it('gives the audit log to its end, though reading it adds to it', async () => {
    const auditor = await administrator(island, 'alf', ['auditor']);
    const all = await auditOf(island);
    const seen: unknown[] = [];
    for (let after: number | null = 0; after !== null; ) {
      const page = await ok(auditor.get(`${api}/audit`, { after, limit: 10 }));
      seen.push(...listAt(page, 'lines'));
      after = typeof page['next'] === 'number' ? page['next'] : null;
    }
    assert.deepEqual(seen.slice(0, all.length), JSON.parse(JSON.stringify(all)));
    const verdict = await ok(auditor.get(`${api}/audit/verify`));
    assert.equal(verdict['fault'], null);
    await refused(403, 'M_FORBIDDEN', auditor.post(`${api}/config/reload`));
  });
});
