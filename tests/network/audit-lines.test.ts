import assert from 'node:assert/strict';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { type TestIsland, TestNetwork } from '../support/test-network.ts';

describe('the audit log of an island', () => {
  let network: TestNetwork;
  let clock: ShiftableClock;
  let acme: TestIsland;

  before(async () => {
    clock = new ShiftableClock();
    network = await TestNetwork.start(['acme.test', 'bolt.test'], { clock });
    acme = network.island('acme.test');
  });

  after(() => network.stop());

  async function lines(): Promise<AuditRecord[]> {
    const { audit } = acme.homeserver.db;
    await audit.settled();
    return audit.page();
  }

  /** The newest line of an action, once there are so many. */
  async function newest(action: string, count = 1): Promise<AuditRecord> {
    let found: AuditRecord[] = [];
    await network.until(async () => {
      found = (await lines()).filter((line) => line.action === action);
      return found.length >= count;
    }, `there are no ${count} lines of ${action}`);
    const last = found.at(-1);
    assert.ok(last);
    return last;
  }

  it('has a line for each start and stop, and says of a start whether the run before was ended', async () => {
    const first = await newest('island.start');
    assert.equal(first.actor, 'acme.test');
    assert.equal(first.detail?.['after_a_crash'], false);
    assert.match(String(first.detail['configuration']), /^[A-Za-z0-9+/]{43}=$/);
    await network.restart('acme.test');
    assert.equal((await newest('island.stop')).detail?.['configuration'], first.detail['configuration']);
    assert.deepEqual((await newest('island.start', 2)).detail, first.detail);
  });

  it('has lines for partners that come, change and go by the configuration, and for their links', async () => {
    await network.pair('acme.test', 'bolt.test');
    const added = await newest('partner.add');
    assert.deepEqual(
      [added.actor, added.subject, added.detail],
      ['configuration', 'bolt.test', { rule: 'homeserver.yaml:1' }],
    );
    assert.equal((await newest('link.up')).subject, 'bolt.test');
    acme.setPartners(
      acme.partners.map((partner) => ({
        ...partner,
        transport: { ...partner.transport, allowPrivateIp: true },
        policy: { ...partner.policy, files: { direction: 'none' } },
      })),
    );
    assert.deepEqual((await newest('partner.change')).detail?.['parts'], ['policy.files', 'transport']);
    acme.homeserver.federation.link.cut('bolt.test');
    assert.deepEqual((await newest('link.down')).detail, { reason: 'cut' });
    await network.linked('acme.test', 'bolt.test');
    const { partners } = acme;
    acme.setPartners([]);
    assert.equal((await newest('partner.remove')).subject, 'bolt.test');
    await network.until(async () => {
      network.island('bolt.test').homeserver.federation.partnersChanged();
      return (await lines()).some(({ action }) => action === 'link.refuse');
    }, 'no refused link is told');
    const refused = await newest('link.refuse');
    assert.deepEqual([refused.actor, refused.outcome, refused.subject], ['anonymous', 'denied', undefined]);
    acme.setPartners(partners);
  });

  it('has lines for what changed while the island did not run, and says nothing twice', async () => {
    const before = (await lines()).filter(({ action }) => action.startsWith('partner.')).length;
    await network.restart('acme.test');
    assert.equal((await lines()).filter(({ action }) => action.startsWith('partner.')).length, before);
    await network.restart('acme.test', async (island) => {
      island.partners = island.partners.map((partner) => ({ ...partner, state: 'suspended' }));
    });
    assert.equal((await newest('partner.change', 2)).subject, 'bolt.test');
    assert.equal((await lines()).filter(({ action }) => action.startsWith('partner.')).length, before + 1);
  });

  it('has a line for a partnership that ends at its time', async () => {
    const validUntil = clock.now() + 60_000;
    acme.setPartners(acme.partners.map((partner) => ({ ...partner, state: 'active', validUntil })));
    await newest('partner.change', 3);
    assert.ok(!(await lines()).some(({ action }) => action === 'partner.expire'));
    assert.equal((await clock.hurry(newest('partner.expire'))).subject, 'bolt.test');
    await network.restart('acme.test');
    assert.equal((await lines()).filter(({ action }) => action === 'partner.expire').length, 1);
    assert.equal((await acme.homeserver.db.audit.verify()).fault, undefined);
  });
});
