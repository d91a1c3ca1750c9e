import assert from 'node:assert/strict';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import { agreement, proposalJson, readProposal } from '../../policy/proposal.ts';

const policy = (overrides: Partial<PartnerPolicy>): PartnerPolicy => ({
  ...defaultPartnerPolicy,
  ...overrides,
});

describe('what two policies allow together', () => {
  const meet = (ours: Partial<PartnerPolicy>, theirs: Partial<PartnerPolicy>) =>
    agreement(policy(ours), readProposal(proposalJson(policy(theirs))));

  it('is what each allows, and names who does not', () => {
    const agreed = meet(
      { invites: { outbound: 'allow', inbound: 'approve' }, files: { direction: 'both', maxSize: 10 } },
      { invites: { outbound: 'allow', inbound: 'deny' }, files: { direction: 'inbound', maxSize: 7 } },
    );
    // Their inbound is our outbound.
    assert.deepEqual(agreed.weInvite, { value: 'deny', limitedBy: 'them' });
    assert.deepEqual(agreed.theyInvite, { value: 'approve', limitedBy: 'us' });
    assert.deepEqual(agreed.theyOpenFiles, { value: true, limitedBy: undefined });
    assert.deepEqual(agreed.weOpenFiles, { value: false, limitedBy: 'them' });
    assert.equal(agreed.maxFileSize, 7);
    assert.deepEqual(agreed.thirdParties, { value: 'deny', limitedBy: 'both' });
    assert.deepEqual(agreed.shared.presence, { value: false, limitedBy: 'both' });
    assert.deepEqual(agreed.shared.typing, { value: true, limitedBy: undefined });
  });

  it('is the same seen from either side', () => {
    const [a, b] = [
      { invites: { outbound: 'deny', inbound: 'allow' }, files: { direction: 'outbound' } },
      {
        invites: { outbound: 'approve', inbound: 'approve' },
        share: { ...defaultPartnerPolicy.share, typing: false },
      },
    ] as const;
    const [one, other] = [meet(a, b), meet(b, a)];
    assert.equal(one.weInvite.value, other.theyInvite.value);
    assert.equal(one.theyInvite.value, other.weInvite.value);
    assert.equal(one.weOpenFiles.value, other.theyOpenFiles.value);
    assert.equal(one.shared.typing.value, other.shared.typing.value);
  });

  it('notices encryption that nobody can satisfy', () => {
    const rooms = (encryption: PartnerPolicy['rooms']['encryption']) => ({
      rooms: { ...defaultPartnerPolicy.rooms, encryption },
    });
    assert.equal(meet(rooms('required'), rooms('forbidden')).encryption, 'conflict');
    assert.equal(meet(rooms('required'), rooms('optional')).encryption, 'required');
    assert.equal(meet(rooms('optional'), rooms('forbidden')).encryption, 'forbidden');
  });

  it('is ours alone where the card proposes nothing', () => {
    const agreed = agreement(policy({}), undefined);
    assert.deepEqual(agreed.weInvite, { value: 'allow', limitedBy: undefined });
    assert.deepEqual(agreed.shared.presence, { value: false, limitedBy: 'us' });
  });
});
