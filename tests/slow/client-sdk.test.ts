import assert from 'node:assert/strict';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EventType, type MatrixEvent, MsgType, Preset, RelationType } from 'matrix-js-sdk';
import { temporaryFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { buildProgram, IslandProcess, succeeds } from '../support/program.ts';
import { until } from '../support/until.ts';
import { StockClient } from './support/stock-client.ts';

const password = 'a good password';
/** A PNG of one pixel. */
const picture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** What an admin does for a new island: `init`, `start`, `user add`. Gives its configuration and process. */
async function found(serverName: string, user: string): Promise<{ config: string; island: IslandProcess }> {
  const directory = join(temporaryFolder(), 'island');
  const port = String(await freePort());
  await succeeds(['init', '--server-name', serverName, '--dir', directory, '--port', port]);
  const config = join(directory, 'homeserver.yaml');
  appendFileSync(config, '\noffline_notice_after: 2s\n');
  const island = await IslandProcess.start(config);
  await succeeds(['user', 'add', user, '--password', password, '-c', config]);
  return { config, island };
}

/** Hands the card of one island to the admin of another. */
async function introduce(guest: string, host: string): Promise<void> {
  const card = join(temporaryFolder(), 'partner.card');
  writeFileSync(card, await succeeds(['partner', 'card', '-c', guest]));
  await succeeds(['partner', 'add', card, '--yes', '-c', host]);
}

describe('Two people with stock clients, each on an island of their own', function () {
  this.timeout(120_000);

  let islands: IslandProcess[];
  let alice: StockClient;
  let bob: StockClient;
  let roomId: string;

  before(async () => {
    buildProgram();
    const acme = await found('acme.test', 'alice');
    const bolt = await found('bolt.test', 'bob');
    islands = [acme.island, bolt.island];
    await introduce(acme.config, bolt.config);
    await introduce(bolt.config, acme.config);
    alice = await StockClient.logIn(acme.island.url, 'alice', password);
    bob = await StockClient.logIn(bolt.island.url, 'bob', password);
  });

  after(async () => {
    await Promise.all([alice, bob].map((client) => client?.stop()));
    assert.deepEqual(await Promise.all((islands ?? []).map((island) => island.stop())), [0, 0]);
  });

  it('log in as who they are', async () => {
    assert.deepEqual([alice.userId, bob.userId], ['@alice:acme.test', '@bob:bolt.test']);
    assert.equal((await alice.sdk.whoami()).user_id, alice.userId);
  });

  it('one makes a room and invites the other across the link, who sees who invites to what', async () => {
    const created = await alice.sdk.createRoom({
      name: 'Purchasing',
      preset: Preset.PrivateChat,
      invite: [bob.userId],
    });
    roomId = created.room_id;
    const room = await bob.room(roomId, 'invite');
    assert.equal(room.name, 'Purchasing');
    assert.equal(room.getMember(bob.userId)?.events.member?.getSender(), alice.userId);
  });

  it('the other joins, and both see two members', async () => {
    await bob.sdk.joinRoom(roomId);
    await bob.room(roomId, 'join');
    for (const client of [alice, bob])
      await until(() => client.sdk.getRoom(roomId)?.getJoinedMemberCount() === 2);
  });

  it('what each says appears in the timeline of the other, in its order', async () => {
    const said: string[] = [];
    for (const [client, text] of [
      [alice, 'Good morning'],
      [bob, 'Good morning to you'],
      [alice, 'The offer?'],
      [bob, 'Here it comes'],
    ] as const) {
      const { event_id: eventId } = await client.sdk.sendTextMessage(roomId, text);
      const other = client === alice ? bob : alice;
      const event = await other.sees(roomId, eventId);
      assert.equal(event.getContent()['body'], text);
      assert.equal(event.getSender(), client.userId);
      said.push(eventId);
    }
    for (const client of [alice, bob]) {
      for (const eventId of said) await client.sees(roomId, eventId);
      const messages = client.timeline(roomId).filter((event) => event.getType() === EventType.RoomMessage);
      assert.deepEqual(
        messages.map((event) => event.getId()),
        said,
      );
    }
  });

  it('one reads, and the other sees up to where', async () => {
    const last = bob.timeline(roomId).at(-1);
    assert.ok(last);
    await alice.sdk.sendReadReceipt(await alice.sees(roomId, last.getId() ?? ''));
    await until(() => bob.sdk.getRoom(roomId)?.getEventReadUpTo(alice.userId) === last.getId());
  });

  it('one types, and the other sees it begin and end', async () => {
    const isTyping = (): boolean | undefined => bob.sdk.getRoom(roomId)?.getMember(alice.userId)?.typing;
    await alice.sdk.sendTyping(roomId, true, 20_000);
    await until(() => isTyping() === true);
    await alice.sdk.sendTyping(roomId, false, 0);
    await until(() => isTyping() === false);
  });

  it('one sends a picture, and the other fetches it from its own island, logged in and not otherwise', async () => {
    const { content_uri: url } = await alice.sdk.uploadContent(picture, {
      type: 'image/png',
      name: 'pixel.png',
    });
    const sent = await alice.sdk.sendMessage(roomId, {
      msgtype: MsgType.Image,
      body: 'pixel.png',
      url,
      info: { mimetype: 'image/png', size: picture.length, w: 1, h: 1 },
    });
    const event = await bob.sees(roomId, sent.event_id);
    const address = bob.sdk.mxcUrlToHttp(
      String(event.getContent()['url']),
      undefined,
      undefined,
      undefined,
      false,
      true,
      true,
    );
    assert.ok(address);
    const answer = await fetch(address, { headers: { authorization: `Bearer ${bob.accessToken}` } });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'image/png');
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), picture);
    assert.equal((await fetch(address)).status, 401);
  });

  it('one takes a message back, and it is gone for the other', async () => {
    const { event_id: eventId } = await bob.sdk.sendTextMessage(roomId, 'The price is secret');
    const event = await alice.sees(roomId, eventId);
    assert.equal(event.getContent()['body'], 'The price is secret');
    await bob.sdk.redactEvent(roomId, eventId, undefined, { reason: 'said too much' });
    await until(() => event.isRedacted());
    assert.deepEqual(event.getContent(), {});
    assert.equal(event.getUnsigned().redacted_because?.sender, bob.userId);
  });

  it('one is told that the island of the other is offline, goes on writing, and is told when it is back', async () => {
    const [, bolt] = islands;
    assert.ok(bolt);
    const isNotice = (event: MatrixEvent): boolean =>
      event.getUnsigned()['org.archipelago.local' as never] === true;
    const notices = (): MatrixEvent[] => alice.timeline(roomId).filter(isNotice);
    const unread = (): number | undefined => alice.sdk.getRoom(roomId)?.getUnreadNotificationCount();
    const before = unread();
    assert.equal(await bolt.stop(), 0);
    await until(() => notices().length === 1);
    const [offline] = notices();
    assert.ok(offline);
    assert.equal(offline.getSender(), '@notices:acme.test');
    assert.match(String(offline.getContent()['body']), /bolt\.test cannot be reached at the moment/);
    assert.equal(unread(), before);
    const { event_id: meanwhile } = await alice.sdk.sendTextMessage(roomId, 'Are you there?');
    await alice.sees(roomId, meanwhile);
    await alice.sdk.sendReadReceipt(offline);
    await alice.sdk.setRoomReadMarkers(roomId, offline.getId() ?? '', offline);
    await assert.rejects(
      alice.sdk.sendEvent(roomId, EventType.Reaction, {
        'm.relates_to': { rel_type: RelationType.Annotation, event_id: offline.getId() ?? '', key: '?' },
      }),
      { errcode: 'M_INVALID_PARAM' },
    );
    // Another client finds it at its place when it reads the room anew.
    const again = await StockClient.logIn(islands[0]?.url ?? '', 'alice', password);
    await until(() => again.timeline(roomId).some(isNotice));
    const ids = again.timeline(roomId).map((event) => event.getId());
    assert.ok(ids.indexOf(offline.getId()) < ids.indexOf(meanwhile));
    islands[1] = await IslandProcess.start(bolt.config);
    await bob.sees(roomId, meanwhile);
    await until(() => notices().length === 2);
    assert.match(String(notices()[1]?.getContent()['body']), /can be reached again/);
    assert.deepEqual(bob.timeline(roomId).filter(isNotice), []);
    assert.deepEqual(again.mistakes, []);
    await again.stop();
  });

  it('were answered as the specification says, every time', () => {
    assert.deepEqual([...alice.mistakes, ...bob.mistakes], []);
  });
});
