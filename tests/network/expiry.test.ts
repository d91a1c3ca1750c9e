import assert from 'node:assert/strict';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import { ShiftableClock } from '../support/shiftable-clock.ts';
import { TestNetwork } from '../support/test-network.ts';

const day = 24 * 3600_000;

describe('the end of a partnership', () => {
  let network: TestNetwork;
  let clock: ShiftableClock;

  beforeEach(async () => {
    clock = new ShiftableClock();
    network = await TestNetwork.paired(['acme.test', 'bolt.test'], { clock });
  });

  afterEach(() => clock.hurry(network.stop()));

  const acme = () => network.island('acme.test');

  function endAt(validUntil: number): void {
    acme().setPartners(acme().partners.map((partner) => ({ ...partner, validUntil })));
  }

  async function notes(): Promise<AuditRecord[]> {
    const { audit } = acme().homeserver.db;
    return (await audit.page()).filter(({ action }) => action.startsWith('partner.expire'));
  }

  async function noted(count: number): Promise<AuditRecord[]> {
    await network.until(async () => (await notes()).length >= count, `there is no note ${count}`);
    return notes();
  }

  const linkState = (): string => acme().homeserver.federation.link.status('bolt.test').state;

  it('closes the link at that moment, by itself, and says so', async () => {
    const end = clock.now() + 3_000;
    endAt(end);
    const [soon] = await noted(1);
    assert.deepEqual(
      [soon?.action, soon?.subject, soon?.detail?.['within_days']],
      ['partner.expires-soon', 'bolt.test', 1],
    );
    assert.equal(linkState(), 'connected');
    clock.putForward(2_900);
    assert.equal(linkState(), 'connected');
    clock.putForward(200);
    await network.until(() => linkState() === 'down', 'the link stays');
    const [, over] = await noted(2);
    assert.deepEqual([over?.action, over?.subject], ['partner.expire', 'bolt.test']);
    await network.until(
      () => acme().lines.some(({ msg }) => msg === 'a partnership has ended and is suspended'),
      'the log does not say so',
    );
    assert.equal((await acme().homeserver.federation.status())[0]?.state, 'suspended');
    // A renewed contract opens it again.
    endAt(end + 400 * day);
    await network.linked('acme.test', 'bolt.test');
  });

  it('is announced 30, 7 and 1 days before, each once, whatever is restarted', async () => {
    endAt(clock.now() + 40 * day);
    await network.settled();
    assert.deepEqual(await notes(), []);
    const steps: number[][] = [];
    for (const ahead of [11, 23, 5.5]) {
      clock.putForward(ahead * day);
      const lines = await noted(steps.length + 1);
      await network.restart('acme.test');
      await network.settled();
      assert.equal((await notes()).length, lines.length);
      steps.push(lines.map(({ detail }) => Number(detail?.['within_days'])));
    }
    assert.deepEqual(steps.at(-1), [30, 7, 1]);
  });
});
