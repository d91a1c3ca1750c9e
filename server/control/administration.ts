/** The island that answers on a control socket. */
export interface IslandDescription {
  readonly server_name: string;
  readonly pid: number;
  readonly version: string;
}

import type { AuditRecord, ChainFault } from '../../storage/audit/chain.ts';

/** What a check of the audit log found. */
export interface AuditVerdict {
  readonly lines: number;
  readonly fault: ChainFault | null;
}

/** A user, as `archipelago user list` shows them. */
export interface UserSummary {
  readonly user_id: string;
  readonly localpart: string;
  readonly display_name: string | null;
  readonly admin: boolean;
  readonly deactivated: boolean;
  /** Milliseconds since the epoch. */
  readonly created_ts: number;
}

/** A partner, as `archipelago partner list` shows it. */
export interface PartnerSummary {
  readonly server_name: string;
  readonly state: 'active' | 'suspended';
  readonly link: {
    readonly state: 'connected' | 'connecting' | 'down';
    /** Milliseconds since the epoch; null while the island does not run. */
    readonly since: number | null;
    readonly dialled_by: 'us' | 'them' | null;
  };
  /** How much is still to be delivered. */
  readonly outbox: { readonly pdu: number; readonly device: number; readonly ephemeral: number };
}

/**
 * What commands do to an island, whether it runs (over its control socket) or not (on its database). Everything
 * rejects with an error whose message is for the administrator.
 */
export interface Administration {
  addUser(request: { localpart: string; password: string; admin: boolean }): Promise<{ userId: string }>;
  listUsers(): Promise<UserSummary[]>;
  /** Gives how many sessions that ended. */
  resetPassword(request: { localpart: string; password: string }): Promise<{ sessions: number }>;
  deactivateUser(request: { localpart: string }): Promise<{ sessions: number }>;
  listPartners(): Promise<PartnerSummary[]>;
  /** Cuts a partner off, in effect when it resolves. */
  suspendPartner(request: {
    serverName: string;
    reason?: string | undefined;
    keepRooms: boolean;
  }): Promise<{ wasSuspended: boolean }>;
  resumePartner(request: { serverName: string }): Promise<{ wasSuspended: boolean }>;
  /** Lines of the audit log after a number, oldest first; an empty page is its end. */
  auditPage(request: { after: number }): Promise<AuditRecord[]>;
  /** Checks the whole chain. */
  verifyAudit(): Promise<AuditVerdict>;
}
