import assert from 'node:assert/strict';
import type { Pdu } from '../../protocol/event.ts';
import { generateSigningKey } from '../../protocol/signing.ts';
import { Archipelago, type Island, random, refused, wire } from './support.ts';

describe('events that a partner forged', () => {
  let net: Archipelago;
  let acme: Island;
  let bolt: Island;
  let li: string;
  let bo: string;
  let roomId: string;

  beforeEach(async () => {
    net = new Archipelago();
    acme = await net.add('acme.test');
    bolt = await net.add('bolt.test');
    li = await acme.user('li');
    bo = await bolt.user('bo');
    roomId = await acme.room(li, { invite: [bo] });
    await bolt.engine.join(bo, roomId);
    await net.settle();
  });

  afterEach(async () => {
    // Whatever was tried: the room goes on.
    await acme.say(li, roomId, 'the room goes on');
    await net.settle();
    await bolt.say(bo, roomId, 'it does');
    await net.settle();
    assert.deepEqual((await acme.timeline(roomId)).slice(-2), ['the room goes on', 'it does']);
    await net.close();
  });

  const message = (sender: string, body = 'forged') => ({
    type: 'm.room.message',
    sender,
    content: { body },
  });
  const seen = async () => (await acme.timeline(roomId)).includes('forged');

  it('drops a signature by a key that is not the server’s', async () => {
    const key = generateSigningKey('ed25519:a', random);
    const { pdu } = await bolt.forge(roomId, message(bo), { key });
    const outcome = await acme.receive('bolt.test', pdu);
    assert.equal(outcome.kind, 'dropped');
    assert.match(outcome.reason ?? '', /^signature/);
    assert.equal(await seen(), false);
  });

  it('drops an event in the name of another server’s user', async () => {
    const { pdu } = await bolt.forge(roomId, message(li));
    assert.equal((await acme.receive('bolt.test', pdu)).kind, 'dropped');
    const asAcme = await bolt.forge(roomId, message(li), { serverName: 'acme.test' });
    assert.equal((await acme.receive('bolt.test', asAcme.pdu)).kind, 'dropped');
    assert.equal(await seen(), false);
  });

  for (const version of ['10', '11', '12']) {
    it(`drops an invite of version ${version} in another's name, whatever a redaction makes of it`, async () => {
      const room = await acme.room(li, { invite: [bo], roomVersion: version });
      await bolt.engine.join(bo, room);
      await net.settle();
      const mallory = '@mallory:bolt.test';
      // An invite by a third party invite needs no signature of the sender's server. A content hash that is wrong
      // takes that property away: what is left would be a plain invite by somebody who never sent it.
      for (const third of ['none', {}, { signed: 'none' }]) {
        const content = { membership: 'invite', third_party_invite: third };
        const forged = { type: 'm.room.member', sender: li, stateKey: mallory, content };
        const { pdu } = await bolt.forge(room, forged, { auth: await invitersAuth(room) });
        const altered = {
          ...pdu,
          hashes: { sha256: pdu.hashes.sha256.replace(/^./, pdu.hashes.sha256[0] === 'A' ? 'B' : 'A') },
        };
        const outcome = await acme.receive('bolt.test', altered);
        assert.ok(
          outcome.kind === 'dropped' || outcome.kind === 'rejected',
          `${outcome.kind}: ${JSON.stringify(third)}`,
        );
        assert.equal((await acme.view(room)).get('m.room.member', mallory), undefined);
      }
    });
  }

  const invitersAuth = async (room: string) => {
    const view = await acme.view(room);
    const rules = view.get('m.room.join_rules', '')?.eventId ?? '';
    return [...acme.authFor(view, li), rules];
  };

  it('takes an altered event in its redacted form', async () => {
    const event = await bolt.forge(roomId, message(bo, 'true'));
    const altered = { ...wire(event.pdu), content: { body: 'forged' } };
    const outcome = await acme.receive('bolt.test', altered);
    assert.deepEqual(outcome, { kind: 'accepted', eventId: event.eventId });
    assert.deepEqual((await acme.engine.event(event.eventId))?.pdu.content, {});
    assert.equal(await seen(), false);
  });

  it('drops an event whose signed part was altered', async () => {
    const event = await bolt.forge(roomId, message(bo));
    const outcome = await acme.receive('bolt.test', { ...wire(event.pdu), depth: 7 });
    assert.equal(outcome.kind, 'dropped');
  });

  it('drops what is of another room than it was handed in for, and what is no event', async () => {
    const { pdu } = await bolt.forge(roomId, message(bo));
    const other = await acme.room(li);
    assert.equal((await acme.engine.receive('bolt.test', wire(pdu), { roomId: other })).kind, 'dropped');
    assert.equal((await acme.receive('bolt.test', { ...wire(pdu), room_id: other } as Pdu)).kind, 'dropped');
    for (const value of [null, 7, [], {}, { room_id: roomId }, { ...wire(pdu), prev_events: 'x' }])
      assert.equal((await acme.engine.receive('bolt.test', value)).kind, 'dropped');
    assert.equal(await seen(), false);
  });

  it('rejects what the auth rules forbid, stores it, and lets others refer to it', async () => {
    const topic = { type: 'm.room.power_levels', sender: bo, stateKey: '', content: { users: {} } };
    const event = await bolt.forge(roomId, topic);
    const outcome = await acme.receive('bolt.test', event.pdu);
    assert.equal(outcome.kind, 'rejected');
    assert.equal((await acme.engine.event(event.eventId))?.rejected, true);
    assert.deepEqual((await acme.view(roomId)).extremities.includes(event.eventId), false);
    const child = await bolt.forge(roomId, message(bo, 'after a rejected one'), { prev: [event.eventId] });
    assert.equal((await acme.receive('bolt.test', child.pdu)).kind, 'accepted');
    const view = await acme.view(roomId);
    assert.deepEqual(view.extremities, [child.eventId]);
    assert.notEqual(view.get('m.room.power_levels', '')?.eventId, event.eventId);
  });

  it('rejects an event by somebody who is not in the room', async () => {
    const bad = await bolt.user('bad');
    const event = await bolt.forge(roomId, message(bad));
    assert.equal((await acme.receive('bolt.test', event.pdu)).kind, 'rejected');
    assert.equal(await seen(), false);
  });

  it('rejects auth events of another room', async () => {
    const other = await bolt.room(bo, { invite: [li] });
    await acme.engine.join(li, other);
    await net.settle();
    const auth = bolt.authFor(await bolt.view(other), bo);
    const event = await bolt.forge(roomId, message(bo), { auth });
    const outcome = await acme.receive('bolt.test', event.pdu);
    assert.equal(outcome.kind, 'rejected');
    assert.equal(await seen(), false);
  });

  it('stops taking events of a server that the room’s ACL denies', async () => {
    await acme.setState(li, roomId, 'm.room.server_acl', { allow: ['*'], deny: ['BOLT.*'] });
    const { pdu } = await bolt.forge(roomId, message(bo));
    assert.equal((await acme.receive('bolt.test', pdu)).kind, 'dropped');
    await refused(acme.engine.getStateIds('bolt.test', roomId, '$x'), 403, 'M_FORBIDDEN');
    await acme.setState(li, roomId, 'm.room.server_acl', { allow: ['*'] });
    await net.settle();
  });

  it('does not let one bad event keep the others of a transaction back', async () => {
    const good = await bolt.forge(roomId, message(bo, 'good'));
    const bad = await bolt.forge(roomId, message(li));
    const rejected = await bolt.forge(roomId, message('@bad:bolt.test'));
    const outcomes = await Promise.all(
      [bad.pdu, rejected.pdu, good.pdu].map((pdu) => acme.receive('bolt.test', pdu)),
    );
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['dropped', 'rejected', 'accepted'],
    );
  });

  it('does not sign templates that are not what was asked for', async () => {
    const cases: ((event: Record<string, unknown>) => Record<string, unknown>)[] = [
      (event) => ({ ...event, type: 'm.room.power_levels' }),
      (event) => ({ ...event, sender: li }),
      (event) => ({ ...event, state_key: li }),
      (event) => ({ ...event, room_id: '!other:acme.test' }),
      (event) => ({ ...event, content: { membership: 'ban' } }),
    ];
    const other = await acme.room(li, { invite: [bo] });
    for (const change of cases) {
      bolt.overrides.makeJoin = async () => {
        const template = await acme.engine.makeJoin('bolt.test', other, bo, ['12']);
        return { ...template, event: change(template.event) as never };
      };
      await refused(bolt.engine.join(bo, other), 502, 'M_UNKNOWN');
    }
    assert.equal(bolt.asked.filter((asked) => asked.startsWith('send_join')).length, 1);
    delete bolt.overrides.makeJoin;
    await bolt.engine.join(bo, other);
  });

  it('does not join a room whose state was tampered with', async () => {
    const other = await acme.room(li, { invite: [bo] });
    bolt.overrides.sendJoin = async (_server, room, eventId, pdu) => {
      const answer = await acme.engine.sendJoin('bolt.test', room, eventId, wire(pdu));
      const isCreate = (event: unknown) => (event as Pdu).type === 'm.room.create';
      return {
        ...wire(answer),
        state: wire(answer.state).filter((event) => !isCreate(event)),
        authChain: wire(answer.authChain).filter((event) => !isCreate(event)),
      };
    };
    await refused(bolt.engine.join(bo, other), 502, 'M_UNKNOWN');
    assert.equal(await bolt.engine.view(other), undefined);
    delete bolt.overrides.sendJoin;
    await bolt.engine.join(bo, other);
  });

  it('does not sign what is not an invitation of the partner for one of ours', async () => {
    const own = await bolt.room(bo, { roomVersion: '11' });
    const state = [...(await bolt.view(own)).state.values()].map((event) => wire(event.pdu));
    const attempt = async (event: { type: string; sender: string; stateKey?: string; content: object }) => {
      const forged = await bolt.forge(own, event as never);
      const body = { roomVersion: '11', event: wire(forged.pdu), inviteRoomState: state };
      return acme.engine.receiveInvite('bolt.test', own, forged.eventId, body);
    };
    const invite = { type: 'm.room.member', sender: bo, stateKey: li, content: { membership: 'invite' } };
    await refused(attempt({ ...invite, type: 'm.room.name' }), 400, 'M_INVALID_PARAM');
    await refused(attempt({ ...invite, content: { membership: 'join' } }), 400, 'M_INVALID_PARAM');
    await refused(attempt({ ...invite, sender: '@x:cava.test' }), 400, 'M_INVALID_PARAM');
    await refused(attempt({ ...invite, stateKey: '@x:cava.test' }), 400, 'M_INVALID_PARAM');
    await refused(attempt({ ...invite, stateKey: '@nobody:acme.test' }), 404, 'M_NOT_FOUND');
    assert.ok(await attempt(invite));
  });
});
