import assert from 'node:assert/strict';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import { isObject, type JsonObject, parseJson } from '../../protocol/json.ts';
import { RemoteError } from '../../rooms/ports.ts';
import type { RoomView } from '../../rooms/types.ts';
import { until } from '../support/until.ts';
import { pair, settled, sharedRoom, type TestIsland } from './support/island.ts';

describe('two islands', () => {
  let a: TestIsland;
  let b: TestIsland;
  let roomId: string;

  before(async () => {
    [a, b] = await pair();
    roomId = await sharedRoom(a, b);
    await settled(a, b);
  });

  after(async () => {
    await a.remove();
    await b.remove();
  });

  it('share a room by invitation and hold the same state', async () => {
    const views = await Promise.all([viewOf(a, roomId), viewOf(b, roomId)]);
    for (const view of views) assert.deepEqual([...view.joinedServers()].sort(), ['a.test', 'b.test']);
    assert.deepEqual(stateOf(views[0]), stateOf(views[1]));
  });

  it('bring messages both ways, in order, once', async () => {
    const sent: string[] = [];
    for (let index = 0; index < 20; index++) {
      const island = index % 2 === 0 ? a : b;
      const body = { msgtype: 'm.text', body: `message ${index}` };
      const { eventId } = await island.engine.send({
        userId: island.user(island === a ? 'alice' : 'bob'),
        roomId,
        type: 'm.room.message',
        content: body,
      });
      sent.push(eventId);
    }
    await settled(a, b);
    for (const island of [a, b]) {
      const events = await island.engine.events(sent);
      assert.equal(events.size, sent.length);
      for (const event of events.values()) assert.ok(event.streamPos !== null && !event.rejected);
    }
  });

  it('bring content with __proto__ as a key, and content as deep as clients may send', async () => {
    let deep: JsonObject = {};
    for (let depth = 1; depth < 100; depth += 1) deep = { a: deep };
    const contents = [parseJson('{"__proto__":{"body":"x"},"constructor":1}'), deep];
    for (const content of contents) {
      assert.ok(isObject(content));
      const { eventId } = await a.engine.send({
        userId: a.user('alice'),
        roomId,
        type: 'org.example',
        content,
      });
      await settled(a, b);
      for (const island of [a, b]) {
        const event = await island.engine.event(eventId);
        assert.equal(canonicalJson(event?.pdu.content ?? {}), canonicalJson(content));
      }
    }
  });

  it('render an event that was redacted before it could be sent in its redacted form', async () => {
    b.registry.replace([]);
    await until(() => a.federation.link.status('b.test').state !== 'connected');
    const { eventId } = await a.engine.send({
      userId: a.user('alice'),
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'a secret' },
    });
    await a.engine.redact({ userId: a.user('alice'), roomId, eventId });
    b.registry.replace([a.entry()]);
    await settled(a, b);
    const received = await b.engine.event(eventId);
    assert.ok(received);
    assert.deepEqual(received.pdu.content, {});
    assert.ok(!JSON.stringify(received.pdu).includes('secret'));
  });

  it('carry receipts, the newest only, and typing without keeping it', async () => {
    const { eventId } = await a.engine.send({
      userId: a.user('alice'),
      roomId,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'read me' },
    });
    await settled(a, b);
    const receipt = { roomId, userId: b.user('bob'), eventId, ts: 5, servers: ['a.test', 'b.test'] };
    for (const ts of [5, 6])
      await b.db.writer.submit({
        label: 'receipt',
        ops: b.federation.receiptOps({ ...receipt, ts }),
        notes: b.federation.receiptNotes(receipt),
      });
    await settled(a, b);
    const view = await viewOf(a, roomId);
    const receipts = await a.db.receipts.changes([view.roomNid], -1, a.db.streams.position);
    assert.deepEqual(
      receipts.map((row) => [row.userId, row.eventId, row.ts]),
      [[b.user('bob'), eventId, 6]],
    );
    b.federation.sendTyping({ roomId, userId: b.user('bob'), typing: true, servers: view.joinedServers() });
    await until(() => a.typing.length > 0);
    assert.deepEqual(a.typing[0], [roomId, b.user('bob'), 30_000]);
  });

  it('answer profiles, aliases and files, and say plainly what is not there', async () => {
    a.files.set('pic', Buffer.alloc(300_000, 7));
    const file = await b.federation.remote.fetchMedia('a.test', 'pic', 1_000_000);
    assert.equal(file.contentType, 'image/png');
    assert.equal(file.fileName, 'picture.png');
    const parts: Buffer[] = [];
    for await (const part of file.stream) parts.push(part);
    assert.deepEqual(Buffer.concat(parts), a.files.get('pic'));
    assert.deepEqual(await b.federation.remote.profile(a.user('alice'), b.user('bob')), {
      displayname: 'Name of alice',
    });
    await assert.rejects(b.federation.remote.fetchMedia('a.test', 'none', 10), isRefusal(404, 'M_NOT_FOUND'));
    await assert.rejects(
      b.federation.remote.profile('@nobody:a.test', b.user('bob')),
      isRefusal(404, 'M_NOT_FOUND'),
    );
    await assert.rejects(b.federation.remote.resolveAlias('#none:a.test'), isRefusal(404, 'M_NOT_FOUND'));
    await assert.rejects(b.federation.remote.profile('@li:c.test', b.user('bob')), /not an active partner/);
  });

  it('answer unknown paths and wrong methods as the specification says', async () => {
    const ask = async (method: string, uri: string): Promise<[number, unknown]> => {
      const response = await b.federation.link.request('a.test', {
        method,
        uri,
        priority: 'query',
        deadlineMs: 5_000,
      });
      return [response.status, JSON.parse((await response.body()).toString()).errcode];
    };
    assert.deepEqual(await ask('GET', '/_matrix/federation/v1/nothing'), [404, 'M_UNRECOGNIZED']);
    assert.deepEqual(await ask('GET', '/_matrix/federation/v1/send/x'), [405, 'M_UNRECOGNIZED']);
    assert.deepEqual(await ask('GET', '/_matrix/federation/v1/event/%FF'), [404, 'M_UNRECOGNIZED']);
    assert.deepEqual(await ask('GET', `/_matrix/federation/v1/state/${encodeURIComponent(roomId)}`), [
      400,
      'M_MISSING_PARAM',
    ]);
    assert.deepEqual(await ask('GET', '/_matrix/key/v2/server'), [200, undefined]);
    assert.deepEqual(await ask('GET', '/_matrix/federation/v1/version'), [200, undefined]);
  });
});

function isRefusal(status: number, errcode: string) {
  return (error: unknown): boolean =>
    error instanceof RemoteError &&
    error.kind === 'refused' &&
    error.status === status &&
    error.errcode === errcode;
}

async function viewOf(island: TestIsland, roomId: string): Promise<RoomView> {
  const view = await island.engine.view(roomId);
  assert.ok(view);
  return view;
}

function stateOf(view: RoomView | undefined): [string, string][] {
  return [...(view?.state ?? [])].map(([key, event]): [string, string] => [key, event.eventId]).sort();
}
