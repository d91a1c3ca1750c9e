import type { Clock } from '../protocol/runtime.ts';
import type { AuditEvent } from '../storage/audit/chain.ts';
import { MergedLines } from '../storage/audit/merged-lines.ts';
import type { AdminContext, IslandParts } from './admin/context.ts';
import type { Homeserver } from './homeserver.ts';

/** A running island as the operations of admins see it; `files` is what they can do with its configuration. */
export function contextOf(
  homeserver: Homeserver,
  clock: Clock,
  files: Omit<IslandParts, 'federation' | 'engine' | 'refusals'>,
): AdminContext & { readonly island: IslandParts } {
  const { db, accounts, people, partners, partnerActions, ownKeys, federation, engine } = homeserver;
  const record = (event: AuditEvent): void => db.audit.record(event);
  const refusals = new MergedLines({ record, clock, windowMs: 60_000 });
  return {
    // What is in force, also after a reload.
    get config() {
      return homeserver.config;
    },
    db,
    clock,
    accounts,
    people,
    partners,
    partnerActions,
    ownKeys,
    approvals: federation.approvals,
    island: { federation, engine, refusals, ...files },
  };
}
