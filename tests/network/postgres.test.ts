import assert from 'node:assert/strict';

import { at, Client, listAt, ok, textAt, v1, v3 } from '../support/client.ts';
import {
  agree,
  hasBeginning,
  inGraphOrder,
  invitation,
  join,
  leave,
  membershipOf,
  moderate,
  seen,
  setState,
  textsOf,
} from '../support/conversation.ts';
import { emptyPostgres } from '../support/postgres.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('an island on PostgreSQL and one on SQLite', () => {
  let network: TestNetwork;
  let li: Client;
  let pia: Client;
  let roomId: string;

  before(async function () {
    this.timeout(60_000);
    network = await TestNetwork.start(['acme.test']);
    await network.add('postgres.test', { database: await emptyPostgres() });
    await network.pair('acme.test', 'postgres.test');
    li = await Client.create(network.island('acme.test'), 'li');
    pia = await Client.create(network.island('postgres.test'), 'pia');
  });

  after(() => network.stop());

  it('share a room from either side, by invitation and by alias, and chat', async () => {
    roomId = await li.createRoom({ name: 'Desk', invite: [pia.userId] });
    assert.ok((await invitation(pia, roomId)).length > 0);
    await join(pia, roomId);
    const lobby = await pia.createRoom({ preset: 'public_chat', room_alias_name: 'lobby' });
    assert.equal(await join(li, '#lobby:postgres.test'), lobby);
    for (const room of [roomId, lobby]) {
      for (const client of [li, pia, li, pia]) {
        await client.say(room, `from ${client.userId}`);
        await network.settled();
      }
      await agree(network, room, [li, pia]);
      assert.equal((await textsOf(li, room)).length, 4);
      assert.deepEqual(await textsOf(pia, room), await textsOf(li, room));
    }
  });

  it('exchange files, profiles, receipts, typing and redactions', async () => {
    const upload = await ok(
      pia.request('POST', '/_matrix/media/v3/upload?filename=a.txt', {
        raw: Buffer.from('a file'),
        headers: { 'content-type': 'text/plain' },
      }),
    );
    const mediaId = textAt(upload, 'content_uri').replace('mxc://postgres.test/', '');
    for (const client of [li, pia]) {
      const file = await client.get(v1`/media/download/${'postgres.test'}/${mediaId}`);
      assert.equal(file.bytes.toString(), 'a file');
    }
    await ok(pia.put(v3`/profile/${pia.userId}/displayname`, { displayname: 'Pia\u0000 of Postgres' }));
    assert.equal(at(await ok(pia.get(v3`/profile/${pia.userId}`)), 'displayname'), 'Pia\u0000 of Postgres');
    // Ours see where she is, and no characters that could hide it.
    const shown = await ok(li.get(v3`/profile/${pia.userId}`));
    assert.equal(at(shown, 'displayname'), 'Pia of Postgres (postgres.test)');
    const eventId = await li.say(roomId, 'read and forget me');
    await network.settled();
    await ok(pia.post(v3`/rooms/${roomId}/receipt/m.read/${eventId}`));
    await ok(pia.put(v3`/rooms/${roomId}/typing/${pia.userId}`, { typing: true, timeout: 20_000 }));
    const ephemeral = (body: Parameters<typeof at>[0]) =>
      listAt(body, 'rooms', 'join', roomId, 'ephemeral', 'events');
    await seen(
      li,
      (body) =>
        ephemeral(body).find((event) => at(event, 'content', eventId, 'm.read', pia.userId) !== undefined),
      'no receipt',
    );
    await ok(li.put(v3`/rooms/${roomId}/redact/${eventId}/1`));
    await network.settled();
    for (const client of [li, pia])
      assert.ok(!(await textsOf(client, roomId)).includes('read and forget me'));
  });

  it('are whole again after a cut, with conflicting changes on both sides, and after restarts', async () => {
    await setState(li, roomId, 'm.room.power_levels', {
      users: { [pia.userId]: 60 },
      events: { 'm.room.topic': 50 },
    });
    await agree(network, roomId, [li, pia]);
    network.cut('acme.test', 'postgres.test');
    for (const client of [li, pia]) {
      await setState(client, roomId, 'm.room.topic', { topic: `of ${client.userId}` });
      for (let index = 0; index < 3; index += 1) await client.say(roomId, `${client.userId} apart ${index}`);
    }
    network.heal('acme.test', 'postgres.test');
    await network.linked('acme.test', 'postgres.test');
    await agree(network, roomId, [li, pia]);
    await network.restart('postgres.test', async () => {
      await li.say(roomId, 'while you were down');
    });
    await network.linked('acme.test', 'postgres.test');
    await pia.say(roomId, 'up again');
    await agree(network, roomId, [li, pia]);
    const texts = (await textsOf(li, roomId)).sort();
    assert.deepEqual((await textsOf(pia, roomId)).sort(), texts);
    assert.ok(texts.includes('while you were down') && texts.includes('up again'));
    await inGraphOrder(pia, network.island('postgres.test'), roomId);
  });

  it('read history back, leave, ban and reject', async () => {
    const archive = await li.createRoom({ preset: 'public_chat' });
    for (let index = 0; index < 30; index += 1) await li.say(archive, `old ${index}`);
    await join(pia, archive, ['acme.test']);
    await network.settled();
    assert.equal((await textsOf(pia, archive)).length, 30);
    assert.ok(await hasBeginning(pia, archive));
    await leave(pia, archive);
    await network.settled();
    assert.equal(await membershipOf(li, archive, pia.userId), 'leave');
    await moderate(li, 'ban', archive, pia.userId);
    assert.equal((await pia.post(`${v3`/join/${archive}`}?via=acme.test`)).status, 403);
    const other = await li.createRoom({ invite: [pia.userId] });
    await leave(pia, other);
    await network.settled();
    assert.equal(await membershipOf(li, other, pia.userId), 'leave');
  });
});
