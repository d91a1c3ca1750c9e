import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultPartnerPolicy } from '../../policy/partner-policy.ts';
import { at, Client, ok, v3 } from '../support/client.ts';
import { invite, join as joinRoom } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { type TestIsland, TestNetwork, testPassword } from '../support/test-network.ts';

/** Texts that must not stand anywhere beside the messages and files that they belong to. */
const canaries = {
  message: 'canary-message-one',
  denied: 'canary-message-that-is-denied',
  quarantined: 'canary-message-in-quarantine',
  fileName: 'canary-file-name.png',
  fileContent: 'canary-bytes-of-a-file',
  mime: 'canary-parameter',
  topic: 'canary-topic',
  roomName: 'canary-room-name',
  displayName: 'canary-display-name',
  deviceName: 'canary-device-name',
  reason: 'canary-reason-of-a-kick',
  wrongPassword: 'canary-wrong-password',
  newPassword: 'canary-new-password',
  wrongName: 'canary-password-typed-as-a-name',
  visibility: 'canary-history-visibility',
  secret: 'canary-shared-secret',
};

describe('The audit log, the log and the recorded decisions', () => {
  it('hold neither content nor secrets, whatever people do', async function () {
    this.timeout(60_000);
    const network = await TestNetwork.paired(['acme.test', 'bolt.test'], {
      registrationSharedSecret: canaries.secret,
      enableRegistration: true,
    });
    try {
      const [acme, bolt] = [network.island('acme.test'), network.island('bolt.test')];
      const tokens = await liveALittle(network, acme, bolt);
      for (const island of [acme, bolt]) {
        const { homeserver, directory } = island;
        await homeserver.journal.flush();
        homeserver.accounts.flush();
        await homeserver.db.audit.settled();
        const lines = await homeserver.db.audit.page();
        const actions = new Set(lines.map(({ action }) => action));
        if (island === acme)
          for (const action of ['border.deny', 'user.login', 'user.change-password', 'user.logout'])
            assert.ok(actions.has(action), `the log has no ${action}: nothing was looked at`);
        const decisions = await homeserver.db.decisions.page(0);
        assert.ok(decisions.length > 0);
        const everything = JSON.stringify([lines, island.lines, decisions]);
        const seed = readFileSync(join(directory, 'signing.key'), 'utf8').trim().split(/\s+/).at(-1) ?? '';
        assert.ok(seed.length > 20);
        const secrets = [...Object.values(canaries), testPassword, seed, ...tokens];
        for (const secret of secrets)
          assert.ok(!everything.includes(secret), `${secret} stands in ${excerpt(everything, secret)}`);
      }
    } finally {
      await network.stop();
    }
  });
});

function excerpt(text: string, found: string): string {
  const place = text.indexOf(found);
  return text.slice(Math.max(0, place - 300), place + 100);
}

/** Gives the access tokens that were used. */
async function liveALittle(network: TestNetwork, acme: TestIsland, bolt: TestIsland): Promise<string[]> {
  const [li, bo] = [await Client.create(acme, 'li'), await Client.create(bolt, 'bo')];
  await ok(li.put(v3`/profile/${li.userId}/displayname`, { displayname: canaries.displayName }));
  const room = await li.createRoom({
    preset: 'private_chat',
    name: canaries.roomName,
    topic: canaries.topic,
  });
  await invite(li, room, bo);
  await joinRoom(bo, room, ['acme.test']);
  await network.settled();
  await li.say(room, canaries.message);
  await bo.say(room, canaries.message);
  await network.settled();
  let count = 0;
  const send = (client: Client, content: Parameters<Client['put']>[1]) => {
    count += 1;
    return client.put(v3`/rooms/${room}/send/m.room.message/${`canary${count}`}`, content);
  };
  const upload = async (client: Client): Promise<string> => {
    const headers = { 'content-type': `image/png; name=${canaries.mime}` };
    const path = `/_matrix/media/v3/upload?filename=${canaries.fileName}`;
    const answer = await ok(client.request('POST', path, { raw: canaries.fileContent, headers }));
    return String(at(answer, 'content_uri'));
  };
  setPolicy(acme, 'bolt.test', {
    files: { direction: 'none' },
    events: { deny: ['m.sticker'] },
    share: { presence: false, typing: false, receipts: false, device_names: false },
    rooms: { ...defaultPartnerPolicy.rooms, maxRemotePowerLevel: 0, historyVisibility: ['joined'] },
  });
  const info = { mimetype: `image/png; name=${canaries.mime}`, size: 10 };
  const file = (url: string, body: string) => ({
    msgtype: 'm.file',
    body,
    filename: canaries.fileName,
    url,
    info,
  });
  assert.equal((await send(li, file(await upload(li), canaries.denied))).status, 403);
  assert.equal((await send(bo, file(await upload(bo), canaries.quarantined))).status, 200);
  const visibility = v3`/rooms/${room}/state/m.room.history_visibility/`;
  assert.equal((await li.put(visibility, { history_visibility: canaries.visibility })).status, 403);
  await ok(bo.put(v3`/rooms/${room}/typing/${bo.userId}`, { typing: true, timeout: 1_000 }));
  await network.settled();
  await li.post(v3`/rooms/${room}/kick`, { user_id: bo.userId, reason: canaries.reason });
  const anonymous = Client.anonymous(acme);
  for (const [user, password] of [
    ['li', canaries.wrongPassword],
    [canaries.wrongName, 'x'],
  ])
    await anonymous.post('/_matrix/client/v3/login', {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: user ?? '' },
      password: password ?? '',
      initial_device_display_name: canaries.deviceName,
    });
  const second = await Client.logIn(acme, 'li');
  const auth = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: 'li' },
    password: testPassword,
  };
  await ok(second.post('/_matrix/client/v3/account/password', { auth, new_password: canaries.newPassword }));
  const third = await Client.logIn(acme, 'li', { password: canaries.newPassword });
  await ok(third.post('/_matrix/client/v3/logout', {}));
  await anonymous.post('/_matrix/client/v3/register', {
    auth: { type: 'm.login.dummy' },
    username: 'ann',
    password: canaries.newPassword,
  });
  await acme.homeserver.partnerActions.suspend('bolt.test', { by: 'test' });
  await acme.homeserver.partnerActions.resume('bolt.test', { by: 'test' });
  await network.settled();
  return [li, bo, second, third].flatMap(({ accessToken }) => accessToken ?? []);
}
