import assert from 'node:assert/strict';
import { Approvals } from '../../federation/approvals/approvals.ts';
import type { Invitation } from '../../rooms/ports.ts';
import { realClock, recordingLog } from '../support/runtime.ts';
import { onBothDatabases } from './support.ts';

onBothDatabases('The queue of invitations', (database) => {
  const dayMs = 24 * 3_600_000;
  let now = 1_790_000_000_000;
  const clock = { ...realClock, now: () => now };
  const load = () => Approvals.load({ db: database(), clock, log: recordingLog([]) });

  const invitation = (name: string, direction: Invitation['direction'] = 'outbound'): Invitation => ({
    direction,
    roomId: `!${name}:a`,
    inviter: direction === 'outbound' ? '@ann:a' : '@bo:b',
    invitee: direction === 'outbound' ? '@bo:b' : '@ann:a',
    reason: 'because',
    isDirect: true,
    roomName: 'N\u0000me',
  });

  const idOf = async (approvals: Approvals, one: Invitation): Promise<string> => {
    const held = await approvals.hold(one, 'us');
    assert.ok(held);
    return held.id;
  };

  it('is as it was after a restart, in every state', async () => {
    const before = await load();
    const [waiting, approved, denied, told] = ['waiting', 'approved', 'denied', 'told'].map((name) =>
      invitation(name, name === 'told' ? 'inbound' : 'outbound'),
    ) as [Invitation, Invitation, Invitation, Invitation];
    await idOf(before, waiting);
    await before.decide(await idOf(before, approved), 'approved', 'admin');
    await before.decide(await idOf(before, denied), 'denied', 'admin');
    const toldId = await idOf(before, told);
    await before.decide(toldId, 'approved', 'admin');
    await before.told(toldId);
    await before.hold(invitation('elsewhere'), 'them');
    const after = await load();
    assert.deepEqual(await after.list({ isAll: true }), await before.list({ isAll: true }));
    assert.deepEqual(
      [waiting, approved, denied, told, invitation('other')].map((one) => after.standing(one)),
      ['none', 'approved', 'refused', 'approved', 'none'],
    );
    // For exactly this room, inviter and invitee.
    for (const change of [{ roomId: '!x:a' }, { inviter: '@x:a' }, { invitee: '@x:b' }])
      assert.equal(after.standing({ ...approved, ...change }), 'none');
  });

  it('ends approvals and denials after a week, and what nobody decided after thirty days', async () => {
    const approvals = await load();
    const [old, yes, no] = [invitation('old'), invitation('yes', 'inbound'), invitation('no')];
    const oldId = await idOf(approvals, old);
    await approvals.decide(await idOf(approvals, yes), 'approved', 'admin');
    await approvals.decide(await idOf(approvals, no), 'denied', 'admin');
    now += 7 * dayMs - 1;
    assert.deepEqual([approvals.standing(yes), approvals.standing(no)], ['approved', 'refused']);
    now += 1;
    assert.deepEqual([approvals.standing(yes), approvals.standing(no)], ['none', 'none']);
    const ids = async () => (await approvals.list()).map(({ approvalId }) => approvalId);
    assert.ok((await ids()).includes(oldId));
    now += 23 * dayMs;
    assert.ok(!(await ids()).includes(oldId));
    await assert.rejects(approvals.decide(oldId, 'approved', 'admin'), /No invitation waits/);
    // Asked for again it waits anew.
    assert.equal(await idOf(approvals, old), oldId);
    await approvals.decide(oldId, 'approved', 'admin');
    assert.equal(approvals.standing(old), 'approved');
    assert.equal((await database().audit.verify()).fault, undefined);
  });

  it('lets a partner’s invitation be used once, in the write set of the invitation', async () => {
    const approvals = await load();
    const one = invitation('once', 'inbound');
    assert.deepEqual(approvals.use(one).ops, []);
    const id = await idOf(approvals, one);
    assert.deepEqual(approvals.use(one).ops, []);
    await approvals.decide(id, 'approved', 'admin');
    const { ops, done } = approvals.use(one);
    await database().writer.submit({ label: 't', ops });
    done();
    assert.equal(approvals.standing(one), 'none');
    assert.equal((await load()).standing(one), 'none');
    assert.equal(approvals.wasLetThrough(one), true);
  });
});
