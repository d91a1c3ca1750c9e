import assert from 'node:assert/strict';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, v3 } from '../support/client.ts';
import { invite, join, leave, textsOf } from '../support/conversation.ts';
import { TestNetwork } from '../support/test-network.ts';

describe('the border between two islands', () => {
  let network: TestNetwork;
  let li: Client;
  let bo: Client;
  let roomId: string;

  beforeEach(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    li = await Client.create(network.island('acme.test'), 'li');
    bo = await Client.create(network.island('bolt.test'), 'bo');
    roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId, ['acme.test']);
    await network.settled();
  });

  afterEach(() => network.stop());

  function setPolicy(policy: Partial<PartnerPolicy>): void {
    const island = network.island('acme.test');
    island.setPartners(
      island.partners.map((partner) => ({ ...partner, policy: { ...defaultPartnerPolicy, ...policy } })),
    );
  }

  async function codesOf(request: Promise<{ status: number; body: JsonObject }>): Promise<unknown[]> {
    const { status, body } = await request;
    assert.equal(status, 403);
    assert.equal(body['errcode'], 'M_FORBIDDEN');
    return listAt(body, 'org.archipelago.violations').map((violation) => at(violation, 'code'));
  }

  function send(client: Client, content: JsonObject, type = 'm.room.message') {
    return client.put(v3`/rooms/${roomId}/send/${type}/${`t${Math.random()}`}`, content);
  }

  it('closes at once when a partner is suspended: rooms can be read and left, and not written', async () => {
    const acme = network.island('acme.test').homeserver;
    await li.say(roomId, 'before');
    await network.settled();
    await acme.partnerActions.suspend('bolt.test', { by: 'test' });
    assert.equal(acme.federation.link.status('bolt.test').state, 'down');
    assert.deepEqual(await codesOf(send(li, { msgtype: 'm.text', body: 'during' })), ['partner_suspended']);
    assert.deepEqual(await codesOf(li.post(v3`/rooms/${roomId}/invite`, { user_id: '@da:bolt.test' })), [
      'partner_suspended',
    ]);
    assert.deepEqual(await textsOf(li, roomId), ['before']);
    // The other side goes on, and its messages wait with it.
    const theirs = Array.from({ length: 20 }, (_, index) => `theirs ${index}`);
    for (const text of theirs) await bo.say(roomId, text);
    await acme.partnerActions.resume('bolt.test', { by: 'test' });
    await network.linked('acme.test', 'bolt.test');
    await network.settled();
    assert.deepEqual(await textsOf(li, roomId), ['before', ...theirs]);
    await acme.partnerActions.suspend('bolt.test', { by: 'test' });
    await leave(li, roomId);
  });

  it('closes a room for writing when its only partner is removed, until its people are out', async () => {
    network.island('acme.test').setPartners([]);
    assert.deepEqual(await codesOf(send(li, { msgtype: 'm.text', body: 'to nobody' })), ['not_a_partner']);
    await ok(li.post(v3`/rooms/${roomId}/kick`, { user_id: bo.userId }));
    await li.say(roomId, 'among ourselves');
  });

  it('stays closed across a restart', async () => {
    await network.island('acme.test').homeserver.partnerActions.suspend('bolt.test', { by: 'test' });
    await network.restart('acme.test');
    const { homeserver } = network.island('acme.test');
    assert.equal(homeserver.partners.isActive('bolt.test'), false);
    assert.equal((await homeserver.db.audit.verify()).fault, undefined);
  });

  it('refuses what the policy forbids before it is signed, and says why', async () => {
    setPolicy({
      files: { direction: 'outbound', maxSize: 1_000, mime: ['image/*'] },
      events: { deny: ['org.example.secret'] },
      rooms: { ...defaultPartnerPolicy.rooms, maxRemotePowerLevel: 50, historyVisibility: ['joined'] },
    });
    assert.deepEqual(await codesOf(send(li, { body: 'x' }, 'org.example.secret')), ['event_type_denied']);
    const uri = at(await ok(li.post('/_matrix/media/v3/upload', 'x'.repeat(1_001))), 'content_uri');
    const file = { msgtype: 'm.file', body: 'f', url: uri, info: { size: 1, mimetype: 'image/png' } };
    // What was uploaded counts, not what the message says of it.
    assert.deepEqual(await codesOf(send(li, file as JsonObject)), ['file_too_large', 'file_type_denied']);
    const levels = await ok(li.get(v3`/rooms/${roomId}/state/m.room.power_levels/`));
    const path = v3`/rooms/${roomId}/state/m.room.power_levels/`;
    assert.deepEqual(await codesOf(li.put(path, { ...levels, users: { [bo.userId]: 100 } })), [
      'power_level_denied',
    ]);
    await ok(li.put(path, { ...levels, users: { [bo.userId]: 50 } }));
    const history = v3`/rooms/${roomId}/state/m.room.history_visibility/`;
    assert.deepEqual(await codesOf(li.put(history, { history_visibility: 'world_readable' })), [
      'history_visibility_denied',
    ]);
    await li.say(roomId, 'words are fine');
  });

  it('keeps an internal room to ours, and lets nobody outside the people of a partnership be invited', async () => {
    const internal = await li.createRoom({
      initial_state: [{ type: 'org.archipelago.room_class', content: { class: 'internal' } }],
    });
    assert.deepEqual(await codesOf(li.post(v3`/rooms/${internal}/invite`, { user_id: bo.userId })), [
      'room_internal',
    ]);
    const room = { initial_state: [{ type: 'org.archipelago.room_class', content: { class: 'internal' } }] };
    assert.deepEqual(await codesOf(li.post(v3`/createRoom`, { ...room, invite: [bo.userId] })), [
      'room_internal',
    ]);
    setPolicy({ allowRemote: [{ user: '@da:bolt.test' }], allowLocal: [{ department: 'purchasing' }] });
    assert.deepEqual(await codesOf(li.post(v3`/createRoom`, { invite: [bo.userId] })), [
      'local_user_denied',
      'remote_user_denied',
    ]);
  });

  it('stores what a partner may not send, and shows our people only that it is there', async () => {
    setPolicy({ files: { direction: 'outbound' } });
    const uri = at(await ok(bo.post('/_matrix/media/v3/upload', 'a file')), 'content_uri');
    const eventId = at(
      await ok(send(bo, { msgtype: 'm.file', body: 'secret name', url: uri } as JsonObject)),
      'event_id',
    );
    await bo.say(roomId, 'after');
    await network.settled();
    const shown = await ok(li.get(v3`/rooms/${roomId}/event/${String(eventId)}`));
    assert.deepEqual(shown['content'], {});
    assert.equal(at(shown, 'unsigned', 'org.archipelago.quarantined'), true);
    const everything = JSON.stringify([
      await li.sync(),
      await ok(li.get(v3`/rooms/${roomId}/messages`, { dir: 'b' })),
    ]);
    assert.ok(!everything.includes('secret name'));
    assert.deepEqual(await textsOf(li, roomId), ['after']);
    // In the graph it has its place: what came after it came through.
    const { quarantine, events } = network.island('acme.test').homeserver.db;
    assert.deepEqual(
      (await quarantine.list(10)).map((record) => record.eventId),
      [eventId],
    );
    assert.equal((await events.get(String(eventId)))?.pdu.content['body'], 'secret name');
    await refused(403, 'M_FORBIDDEN', li.get(`/_matrix/client/v1/media/download/${String(uri).slice(6)}`));
    const { audit } = network.island('acme.test').homeserver.db;
    await audit.settled();
    const line = (await audit.page()).find(({ detail }) => detail?.['event_id'] === eventId);
    assert.equal(line?.action, 'border.deny');
    assert.equal(line.actor, bo.userId);
    assert.equal(line.detail?.['room'], roomId);
    assert.deepEqual(line.detail['codes'], ['files_denied']);
  });
});
