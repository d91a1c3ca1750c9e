import type { PartnerStatus } from '../../federation/federation.ts';
import { PartnerActionRefused, type PartnerActions } from '../../federation/partner-actions.ts';
import { MatrixError } from '../../http/errors.ts';
import { isValidLocalpart } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { AuditRecord } from '../../storage/audit/chain.ts';
import type { Database } from '../../storage/database.ts';
import type { UserRecord } from '../../storage/stores/user-store.ts';
import { AdminError } from '../admin-error.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { Administration, AuditVerdict, PartnerSummary, UserSummary } from './administration.ts';

/** Administration by the process that has the database open: the island itself, or a command while it is stopped. */
export class DirectAdministration implements Administration {
  readonly #db: Database;
  readonly #accounts: Accounts;
  readonly #partners: () => Promise<PartnerSummary[]>;
  readonly #actions: PartnerActions;

  constructor(deps: {
    db: Database;
    accounts: Accounts;
    partners: () => Promise<PartnerSummary[]>;
    actions: PartnerActions;
  }) {
    this.#actions = deps.actions;
    this.#db = deps.db;
    this.#accounts = deps.accounts;
    this.#partners = deps.partners;
  }

  async addUser(request: { localpart: string; password: string; admin: boolean }) {
    const { localpart, password, admin } = request;
    try {
      const userId = await this.#accounts.create(localpart, password, admin);
      await this.#note('user.add', userId, { admin });
      return { userId };
    } catch (error) {
      throw explained(error, localpart);
    }
  }

  async listUsers(): Promise<UserSummary[]> {
    const users: UserSummary[] = [];
    for (;;) {
      const page = await this.#db.users.list(users.at(-1)?.localpart);
      if (page.length === 0) return users;
      users.push(...page.map((user) => this.#summary(user)));
    }
  }

  #summary(user: UserRecord): UserSummary {
    return {
      user_id: this.#accounts.userIdOf(user.localpart),
      localpart: user.localpart,
      display_name: user.displayName,
      admin: user.isAdmin,
      deactivated: user.deactivated,
      created_ts: user.createdTs,
    };
  }

  async resetPassword({ localpart, password }: { localpart: string; password: string }) {
    const userId = await this.#activeUser(localpart);
    const sessions = await this.#db.devices.ofUser(userId);
    try {
      await this.#accounts.changePassword(userId, password, { logOutOthers: true });
    } catch (error) {
      throw explained(error, localpart);
    }
    await this.#note('user.reset-password', userId, { sessions: sessions.length });
    return { sessions: sessions.length };
  }

  async deactivateUser({ localpart }: { localpart: string }) {
    const userId = await this.#activeUser(localpart);
    const sessions = await this.#db.devices.ofUser(userId);
    await this.#accounts.deactivate(userId);
    await this.#note('user.deactivate', userId, { sessions: sessions.length });
    return { sessions: sessions.length };
  }

  async #activeUser(localpart: string): Promise<string> {
    const user = await this.#db.users.get(localpart);
    const userId = this.#accounts.userIdOf(localpart);
    if (user === undefined) throw new AdminError(`There is no user ${userId}`);
    if (user.deactivated) throw new AdminError(`The user ${userId} is deactivated`);
    return userId;
  }

  listPartners(): Promise<PartnerSummary[]> {
    return this.#partners();
  }

  async suspendPartner(request: { serverName: string; reason?: string | undefined; keepRooms: boolean }) {
    const { serverName, reason, keepRooms } = request;
    const done = await refusable(this.#actions.suspend(serverName, { by: actor, reason, keepRooms }));
    return { wasSuspended: !done };
  }

  async resumePartner({ serverName }: { serverName: string }) {
    return { wasSuspended: await refusable(this.#actions.resume(serverName, { by: actor })) };
  }

  auditPage({ after }: { after: number }): Promise<AuditRecord[]> {
    return this.#db.audit.page({ after });
  }

  async verifyAudit(): Promise<AuditVerdict> {
    await this.#db.audit.settled();
    const { lines, fault } = await this.#db.audit.verify();
    return { lines, fault: fault ?? null };
  }

  #note(action: string, subject: string, detail: JsonObject): Promise<void> {
    return this.#db.audit.append([{ action, outcome: 'done', actor, subject, detail }]);
  }
}

/** Who acts: whoever may open the control socket or the database. */
const actor = 'command line';

async function refusable<T>(action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw error instanceof PartnerActionRefused ? new AdminError(error.message) : error;
  }
}

/** The status of a partner in the words of the command line. */
export function partnerSummary({ serverName, state, link, outbox }: PartnerStatus): PartnerSummary {
  const { pdu, device, ephemeral } = outbox;
  return {
    server_name: serverName,
    state,
    link: { state: link.state, since: link.since, dialled_by: link.dialledBy },
    outbox: { pdu, device, ephemeral },
  };
}

/** What the client API refuses, said to an administrator. */
function explained(error: unknown, localpart: string): unknown {
  if (!(error instanceof MatrixError)) return error;
  if (error.errcode === 'M_USER_IN_USE') return new AdminError(`The user name ${localpart} is taken`);
  if (error.errcode !== 'M_INVALID_USERNAME') return new AdminError(error.message);
  const lower = localpart.toLowerCase();
  const hint = lower !== localpart && isValidLocalpart(lower) ? ` (did you mean "${lower}"?)` : '';
  return new AdminError(`"${localpart}" cannot be a user name. ${error.message}${hint}`);
}
