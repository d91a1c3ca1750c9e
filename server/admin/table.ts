import type { Static } from 'typebox';
import { approvalOperations } from './operations/approvals.ts';
import { auditOperations } from './operations/audit.ts';
import { cardOperations } from './operations/cards.ts';
import { configOperations } from './operations/config.ts';
import { departmentOperations } from './operations/departments.ts';
import { islandOperations } from './operations/island.ts';
import { keyOperations } from './operations/keys.ts';
import { partnerViewOperations } from './operations/partner-view.ts';
import { partnerOperations } from './operations/partners.ts';
import { policyOperations } from './operations/policy.ts';
import { quarantineOperations } from './operations/quarantine.ts';
import { roleOperations } from './operations/roles.ts';
import { roomOperations } from './operations/rooms.ts';
import { sessionOperations } from './operations/sessions.ts';
import { userOperations } from './operations/users.ts';

/**
 * Everything that an admin can do. From this come the control socket, the admin API with its OpenAPI file, the check of
 * roles and the lines of the audit log.
 */
export const operations = [
  ...islandOperations,
  ...configOperations,
  ...userOperations,
  ...sessionOperations,
  ...roleOperations,
  ...departmentOperations,
  ...partnerOperations,
  ...cardOperations,
  ...policyOperations,
  ...partnerViewOperations,
  ...keyOperations,
  ...roomOperations,
  ...approvalOperations,
  ...quarantineOperations,
  ...auditOperations,
] as const;

type AnyOperation = (typeof operations)[number];

export type OperationName = AnyOperation['name'];
type Named<Name extends OperationName> = Extract<AnyOperation, { readonly name: Name }>;
export type ParamsOf<Name extends OperationName> = Static<Named<Name>['params']>;
export type ResultOf<Name extends OperationName> = Static<Named<Name>['result']>;

/** What commands do to an island, whether it runs (over its control socket) or not (on its database). */
export interface Administration {
  /** Rejects with an error whose message is for the administrator. */
  call<Name extends OperationName>(name: Name, params: ParamsOf<Name>): Promise<ResultOf<Name>>;
}
