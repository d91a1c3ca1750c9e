import type { Role } from '../../server/admin/roles.ts';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import { Client } from '../support/client.ts';
import type { TestIsland } from '../support/test-network.ts';

export const api = '/_archipelago/admin/v1';

/** A new user with these roles, whose client speaks to the admin API. */
export async function administrator(
  island: TestIsland,
  localpart: string,
  roles: readonly Role[],
): Promise<Client> {
  const session = await island.session(localpart);
  const { db } = island.homeserver;
  await db.writer.submit({ label: 'roles of a test', ops: db.roles.add(localpart, roles) });
  return Client.of(
    {
      get port() {
        return island.adminPort;
      },
    },
    { user_id: session.userId, device_id: session.deviceId, access_token: session.accessToken },
  );
}

/** The whole audit log. */
export async function auditOf(island: TestIsland): Promise<AuditRecord[]> {
  const { audit } = island.homeserver.db;
  await audit.settled();
  const lines: AuditRecord[] = [];
  for (;;) {
    const page = await audit.page({ after: lines.length });
    if (page.length === 0) return lines;
    lines.push(...page);
  }
}
