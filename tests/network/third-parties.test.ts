import assert from 'node:assert/strict';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import { Client, ok, v3 } from '../support/client.ts';
import { codesOf } from '../support/codes.ts';
import {
  agree,
  invite,
  isInvited,
  join,
  membershipOf,
  setState,
  stateContent,
  textsOf,
} from '../support/conversation.ts';
import { ForgingPartner } from '../support/forging-partner.ts';
import { setPolicy } from '../support/policies.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

type RoomPolicy = Partial<PartnerPolicy['rooms']>;

describe('a further server in a room of partners', () => {
  let network: TestNetwork;
  let clock: ShiftableClock;
  let acme: TestIsland;
  let bolt: TestIsland;
  let cava: TestIsland;
  let li: Client;
  let bo: Client;
  let cy: Client;

  before(async () => {
    clock = new ShiftableClock();
    network = await TestNetwork.paired(['acme.test', 'bolt.test', 'cava.test'], { clock });
    [acme, bolt, cava] = ['acme.test', 'bolt.test', 'cava.test'].map((name) => network.island(name)) as [
      TestIsland,
      TestIsland,
      TestIsland,
    ];
    li = await Client.create(acme, 'li');
    bo = await Client.create(bolt, 'bo');
    cy = await Client.create(cava, 'cy');
  });

  after(() => network.stop());

  beforeEach(() => {
    for (const island of [acme, bolt, cava]) rooms(island, {});
  });

  /** The same rooms policy for all partners of an island: all may meet, and everybody has to be asked. */
  function rooms(island: TestIsland, policy: RoomPolicy): void {
    const all = { thirdParties: 'listed', thirdPartyConsent: 'required', ...policy } as const;
    for (const { serverName } of island.partners)
      setPolicy(island, serverName, { rooms: { ...defaultPartnerPolicy.rooms, ...all } });
  }

  async function deskWithBo(): Promise<string> {
    const roomId = await li.createRoom({ preset: 'private_chat' });
    await invite(li, roomId, bo);
    await join(bo, roomId);
    await network.settled();
    return roomId;
  }

  const askIn = (roomId: string, user: Client) =>
    li.post(v3`/rooms/${roomId}/invite`, { user_id: user.userId });

  it('comes in when all of them agree, and everybody is told for whom the room is', async () => {
    const roomId = await deskWithBo();
    await invite(li, roomId, cy);
    await join(cy, roomId);
    await cy.say(roomId, 'three of us');
    await agree(network, roomId, [li, bo, cy]);
    assert.deepEqual(await textsOf(bo, roomId), ['three of us']);
    for (const client of [li, bo, cy])
      assert.deepEqual(
        (await ok(client.get(v3`/rooms/${roomId}/state/org.archipelago.room_class/`)))['partners'],
        ['bolt.test', 'cava.test'],
      );
  });

  it('stays out where our policy for either of them says so, however it would come in', async () => {
    const roomId = await deskWithBo();
    rooms(acme, { thirdParties: 'deny' });
    assert.deepEqual(await codesOf(askIn(roomId, cy)), ['third_party_denied']);
    assert.deepEqual(await codesOf(li.post(v3`/createRoom`, { invite: [bo.userId, cy.userId] })), [
      'third_party_denied',
    ]);
    assert.equal(await isInvited(cy, roomId), false);
    // One of the two policies is enough.
    rooms(acme, {});
    setPolicy(acme, 'cava.test', { rooms: { ...defaultPartnerPolicy.rooms, thirdParties: 'deny' } });
    assert.deepEqual(await codesOf(askIn(roomId, cy)), ['third_party_denied']);
    const { class: name, partners } = await stateContent(li, roomId, 'org.archipelago.room_class');
    assert.deepEqual([name, partners], ['shared', ['bolt.test']]);
  });

  it('stays out where an island that is in the room refuses, or the one that would come', async () => {
    const roomId = await deskWithBo();
    for (const [island, name] of [
      [bolt, 'bolt.test'],
      [cava, 'cava.test'],
    ] as const) {
      rooms(island, { thirdParties: 'deny' });
      assert.deepEqual(await codesOf(askIn(roomId, cy)), ['third_party_refused'], name);
      const create = li.post(v3`/createRoom`, { invite: [bo.userId, cy.userId] });
      assert.deepEqual(await codesOf(create), ['third_party_refused'], name);
      await island.homeserver.db.audit.settled();
      const lines = await island.homeserver.db.audit.page();
      const asked = lines.filter((line) => line.action === 'border.consent' && line.outcome === 'denied');
      assert.ok(asked.length >= 2 && asked.every((line) => line.actor === 'acme.test'));
      rooms(island, {});
    }
    assert.equal(await isInvited(cy, roomId), false);
    await invite(li, roomId, cy);
  });

  it('is let in by nobody whose word is missing, unless the policy counts that as yes', async () => {
    const roomId = await deskWithBo();
    network.cut('acme.test', 'bolt.test');
    try {
      const began = clock.now();
      assert.deepEqual(await codesOf(clock.hurry(askIn(roomId, cy))), ['third_party_unanswered']);
      assert.ok(clock.now() - began >= 10_000, 'the island was not waited for');
      assert.equal(await isInvited(cy, roomId), false);
      setPolicy(acme, 'bolt.test', {
        rooms: { ...defaultPartnerPolicy.rooms, thirdParties: 'listed', thirdPartyConsent: 'if_possible' },
      });
      await ok(clock.hurry(askIn(roomId, cy)));
    } finally {
      network.heal('acme.test', 'bolt.test');
      await network.linked('acme.test', 'bolt.test');
      await network.settled();
    }
  });

  it('cannot be agreed on by a server that knows no such question', async () => {
    const forger = await ForgingPartner.join(network, 'mallory.test', [acme]);
    try {
      rooms(acme, {});
      const roomId = await li.createRoom({ preset: 'private_chat', invite: [] });
      const open = await li.createRoom({ preset: 'public_chat' });
      await forger.enter(acme, open, forger.userId('mal'));
      // bolt, to which mallory is nobody, says no anyway.
      assert.deepEqual(await codesOf(askIn(open, bo)), ['third_party_unanswered', 'third_party_refused']);
      setPolicy(acme, 'mallory.test', {
        rooms: { ...defaultPartnerPolicy.rooms, thirdParties: 'listed', thirdPartyConsent: 'if_possible' },
      });
      assert.deepEqual(await codesOf(askIn(open, bo)), ['third_party_refused']);
      await invite(li, roomId, bo);
    } finally {
      await forger.stop();
      acme.setPartners(acme.partners.filter(({ serverName }) => serverName !== 'mallory.test'));
    }
  });

  it('does not join through us without an invitation, past a policy or past an island that refuses', async () => {
    const open = await li.createRoom({ preset: 'public_chat' });
    await join(bo, open, ['acme.test']);
    await network.settled();
    const knock = () => cy.post(`${v3`/join/${open}`}?via=acme.test`);
    rooms(acme, { thirdParties: 'deny' });
    assert.equal((await knock()).status, 403);
    rooms(acme, {});
    rooms(bolt, { thirdParties: 'deny' });
    const { status, body } = await knock();
    assert.equal(status, 403);
    assert.match(String(body['error']), /bolt\.test does not want cava\.test in this room/);
    assert.equal(await membershipOf(li, open, cy.userId), 'leave');
    rooms(bolt, {});
    await join(cy, open, ['acme.test']);
    await agree(network, open, [li, bo, cy]);
  });

  it('is no company for one of ours who would join: nothing is signed', async () => {
    const hub = await bo.createRoom({ preset: 'public_chat' });
    await join(cy, hub, ['bolt.test']);
    await network.settled();
    rooms(acme, { thirdParties: 'deny' });
    assert.deepEqual(await codesOf(li.post(`${v3`/join/${hub}`}?via=bolt.test`)), ['third_party_denied']);
    assert.equal(await membershipOf(bo, hub, li.userId), 'leave');
    assert.deepEqual(await stateContent(bo, hub, 'm.room.member', li.userId), {});
  });

  it('is no company either where the server in the room does not say beforehand who is there: ours leave at once', async () => {
    const hub = await bo.createRoom({ preset: 'public_chat' });
    await join(cy, hub, ['bolt.test']);
    await network.settled();
    rooms(acme, { thirdParties: 'deny' });
    const { remote } = acme.homeserver.federation;
    const real = remote.makeJoin;
    // As a Matrix server answers that is no island.
    const theirs = bolt.homeserver.federation.border;
    const asks = theirs.mayAdmit;
    theirs.mayAdmit = async () => ({ allowed: true });
    remote.makeJoin = async (...question) => {
      const { servers: _, ...template } = await real.apply(remote, question);
      return template;
    };
    try {
      assert.deepEqual(await codesOf(li.post(`${v3`/join/${hub}`}?via=bolt.test`)), ['third_party_denied']);
    } finally {
      remote.makeJoin = real;
      theirs.mayAdmit = asks;
    }
    await network.settled();
    const { membership } = await stateContent(bo, hub, 'm.room.member', li.userId);
    assert.equal(membership, 'leave');
    assert.equal(await acme.homeserver.engine.view(hub), undefined);
  });

  it('comes in by a partner’s invitation only with the consent of those who run the room', async () => {
    const roomId = await deskWithBo();
    rooms(acme, { thirdParties: 'deny' });
    const ask = () => bo.post(v3`/rooms/${roomId}/invite`, { user_id: cy.userId });
    assert.deepEqual(await codesOf(ask()), ['third_party_refused']);
    rooms(acme, {});
    await ok(ask());
    await join(cy, roomId);
    await agree(network, roomId, [li, bo, cy]);
  });

  it('that is brought in by a partner who asks nobody is kept out of sight', async () => {
    const roomId = await deskWithBo();
    await setState(li, roomId, 'm.room.power_levels', {
      ...(await stateContent(li, roomId, 'm.room.power_levels')),
      users: { [bo.userId]: 100 },
    });
    await network.settled();
    rooms(acme, { thirdParties: 'deny', onDrift: 'alarm' });
    const rogue = bolt.homeserver.federation.border;
    const asks = rogue.mayAdmit;
    rogue.mayAdmit = async () => ({ allowed: true });
    // Whoever has the power there can also write an ACL that lets it in.
    await setState(bo, roomId, 'm.room.server_acl', { allow: ['*'], deny: [] });
    try {
      await invite(bo, roomId, cy);
    } finally {
      rogue.mayAdmit = asks;
    }
    await network.settled();
    const invitation = (await acme.homeserver.engine.view(roomId))?.get('m.room.member', cy.userId);
    assert.equal(invitation?.pdu.content['membership'], 'invite');
    assert.equal(invitation?.quarantined, true);
  });
});
