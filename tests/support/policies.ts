import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import { severalPartners, type TestIsland } from './test-network.ts';

/** Gives one partner of a running island another policy: those of all islands of tests but for this. */
export function setPolicy(island: TestIsland, partner: string, policy: Partial<PartnerPolicy>): void {
  island.setPartners(
    island.partners.map((entry) =>
      entry.serverName === partner
        ? { ...entry, policy: { ...defaultPartnerPolicy, ...severalPartners, ...policy } }
        : entry,
    ),
  );
}
