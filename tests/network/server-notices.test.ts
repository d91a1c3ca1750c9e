import assert from 'node:assert/strict';
import type { JsonObject } from '../../protocol/json.ts';
import { Homeserver } from '../../server/homeserver.ts';
import { at, Client, listAt, ok, refused, textAt, v3 } from '../support/client.ts';
import { timelineOf as historyOf, invitation, invite, join, leave } from '../support/conversation.ts';
import { realClock, realRandom, recordingLog } from '../support/runtime.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { eventOf, roomsIn } from '../support/sync.ts';
import { TestNetwork, testPassword } from '../support/test-network.ts';
import { until } from '../support/until.ts';

const system = '@notices:acme.test';

describe('server notices', function () {
  this.timeout(30_000);

  let clock: ShiftableClock;
  let network: TestNetwork;
  let li: Client;
  let ann: Client;
  let bo: Client;
  let roomId: string;

  beforeEach(async () => {
    clock = new ShiftableClock();
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { clock });
    const acme = network.island('acme.test');
    li = await Client.create(acme, 'li');
    ann = await Client.create(acme, 'ann');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
  });

  afterEach(() => network.stop());

  function acme(): Homeserver {
    return network.island('acme.test').homeserver;
  }

  async function told(): Promise<void> {
    await acme().notices.idle();
  }

  async function suspend(): Promise<void> {
    await acme().partnerActions.suspend('bolt.test', { by: 'test' });
    await told();
  }

  async function resume(): Promise<void> {
    await acme().partnerActions.resume('bolt.test', { by: 'test' });
    await told();
  }

  /** The rooms that somebody is invited to by the server. */
  async function invitations(client: Client): Promise<string[]> {
    return roomsIn(await client.sync(), 'invite');
  }

  async function noticeRoom(client: Client): Promise<string> {
    const [room] = await invitations(client);
    assert.ok(room, `${client.userId} is invited`);
    return room;
  }

  async function noticesIn(client: Client, room: string): Promise<JsonObject[]> {
    return (await historyOf(client, room)).filter(
      (event) => at(event, 'content', 'msgtype') === 'm.server_notice',
    );
  }

  function typesOf(notices: readonly JsonObject[]): string[] {
    return notices.map((event) => textAt(event, 'content', 'server_notice_type'));
  }

  it('tell who shares rooms with a partner that it is suspended, and resumed, in one room of theirs', async () => {
    await suspend();
    assert.deepEqual(await invitations(ann), []);
    const room = await noticeRoom(li);
    const shown = await invitation(li, room);
    assert.equal(at(eventOf(shown, 'm.room.name'), 'content', 'name'), 'Server notices');
    assert.equal(at(eventOf(shown, 'm.room.member', system), 'content', 'displayname'), 'Server notices');
    await join(li, room);
    const [notice] = await noticesIn(li, room);
    assert.equal(notice?.['sender'], system);
    assert.deepEqual(notice?.['content'], {
      msgtype: 'm.server_notice',
      server_notice_type: 'org.archipelago.partner_suspended',
      body: 'The connection to bolt.test was suspended by your administrators: nothing passes between you and its people. One of your rooms is shared with it; what is in them can still be read.',
      'org.archipelago.notice': { server_name: 'bolt.test', rooms: 1 },
    });
    await resume();
    assert.deepEqual(typesOf(await noticesIn(li, room)), [
      'org.archipelago.partner_suspended',
      'org.archipelago.partner_resumed',
    ]);
    assert.deepEqual(await invitations(li), []);
    const lines = (await acme().db.audit.page()).filter(({ action }) => action === 'notice.send');
    assert.deepEqual(
      lines.map(({ subject, detail }) => [subject, detail]),
      [
        ['bolt.test', { notice: 'partner_suspended', people: 1 }],
        ['bolt.test', { notice: 'partner_resumed', people: 1 }],
      ],
    );
  });

  it('come in a room with the tag that clients know it by, for reading only', async () => {
    await suspend();
    const room = await noticeRoom(li);
    await join(li, room);
    const tags = listAt(await li.sync(), 'rooms', 'join', room, 'account_data', 'events');
    assert.ok(tags.some((event) => at(event, 'content', 'tags', 'm.server_notice') !== undefined));
    const text = { msgtype: 'm.text', body: 'hello?' };
    await refused(403, 'M_FORBIDDEN', li.put(v3`/rooms/${room}/send/m.room.message/${'t1'}`, text));
    await refused(403, 'M_FORBIDDEN', li.post(v3`/rooms/${room}/invite`, { user_id: ann.userId }));
    const state = await ok(li.get(v3`/rooms/${room}/state/m.room.create/`));
    assert.equal(state['m.federate'], false);
    const roomClass = await ok(li.get(v3`/rooms/${room}/state/org.archipelago.room_class/`));
    assert.equal(roomClass['class'], 'internal');
  });

  it('cannot be rejected, by whichever way; who has joined may leave, and is invited to the same room again', async () => {
    await suspend();
    const room = await noticeRoom(li);
    const errcode = 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM';
    await refused(403, errcode, li.post(v3`/rooms/${room}/leave`));
    const member = v3`/rooms/${room}/state/m.room.member/${li.userId}`;
    await refused(403, errcode, li.put(member, { membership: 'leave' }));
    assert.deepEqual(await invitations(li), [room]);
    await join(li, room);
    await leave(li, room);
    await ok(li.post(v3`/rooms/${room}/forget`));
    await resume();
    assert.deepEqual(await invitations(li), [room]);
    await join(li, room);
    assert.equal((await noticesIn(li, room)).length, 2);
    // Invitations of people can be rejected as ever.
    const other = await ann.createRoom({ invite: [li.userId] });
    await leave(li, other);
  });

  it('tell of the end of a contract when it comes, and of a partner that is removed', async () => {
    const island = network.island('acme.test');
    const entries = island.partners;
    const validUntil = clock.now() + 60_000;
    island.setPartners(entries.map((entry) => ({ ...entry, displayName: 'Bolt Ltd', validUntil })));
    await told();
    assert.deepEqual(await invitations(li), []);
    await clock.hurry(until(() => clock.now() > validUntil));
    await until(async () => (await invitations(li)).length === 1);
    const room = await noticeRoom(li);
    await join(li, room);
    await told();
    assert.deepEqual(typesOf(await noticesIn(li, room)), ['org.archipelago.partner_expired']);
    assert.match(
      textAt((await noticesIn(li, room))[0], 'content', 'body'),
      /^The partnership with Bolt Ltd \(bolt\.test\) has come to its agreed end/,
    );
    island.setPartners(entries);
    await told();
    island.setPartners([]);
    await told();
    assert.deepEqual(typesOf(await noticesIn(li, room)).slice(1), [
      'org.archipelago.partner_resumed',
      'org.archipelago.partner_removed',
    ]);
  });

  it('are sent after a restart if they were not before it, and once', async () => {
    // The suspension is on disk, and nobody could be told any more.
    await acme().notices.stop();
    await acme().partnerActions.suspend('bolt.test', { by: 'test' });
    await acme().notices.server.notify([li.userId], 'a cause', { type: 'org.archipelago.test', body: 'One' });
    assert.deepEqual(await invitations(li), []);
    await network.restart('acme.test');
    await told();
    const room = await noticeRoom(li);
    await join(li, room);
    const types = typesOf(await noticesIn(li, room));
    assert.deepEqual(types.sort(), ['org.archipelago.partner_suspended', 'org.archipelago.test']);
    // The row of one that was sent already is still there after a crash: it is not sent again.
    const { db } = acme();
    const row = {
      userId: li.userId,
      cause: 'a cause',
      createdTs: 1,
      notice: JSON.stringify({ type: 'org.archipelago.test', body: 'One' }),
    };
    await db.writer.submit({ label: 'test', ops: db.serverNotices.put([row]) });
    await network.restart('acme.test');
    await told();
    assert.deepEqual(await acme().db.serverNotices.waiting(10), []);
    assert.equal((await noticesIn(li, room)).length, 2);
  });

  it('reach each of many people once, while others go on sending', async () => {
    const people = await Promise.all(
      Array.from({ length: 40 }, (_, index) => acme().accounts.create(`user${index}`, undefined, false)),
    );
    const { server } = acme().notices;
    const nobody = ['@nobody:acme.test'];
    const notice = { type: 'org.archipelago.test', body: 'Hello' };
    await server.notify([...people, ...nobody], 'hello', notice);
    await server.notify(people, 'hello', notice);
    await li.say(roomId, 'meanwhile');
    await told();
    assert.deepEqual(await acme().db.serverNotices.waiting(10), []);
    for (const userId of people) {
      const rooms = await acme().db.memberships.ofUser(userId);
      assert.deepEqual(
        rooms.map(({ membership, sender }) => [membership, sender]),
        [['invite', system]],
      );
      const [room] = rooms;
      const events = await acme().db.events.timeline(room?.roomNid ?? 0, { dir: 'b', limit: 100 });
      assert.equal(events.filter(({ pdu }) => pdu.content['msgtype'] === 'm.server_notice').length, 1);
    }
  });

  it('come from a user that nobody can become', async () => {
    const { accounts } = acme();
    await assert.rejects(accounts.create('notices', testPassword, false), { errcode: 'M_EXCLUSIVE' });
    await assert.rejects(accounts.openSession(system, { remoteAddress: '127.0.0.1' }), { status: 403 });
    assert.equal((await ok(li.get(v3`/profile/${system}`)))['displayname'], 'Server notices');
    await suspend();
    const { db } = acme();
    // Not even by a password that somebody gave it.
    const [password] = [(await db.users.get('li'))?.passwordHash ?? null];
    await db.writer.submit({ label: 't', ops: db.users.update('notices', { passwordHash: password }) });
    const login = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'notices' } };
    const attempt = Client.anonymous(network.island('acme.test')).post(v3`/login`, {
      ...login,
      password: testPassword,
    });
    await refused(403, 'M_FORBIDDEN', attempt);
  });

  it('never come from a user that is somebody already: the island says so and does not start', async () => {
    const island = network.island('acme.test');
    await acme().accounts.create('helpdesk', testPassword, false);
    const { config } = acme();
    await island.stop();
    const serverNotices = { ...config.serverNotices, localpart: 'helpdesk' };
    const starting = Homeserver.start(
      { ...config, serverNotices },
      { clock: realClock, random: realRandom, log: recordingLog([]) },
    );
    await assert.rejects(starting, /helpdesk is somebody already/);
  });
});
