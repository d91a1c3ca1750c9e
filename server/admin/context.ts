import type { Config } from '../../config/config.ts';
import type { Approvals } from '../../federation/approvals/approvals.ts';
import type { LocalPeople } from '../../federation/border/people.ts';
import type { Federation } from '../../federation/federation.ts';
import type { PartnerActions } from '../../federation/partners/actions.ts';
import type { PartnerRegistry } from '../../federation/partners/registry.ts';
import type { Clock } from '../../protocol/runtime.ts';
import type { RoomEngine } from '../../rooms/room-engine.ts';
import type { MergedLines } from '../../storage/audit/merged-lines.ts';
import type { Database } from '../../storage/database.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { OwnKeyService } from '../own-key-service.ts';
import type { DiffReport, ReloadReport } from '../reload-report.ts';
import type { Role } from './roles.ts';

/** Who acts: for the audit log, and for the check of their right. */
export interface Caller {
  /** `command line`, or a user id. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
}

/** The island as operations see it, whether it runs or not. */
export interface AdminContext {
  readonly config: Config;
  readonly db: Database;
  readonly clock: Clock;
  readonly accounts: Accounts;
  readonly people: LocalPeople;
  readonly partners: PartnerRegistry;
  readonly partnerActions: PartnerActions;
  readonly ownKeys: OwnKeyService;
  readonly approvals: Approvals;
  /** Undefined while the island does not run, and a command has its database. */
  readonly island: IslandParts | undefined;
}

/** What there is only while the island runs. */
export interface IslandParts {
  readonly federation: Federation;
  readonly engine: RoomEngine;
  /** Lines about calls that were refused for want of a role. */
  readonly refusals: MergedLines;
  /**
   * Reads the configuration again and takes it over, all or nothing, or the entry of one partner; throws AdminError for
   * files with mistakes.
   */
  reload(options: { readonly partner?: string | undefined }): Promise<ReloadReport>;
  /** What a reload would change. */
  diff(): Promise<DiffReport>;
}

/** The context of an operation that needs a running island. */
export type RunningContext = AdminContext & { readonly island: IslandParts };
