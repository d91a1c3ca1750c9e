import assert from 'node:assert/strict';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import { RemoteError } from '../../rooms/ports.ts';
import { Client, ok, v3 } from '../support/client.ts';
import { codesOf } from '../support/codes.ts';
import { invite, join, leave, membershipOf, stateContent, textsOf } from '../support/conversation.ts';
import { setPolicy } from '../support/policies.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

/**
 * A room that a partner runs, and that asks nobody before it lets a third server in: as a Matrix server does that is
 * no island, or an island whose admin wants it so.
 */
describe('a server that somebody else lets into a room', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let li: Client;
  let bo: Client;
  let cy: Client;
  let roomId: string;

  beforeEach(async () => {
    network = await TestNetwork.start(['acme.test', 'bolt.test', 'cava.test']);
    await network.pair('acme.test', 'bolt.test');
    await network.pair('bolt.test', 'cava.test');
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    li = await Client.create(acme, 'li');
    bo = await Client.create(bolt, 'bo');
    cy = await Client.create(network.island('cava.test'), 'cy');
    rooms(bolt, { thirdParties: 'allow', thirdPartyConsent: 'if_possible' });
    rooms(network.island('cava.test'), { thirdParties: 'allow' });
    rooms(acme, { thirdParties: 'deny' });
    bolt.homeserver.federation.border.mayAdmit = async () => ({ allowed: true });
    roomId = await bo.createRoom({ preset: 'private_chat' });
    await invite(bo, roomId, li);
    await join(li, roomId);
    await li.say(roomId, 'the two of us');
    await network.settled();
  });

  afterEach(() => network.stop());

  function rooms(island: TestIsland, policy: Partial<PartnerPolicy['rooms']>): void {
    for (const { serverName } of island.partners)
      setPolicy(island, serverName, { rooms: { ...defaultPartnerPolicy.rooms, ...policy } });
  }

  /** Both know cava, so that what it signs can be verified. */
  async function becomePartners(): Promise<void> {
    await network.pair('acme.test', 'cava.test');
    rooms(acme, { thirdParties: 'deny' });
    rooms(network.island('cava.test'), { thirdParties: 'allow' });
  }

  async function letIn(): Promise<void> {
    await invite(bo, roomId, cy);
    await join(cy, roomId);
    await network.settled();
  }

  const say = (client: Client, body: string) =>
    client.put(v3`/rooms/${roomId}/send/m.room.message/${`t${Math.random()}`}`, { msgtype: 'm.text', body });

  const alarms = (island: TestIsland, alarm: string) =>
    island.lines.filter((line) => line['alarm'] === alarm);

  async function audited(island: TestIsland, action: string) {
    await island.homeserver.db.audit.settled();
    return (await island.homeserver.db.audit.page()).filter((line) => line.action === action);
  }

  const unfreeze = (accept = false) =>
    acme.homeserver.engine
      .view(roomId)
      .then((view) => acme.homeserver.federation.drifts.unfreeze(view, roomId, { accept, by: 'test' }));

  it('freezes the room for ours, hides what it says, and alarms both admins', async () => {
    await becomePartners();
    await letIn();
    const [alarm, ...more] = alarms(acme, 'room-drift');
    assert.deepEqual(more, []);
    const fields = ['roomId', 'server', 'partner', 'admittedBy', 'action', 'level'];
    assert.deepEqual(
      fields.map((field) => alarm?.[field]),
      [roomId, 'cava.test', 'bolt.test', 'bolt.test', 'freeze', 50],
    );
    const [line] = await audited(acme, 'border.drift');
    assert.deepEqual(
      [line?.actor, line?.subject, line?.detail?.['server']],
      ['bolt.test', roomId, 'cava.test'],
    );
    await network.until(() => alarms(bolt, 'room-drift-reported').length === 1, 'bolt was not told');
    const [reported] = await audited(bolt, 'border.drift-reported');
    assert.deepEqual([reported?.actor, reported?.subject], ['acme.test', roomId]);

    assert.deepEqual(await codesOf(say(li, 'can they read this')), ['room_frozen']);
    const further = li.post(v3`/rooms/${roomId}/invite`, { user_id: '@da:bolt.test' });
    assert.deepEqual(await codesOf(further), ['room_frozen']);
    await cy.say(roomId, 'from the intruder');
    await bo.say(roomId, 'from a partner');
    await network.settled();
    assert.deepEqual(await textsOf(li, roomId), ['the two of us', 'from a partner']);
    assert.equal((await acme.homeserver.db.audit.verify()).fault, undefined);
  });

  it('leaves the room frozen over a restart and after it has gone, until an admin thaws it', async () => {
    await becomePartners();
    await letIn();
    await network.restart('acme.test');
    for (const other of ['bolt.test', 'cava.test']) await network.linked('acme.test', other);
    assert.deepEqual(await codesOf(say(li, 'still there?')), ['room_frozen']);
    assert.deepEqual(await unfreeze(), { kind: 'still-there', servers: ['cava.test'] });
    await leave(cy, roomId);
    await network.settled();
    assert.deepEqual(await codesOf(say(li, 'and now?')), ['room_frozen']);
    assert.deepEqual(await unfreeze(), { kind: 'done' });
    await ok(say(li, 'among ourselves again'));
    const [line] = await audited(acme, 'room.unfreeze');
    assert.deepEqual([line?.actor, line?.subject], ['test', roomId]);
    assert.deepEqual(await unfreeze(), { kind: 'not-frozen' });
    // Whoever comes back is answered anew.
    await letIn();
    assert.equal(alarms(acme, 'room-drift').length, 2);
    assert.deepEqual(await codesOf(say(li, 'once more')), ['room_frozen']);
    assert.deepEqual(await unfreeze(true), { kind: 'done' });
    await ok(say(li, 'so be it'));
    await network.restart('acme.test');
    await ok(say(li, 'for good'));
  });

  it('is noticed where it is no partner of ours and nothing that it signs can be verified', async () => {
    await letIn();
    assert.equal(await membershipOf(li, roomId, cy.userId), 'invite');
    const [alarm, ...more] = alarms(acme, 'room-drift');
    assert.deepEqual(more, []);
    assert.deepEqual([alarm?.['server'], alarm?.['admittedBy']], ['cava.test', 'bolt.test']);
    assert.deepEqual(await codesOf(say(li, 'can they read this')), ['room_frozen']);
    await network.until(() => alarms(bolt, 'room-drift-reported').length === 1, 'bolt was not told');
    const invitation = await stateContent(li, roomId, 'm.room.member', cy.userId);
    assert.deepEqual(invitation, { membership: 'invite' });
  });

  it('makes ours leave, where that is configured', async () => {
    await becomePartners();
    rooms(acme, { thirdParties: 'deny', onDrift: 'leave' });
    const ann = await Client.create(acme, 'ann');
    await invite(bo, roomId, ann);
    await network.settled();
    await join(ann, roomId);
    await letIn();
    for (const { userId } of [li, ann]) assert.equal(await membershipOf(bo, roomId, userId), 'leave');
    assert.equal(alarms(acme, 'room-drift')[0]?.['action'], 'leave');
    await network.until(() => alarms(bolt, 'room-drift-reported').length === 1, 'bolt was not told');
  });

  it('is an alarm and no more, where that is configured', async () => {
    await becomePartners();
    rooms(acme, { thirdParties: 'deny', onDrift: 'alarm' });
    await letIn();
    assert.equal(alarms(acme, 'room-drift').length, 1);
    await ok(say(li, 'business goes on'));
    await network.settled();
    assert.equal(alarms(acme, 'room-drift').length, 1);
  });

  it('is told to the partner when it can be reached again', async () => {
    await becomePartners();
    acme.homeserver.federation.remote.askIsland = async () => {
      throw new RemoteError('unreachable', 'as if the link had just gone down');
    };
    await letIn();
    assert.equal(alarms(acme, 'room-drift').length, 1);
    assert.equal(alarms(bolt, 'room-drift-reported').length, 0);
    await network.restart('acme.test');
    await network.until(() => alarms(bolt, 'room-drift-reported').length === 1, 'bolt was not told');
  });

  it('raises no alarm where the policy lets it in', async () => {
    await becomePartners();
    rooms(acme, { thirdParties: 'listed' });
    await letIn();
    assert.deepEqual(alarms(acme, 'room-drift'), []);
    await ok(say(li, 'welcome'));
  });
});
