import { defaultPartnerPolicy, type PartnerPolicy } from '../../policy/partner-policy.ts';
import type { TestIsland } from './test-network.ts';

/** Gives one partner of a running island another policy: the defaults but for this. */
export function setPolicy(island: TestIsland, partner: string, policy: Partial<PartnerPolicy>): void {
  island.setPartners(
    island.partners.map((entry) =>
      entry.serverName === partner ? { ...entry, policy: { ...defaultPartnerPolicy, ...policy } } : entry,
    ),
  );
}
