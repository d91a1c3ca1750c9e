import assert from 'node:assert/strict';
import type { Approval } from '../../federation/approvals/approvals.ts';
import type { InviteRule } from '../../policy/partner-policy.ts';
import { isObject, type JsonObject } from '../../protocol/json.ts';
import { at, Client, listAt, ok, refused, v3 } from '../support/client.ts';
import {
  invitation,
  invite,
  isInvited,
  join,
  leave,
  membershipOf,
  setState,
  timelineOf,
} from '../support/conversation.ts';
import { ForgingPartner } from '../support/forging-partner.ts';
import { setPolicy } from '../support/policies.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('invitations that somebody has to approve', () => {
  let network: TestNetwork;
  let acme: TestIsland;
  let bolt: TestIsland;
  let li: Client;
  let ann: Client;
  let bo: Client;
  let roomId: string;

  before(async () => {
    network = await TestNetwork.paired(['acme.test', 'bolt.test']);
    acme = network.island('acme.test');
    bolt = network.island('bolt.test');
    li = await Client.create(acme, 'li');
    ann = await Client.create(acme, 'ann');
    bo = await Client.create(bolt, 'bo');
  });

  after(() => network.stop());

  beforeEach(async () => {
    roomId = await li.createRoom({ name: 'Prices' });
  });

  afterEach(async () => {
    setPolicy(acme, 'bolt.test', {});
    setPolicy(bolt, 'acme.test', {});
  });

  const approvals = (island: TestIsland) => island.homeserver.federation.approvals;
  const rules = (outbound: InviteRule, inbound: InviteRule) => ({ invites: { outbound, inbound } });

  async function waiting(island: TestIsland, inviter: Client, room = roomId): Promise<Approval> {
    const all = await approvals(island).list();
    const found = all.filter(
      ({ invitation }) => invitation.inviter === inviter.userId && invitation.roomId === room,
    );
    assert.equal(found.length, 1, JSON.stringify(all));
    return found[0] as Approval;
  }

  async function held(inviter: Client, invitee: Client, room = roomId): Promise<JsonObject> {
    const body = await refused(
      403,
      'M_FORBIDDEN',
      inviter.post(v3`/rooms/${room}/invite`, { user_id: invitee.userId }),
    );
    const violations = listAt(body, 'org.archipelago.violations');
    assert.deepEqual(
      violations.map((violation) => violation['code']),
      ['invite_needs_approval'],
    );
    return violations[0] ?? {};
  }

  async function stateOf(island: TestIsland, approvalId: string): Promise<string> {
    const [record] = (
      await island.homeserver.db.approvals.inStates([
        'waiting',
        'approved',
        'elsewhere',
        'again',
        'denied',
        'done',
        'failed',
        'expired',
      ])
    ).filter((approval) => approval.approvalId === approvalId);
    return record?.state ?? 'none';
  }

  /** What the server says about invitations in a room. */
  async function noticesIn(client: Client, room = roomId): Promise<JsonObject[]> {
    const events = await timelineOf(client, room);
    return events.flatMap((event) => {
      const notice = at(event, 'content', 'org.archipelago.notice');
      return isObject(notice) && notice['type'] === 'org.archipelago.invitation' ? [notice] : [];
    });
  }

  async function told(client: Client, states: readonly string[], room = roomId): Promise<void> {
    await network.until(
      async () => (await noticesIn(client, room)).length >= states.length,
      `${client.userId} is not told`,
    );
    assert.deepEqual(
      (await noticesIn(client, room)).map((notice) => notice['state']),
      states,
    );
  }

  async function auditOf(island: TestIsland, approvalId: string): Promise<[string, string, string][]> {
    await island.homeserver.db.audit.settled();
    return (await island.homeserver.db.audit.page())
      .filter(({ detail }) => detail?.['id'] === approvalId)
      .map(({ action, outcome, actor }) => [action, outcome, actor]);
  }

  it('of ours are held once, sent in the name of the inviter when approved, and used up', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    const first = await held(li, bo);
    assert.deepEqual(await held(li, bo), first);
    const { approvalId, invitation: kept } = await waiting(acme, li);
    assert.ok(String(first['message']).includes(approvalId));
    assert.equal(kept.roomName, 'Prices');
    assert.equal(await isInvited(bo, roomId), false);
    await approvals(acme).decide(approvalId, 'approved', '@admin:acme.test');
    const events = await invitation(bo, roomId);
    assert.equal(events.at(-1)?.['sender'], li.userId);
    await network.settled();
    assert.equal(await stateOf(acme, approvalId), 'done');
    assert.deepEqual(await auditOf(acme, approvalId), [
      ['approval.ask', 'done', li.userId],
      ['approval.approve', 'done', '@admin:acme.test'],
      ['approval.perform', 'done', li.userId],
    ]);
    // Once, and for this inviter, invitee and room alone.
    await leave(bo, roomId);
    await network.settled();
    await held(li, bo);
    const other = await li.createRoom();
    await held(li, bo, other);
  });

  it('of ours are told from those that the room or the rest of the policy forbids: these wait for nobody', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    await invite(li, roomId, ann);
    await join(ann, roomId);
    const levels = await ok(li.get(v3`/rooms/${roomId}/state/m.room.power_levels/`));
    await setState(li, roomId, 'm.room.power_levels', { ...levels, invite: 50 });
    const body = await refused(
      403,
      'M_FORBIDDEN',
      ann.post(v3`/rooms/${roomId}/invite`, { user_id: bo.userId }),
    );
    assert.equal(body['org.archipelago.violations'], undefined);
    setPolicy(acme, 'bolt.test', { ...rules('approve', 'allow'), allowLocal: [{ user: li.userId }] });
    const codes = listAt(
      await refused(403, 'M_FORBIDDEN', ann.post(v3`/createRoom`, { invite: [bo.userId] })),
      'org.archipelago.violations',
    ).map((violation) => violation['code']);
    assert.ok(codes.includes('local_user_denied'));
    const mine = (await approvals(acme).list()).filter(({ invitation }) => invitation.inviter === ann.userId);
    assert.deepEqual(mine, []);
  });

  it('of ours that are denied cannot be asked for again at once', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    await held(li, bo);
    const { approvalId } = await waiting(acme, li);
    await approvals(acme).decide(approvalId, 'denied', 'test');
    await told(li, ['waiting', 'denied']);
    await assert.rejects(approvals(acme).decide(approvalId, 'approved', 'test'), /waits no more/);
    const { 'org.archipelago.violations': violations } = await refused(
      403,
      'M_FORBIDDEN',
      li.post(v3`/rooms/${roomId}/invite`, { user_id: bo.userId }),
    );
    assert.equal(at(violations, 0, 'code'), 'invite_not_approved');
    assert.equal(await isInvited(bo, roomId), false);
    assert.equal(await stateOf(acme, approvalId), 'denied');
  });

  it('of ours fail, and say so, when the inviter has left the room before', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    await held(li, bo);
    const { approvalId } = await waiting(acme, li);
    await leave(li, roomId);
    await approvals(acme).decide(approvalId, 'approved', 'test');
    await network.settled();
    assert.equal(await stateOf(acme, approvalId), 'failed');
    assert.equal(await isInvited(bo, roomId), false);
    assert.deepEqual((await auditOf(acme, approvalId)).at(-1), ['approval.perform', 'failed', li.userId]);
  });

  it('do not keep a room from being made: it is made without them, and they follow', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    const direct = await li.createRoom({
      preset: 'trusted_private_chat',
      is_direct: true,
      invite: [bo.userId, ann.userId],
    });
    assert.equal(await isInvited(ann, direct), true);
    assert.equal(await membershipOf(li, direct, bo.userId), 'leave');
    const { approvalId } = await waiting(acme, li, direct);
    await told(li, ['waiting'], direct);
    await approvals(acme).decide(approvalId, 'approved', 'test');
    const events = await invitation(bo, direct);
    assert.equal(at(events.at(-1), 'content', 'is_direct'), true);
  });

  it('of a partner are not signed before they are approved, and come again by themselves', async () => {
    setPolicy(bolt, 'acme.test', rules('allow', 'approve'));
    await held(li, bo);
    await held(li, bo);
    assert.equal(await isInvited(bo, roomId), false);
    assert.equal(await membershipOf(li, roomId, bo.userId), 'leave');
    const theirs = await waiting(bolt, li);
    assert.equal(theirs.invitation.direction, 'inbound');
    assert.equal(theirs.invitation.roomName, 'Prices');
    assert.equal((await waiting(acme, li)).state, 'elsewhere');
    await told(li, ['elsewhere']);
    await approvals(bolt).decide(theirs.approvalId, 'approved', '@admin:bolt.test');
    await invitation(bo, roomId);
    await network.settled();
    assert.equal(await stateOf(bolt, theirs.approvalId), 'done');
    await join(bo, roomId, ['acme.test']);
    // Used once.
    await leave(bo, roomId);
    await network.settled();
    await held(li, bo);
  });

  it('of a partner that are denied stay away', async () => {
    setPolicy(bolt, 'acme.test', rules('allow', 'approve'));
    await held(li, bo);
    const { approvalId } = await waiting(bolt, li);
    await approvals(bolt).decide(approvalId, 'denied', 'test');
    const body = await refused(
      403,
      'M_FORBIDDEN',
      li.post(v3`/rooms/${roomId}/invite`, { user_id: bo.userId }),
    );
    assert.match(String(body['error']), /was not approved/);
    assert.equal(await isInvited(bo, roomId), false);
  });

  it('pass both queues, one after the other, where both sides want to be asked', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    setPolicy(bolt, 'acme.test', rules('allow', 'approve'));
    await held(li, bo);
    const asked = (await approvals(bolt).list()).filter(({ invitation }) => invitation.roomId === roomId);
    assert.deepEqual(asked, []);
    const ours = await waiting(acme, li);
    await approvals(acme).decide(ours.approvalId, 'approved', 'test');
    await network.settled();
    assert.equal((await waiting(acme, li)).state, 'elsewhere');
    const theirs = await waiting(bolt, li);
    await approvals(bolt).decide(theirs.approvalId, 'approved', 'test');
    await invitation(bo, roomId);
    await network.settled();
    assert.deepEqual(
      [await stateOf(acme, ours.approvalId), await stateOf(bolt, theirs.approvalId)],
      ['done', 'done'],
    );
  });

  it('that were decided are performed after a restart, and when the link is there', async () => {
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    await held(li, bo);
    const { approvalId } = await waiting(acme, li);
    network.cut('acme.test', 'bolt.test');
    await network.until(
      () => !acme.homeserver.federation.remote.isReachable('bolt.test'),
      'the link stays up',
    );
    await approvals(acme).decide(approvalId, 'approved', 'test');
    assert.equal(await stateOf(acme, approvalId), 'approved');
    await network.restart('acme.test');
    network.heal('acme.test', 'bolt.test');
    await invitation(bo, roomId);
    await network.settled();
    assert.equal(await stateOf(acme, approvalId), 'done');
    // The other way: told when the link is up again, by an island that was started anew.
    const second = await li.createRoom();
    setPolicy(acme, 'bolt.test', {});
    setPolicy(bolt, 'acme.test', rules('allow', 'approve'));
    await held(li, bo, second);
    const theirs = await waiting(bolt, li, second);
    network.cut('acme.test', 'bolt.test');
    await network.until(
      () => !bolt.homeserver.federation.remote.isReachable('acme.test'),
      'the link stays up',
    );
    await approvals(bolt).decide(theirs.approvalId, 'approved', 'test');
    await network.restart('bolt.test');
    network.heal('acme.test', 'bolt.test');
    await invitation(bo, second);
  });

  it('of strangers to the queue change nothing: a partner approves only what it was asked', async () => {
    const forger = await ForgingPartner.join(network, 'mallory.test', [acme]);
    setPolicy(bolt, 'acme.test', rules('allow', 'approve'));
    await held(li, bo);
    const { approvalId, state } = await waiting(acme, li);
    assert.equal(state, 'elsewhere');
    const path = '/_archipelago/federation/v1/invite_approved';
    for (const invitee of [bo.userId, forger.userId('mal')]) {
      const body = { room_id: roomId, inviter: li.userId, invitee };
      assert.deepEqual(await forger.ask(acme, 'POST', path, body), { status: 200, body: {} });
    }
    await network.settled();
    assert.equal(await stateOf(acme, approvalId), 'elsewhere');
    assert.ok(!(await auditOf(acme, approvalId)).some(([action]) => action === 'approval.again'));
    // What waits for our own word is not decided by the partner either.
    setPolicy(acme, 'bolt.test', rules('approve', 'allow'));
    const second = await li.createRoom();
    await held(li, bo, second);
    const { approvalId: ours } = await waiting(acme, li, second);
    const body = { room_id: second, inviter: li.userId, invitee: bo.userId };
    const { link } = bolt.homeserver.federation;
    const answer = await link.request('acme.test', {
      method: 'POST',
      uri: path,
      contentType: 'application/json',
      body: Buffer.from(JSON.stringify(body)),
      priority: 'query',
      deadlineMs: 5_000,
    });
    assert.equal(answer.status, 200);
    await answer.body();
    await network.settled();
    assert.equal(await stateOf(acme, ours), 'waiting');
    assert.equal(await isInvited(bo, roomId), false);
    await forger.stop();
  });

  it('are kept for each partner up to a number, and for people that exist', async () => {
    const forger = await ForgingPartner.join(network, 'third.test', [acme]);
    setPolicy(acme, 'third.test', rules('allow', 'approve'));
    const room = await li.createRoom({ preset: 'public_chat' });
    const mal = forger.userId('mal');
    await forger.enter(acme, room, mal);
    const create = (await acme.homeserver.engine.view(room))?.get('m.room.create', '')?.pdu ?? {};
    const ask = async (sender: string, target: string) => {
      const event = await forger.forge(acme, room, {
        type: 'm.room.member',
        sender,
        stateKey: target,
        content: { membership: 'invite' },
      });
      const uri = `/_matrix/federation/v2/invite/${encodeURIComponent(room)}/${encodeURIComponent(event.eventId)}`;
      const body = { room_version: '12', event: event.pdu, invite_room_state: [create] };
      return forger.ask(acme, 'PUT', uri, body as JsonObject);
    };
    const mine = async () =>
      (await approvals(acme).list()).filter(({ invitation }) => invitation.inviter.endsWith(':third.test'));
    const nobody = await ask(mal, acme.userId('nobody'));
    assert.deepEqual(await mine(), []);
    const somebody = await ask(mal, ann.userId);
    assert.deepEqual(somebody, nobody);
    assert.equal((await mine()).length, 1);
    for (let number = 0; number < 110; number += 1)
      assert.deepEqual(await ask(forger.userId(`mal${number}`), ann.userId), nobody);
    assert.equal((await mine()).length, 100);
    await forger.stop();
  });

  it('that a partner puts into a room of ours past the queue are in quarantine, and nothing to the invited', async () => {
    const forger = await ForgingPartner.join(network, 'fourth.test', [acme]);
    const room = await li.createRoom({
      preset: 'public_chat',
      power_level_content_override: { invite: 0 },
    });
    const mal = forger.userId('mal');
    await forger.enter(acme, room, mal);
    setPolicy(acme, 'fourth.test', rules('allow', 'approve'));
    const event = await forger.forge(acme, room, {
      type: 'm.room.member',
      sender: mal,
      stateKey: ann.userId,
      content: { membership: 'invite', reason: 'look here' },
    });
    await forger.send(acme, [event.pdu]);
    await network.settled();
    const quarantined = await acme.homeserver.db.quarantine.list(10);
    assert.ok(quarantined.some(({ eventId }) => eventId === event.eventId));
    assert.equal(acme.homeserver.engine.peek(room)?.membership(ann.userId), 'invite');
    assert.equal(await isInvited(ann, room), false);
    assert.ok(!JSON.stringify(await ann.sync()).includes('look here'));
    await forger.stop();
  });
});
