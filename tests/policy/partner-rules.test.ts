import assert from 'node:assert/strict';
import type { Decision } from '../../policy/decision.ts';
import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import {
  type BorderFacts,
  mayInvite,
  mayShare,
  mayTalk,
  mayTransferFiles,
  type PartnerFacts,
  type Shared,
} from '../../policy/partner-rules.ts';

const now = 1_000_000;

function facts(partner: Partial<PartnerFacts> | undefined, policy: Partial<PartnerPolicy> = {}): BorderFacts {
  return {
    now,
    serverName: 'acme.example',
    remoteServer: 'bolt.example',
    partner: partner && {
      serverName: 'bolt.example',
      state: 'active',
      rule: 'homeserver.yaml:12',
      policy: { ...defaultPartnerPolicy, ...policy },
      ...partner,
    },
  };
}

function codes(decision: Decision): string[] {
  return decision.allowed ? [] : decision.violations.map((violation) => violation.code);
}

const people = { localUser: '@bob:acme.example', remoteUser: '@li:bolt.example' } as const;

describe('policy of a partner', () => {
  it('denies everything without an active entry', () => {
    for (const [partner, code] of [
      [undefined, 'not_a_partner'],
      [{ serverName: 'dock.example' }, 'not_a_partner'],
      [{ state: 'suspended' }, 'partner_suspended'],
      [{ validUntil: now }, 'partner_expired'],
    ] as const) {
      const given = facts(partner);
      assert.deepEqual(codes(mayTalk(given)), [code]);
      assert.deepEqual(codes(mayInvite({ ...given, ...people, direction: 'inbound' })), [code]);
      assert.deepEqual(codes(mayTransferFiles({ ...given, direction: 'outbound' })), [code]);
      for (const what of ['typing', 'receipts', 'presence', 'directory'] satisfies Shared[])
        assert.deepEqual(codes(mayShare({ ...given, what })), [code]);
    }
  });

  it('allows by default what the border says, and not presence and directory', () => {
    const given = facts({ validUntil: now + 1 });
    assert.deepEqual(codes(mayTalk(given)), []);
    for (const direction of ['inbound', 'outbound'] as const) {
      assert.deepEqual(codes(mayInvite({ ...given, ...people, direction })), []);
      assert.deepEqual(codes(mayTransferFiles({ ...given, direction })), []);
    }
    for (const what of ['typing', 'receipts'] as const)
      assert.deepEqual(codes(mayShare({ ...given, what })), []);
    for (const what of ['presence', 'directory'] as const)
      assert.deepEqual(codes(mayShare({ ...given, what })), [`${what}_not_shared`]);
  });

  it('lets deny beat allow and names every reason with its rule', () => {
    const given = facts(
      {},
      { invites: { inbound: 'deny', outbound: 'allow' }, allowLocal: ['@ceo:acme.example'], allowRemote: [] },
    );
    const inbound = mayInvite({ ...given, ...people, direction: 'inbound' });
    assert.deepEqual(codes(inbound), ['invite_inbound_denied', 'local_user_denied', 'remote_user_denied']);
    assert.ok(
      !inbound.allowed && inbound.violations.every((violation) => violation.rule === 'homeserver.yaml:12'),
    );
    const outbound = mayInvite({ ...given, ...people, direction: 'outbound' });
    assert.deepEqual(codes(outbound), ['local_user_denied', 'remote_user_denied']);
  });

  it('keeps the directions of files apart', () => {
    const given = facts({}, { files: 'inbound' });
    assert.deepEqual(codes(mayTransferFiles({ ...given, direction: 'inbound' })), []);
    assert.deepEqual(codes(mayTransferFiles({ ...given, direction: 'outbound' })), ['files_denied']);
  });
});
