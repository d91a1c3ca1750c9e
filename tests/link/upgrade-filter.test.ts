import assert from 'node:assert/strict';
import { defaultLinkLimits } from '../../federation/link/limits.ts';
import type { LinkPartner } from '../../federation/link/types.ts';
import {
  strictUpgradeChecks,
  type UpgradeAttempt,
  type UpgradeChecks,
  UpgradeFilter,
  type UpgradeVerdict,
} from '../../federation/link/upgrade-filter.ts';
import { linkSubprotocol, upgradeRequest } from '../../federation/link/upgrade-request.ts';
import { generateSigningKey, type SigningKey } from '../../protocol/signing.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { random } from './support.ts';

describe('link: the upgrade filter', () => {
  const bolt = generateSigningKey('ed25519:b', random);
  const acme = generateSigningKey('ed25519:a', random);

  function partner(changes: Partial<LinkPartner> = {}): LinkPartner {
    return {
      serverName: 'bolt.test',
      state: 'active',
      verifyKeys: new Map([[bolt.keyId, { key: bolt.publicKey }]]),
      urls: [],
      dial: 'both',
      allowCleartext: false,
      allowPrivateIp: false,
      ...changes,
    };
  }

  function setUp(changes: { checks?: Partial<UpgradeChecks>; partners?: LinkPartner[] } = {}) {
    const clock = new FakeClock();
    const partners = changes.partners ?? [partner()];
    const filter = new UpgradeFilter(
      {
        serverName: 'acme.test',
        signingKey: acme,
        partners: {
          get: (name) => partners.find((entry) => entry.serverName === name),
          active: () => partners.filter((entry) => entry.state === 'active'),
        },
        clock,
        limits: defaultLinkLimits,
      },
      { ...strictUpgradeChecks, ...changes.checks },
    );
    const attempt = (
      from: { name?: string; key?: SigningKey; to?: string; address?: string } = {},
    ): UpgradeAttempt => {
      const request = upgradeRequest(
        { serverName: from.name ?? 'bolt.test', signingKey: from.key ?? bolt, clock, random },
        from.to ?? 'acme.test',
      );
      return {
        uri: request.uri,
        headers: { authorization: request.authorization, 'sec-websocket-protocol': linkSubprotocol },
        address: from.address ?? '192.0.2.1',
      };
    };
    return { clock, filter, attempt };
  }

  function assertRefused(verdict: UpgradeVerdict, reason: string): void {
    assert.ok(!verdict.ok);
    assert.equal(verdict.reason, reason);
    assert.equal(verdict.status, 403);
  }

  it('lets an active partner with a pinned key pass', () => {
    const { filter, attempt } = setUp();
    const verdict = filter.judge(attempt());
    assert.ok(verdict.ok);
    assert.equal(verdict.partner.serverName, 'bolt.test');
    assert.deepEqual(verdict.offers, [linkSubprotocol]);
  });

  it('refuses strangers, suspended partners and keys that are not pinned, or not any more', () => {
    const stranger = setUp({ partners: [] });
    assertRefused(stranger.filter.judge(stranger.attempt()), 'not-a-partner');
    const suspended = setUp({ partners: [partner({ state: 'suspended' })] });
    assertRefused(suspended.filter.judge(suspended.attempt()), 'not-a-partner');
    const { filter, attempt } = setUp();
    assertRefused(filter.judge(attempt({ key: generateSigningKey('ed25519:new', random) })), 'unpinned-key');
    const old = setUp({
      partners: [partner({ verifyKeys: new Map([[bolt.keyId, { key: bolt.publicKey, validUntil: 1 }]]) })],
    });
    assertRefused(old.filter.judge(old.attempt()), 'unpinned-key');
  });

  it('refuses what is not a signed request for this path', () => {
    const { filter, attempt } = setUp();
    const good = attempt();
    const altered: UpgradeAttempt[] = [
      { ...good, uri: '/_archipelago/link/v1' },
      { ...good, uri: good.uri.replace('link/v1', 'link/v2') },
      { ...good, uri: `${good.uri}&more=1` },
      { ...good, headers: { ...good.headers, authorization: 'Bearer x' } },
      { ...good, headers: { ...good.headers, authorization: undefined } },
      { ...good, headers: { ...good.headers, 'sec-websocket-protocol': 'chat' } },
    ];
    for (const attempt of altered) assertRefused(filter.judge(attempt), 'malformed');
  });

  it('refuses a forged signature, and would not without looking', () => {
    const forger = generateSigningKey(bolt.keyId, random);
    const { filter, attempt } = setUp();
    assertRefused(filter.judge(attempt({ key: forger })), 'bad-signature');
    const weak = setUp({ checks: { isSigned: () => true } });
    assert.ok(weak.filter.judge(weak.attempt({ key: forger })).ok);
  });

  it('refuses a request that was signed for another island, and would not without looking', () => {
    const { filter, attempt } = setUp();
    assertRefused(filter.judge(attempt({ to: 'corp.test' })), 'wrong-destination');
    const weak = setUp({ checks: { isForUs: () => true } });
    assert.ok(weak.filter.judge(weak.attempt({ to: 'corp.test' })).ok);
  });

  it('refuses a dial that came back to its own dialler', () => {
    const { filter, attempt } = setUp();
    assertRefused(
      filter.judge(attempt({ name: 'acme.test', key: acme, to: 'bolt.test' })),
      'wrong-destination',
    );
    const named = setUp({ partners: [partner({ serverName: 'acme.test' })] });
    assertRefused(named.filter.judge(named.attempt({ name: 'acme.test', key: acme })), 'unpinned-key');
  });

  it('refuses a replay as long as the request counts as recent, and would not without looking', () => {
    const { filter, attempt, clock } = setUp();
    const recorded = attempt();
    assert.ok(filter.judge(recorded).ok);
    for (let minute = 0; minute < 10; minute += 1) {
      assertRefused(filter.judge(recorded), 'replay');
      clock.advance(60_000);
    }
    clock.advance(1);
    assertRefused(filter.judge(recorded), 'clock');
    const weak = setUp({ checks: { isFresh: () => true } });
    const again = weak.attempt();
    assert.ok(weak.filter.judge(again).ok && weak.filter.judge(again).ok);
  });

  it('refuses a replay also of a request whose clock was ten minutes ahead', () => {
    const { filter, attempt, clock } = setUp();
    clock.advance(600_000);
    const ahead = attempt();
    clock.advance(-600_000);
    assert.ok(filter.judge(ahead).ok);
    clock.advance(1_199_000);
    assertRefused(filter.judge(ahead), 'replay');
  });

  it('refuses clocks more than ten minutes apart, and would not without looking', () => {
    const { filter, attempt, clock } = setUp();
    const late = attempt();
    clock.advance(600_001);
    assertRefused(filter.judge(late), 'clock');
    const weak = setUp({ checks: { isRecent: () => true } });
    const old = weak.attempt();
    weak.clock.advance(86_400_000);
    assert.ok(weak.filter.judge(old).ok);
  });

  it('limits how often one address may knock, and how often one partner may', () => {
    const { filter, attempt, clock } = setUp();
    for (let time = 0; time < defaultLinkLimits.addressBurst; time += 1)
      assertRefused(filter.judge({ ...attempt(), uri: '/' }), 'malformed');
    const verdict = filter.judge(attempt());
    assert.ok(!verdict.ok && verdict.status === 429 && (verdict.retryAfterMs ?? 0) > 0);
    assert.ok(filter.judge(attempt({ address: '192.0.2.2' })).ok, 'another address is not concerned');
    clock.advance(1_000);
    assert.ok(filter.judge(attempt()).ok, 'the bucket fills again');

    const dense = setUp();
    const verdicts = Array.from({ length: 40 }, (_, index) =>
      dense.filter.judge(dense.attempt({ address: `192.0.2.${index}` })),
    );
    assert.equal(verdicts.filter((one) => one.ok).length, defaultLinkLimits.originBurst);
    assert.ok(verdicts.every((one) => one.ok || (one.status === 429 && one.reason === 'origin-limit')));
  });

  it('does not let a stranger use up the bucket of a partner', () => {
    const { filter, attempt } = setUp();
    const forger = generateSigningKey(bolt.keyId, random);
    for (let time = 0; time < 90; time += 1)
      filter.judge(attempt({ key: forger, address: `198.51.100.${time}` }));
    assert.ok(filter.judge(attempt()).ok);
  });
});
