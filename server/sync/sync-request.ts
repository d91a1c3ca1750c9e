import type { JsonObject } from '../../protocol/json.ts';
import type { SyncFilter } from '../event-filter.ts';
import type { AccountDataChanges } from './account-data-changes.ts';
import type { SyncToken } from './token.ts';

export interface SyncRequest {
  readonly userId: string;
  readonly deviceId: string;
  readonly since: SyncToken | undefined;
  readonly filter: SyncFilter;
  /** Milliseconds to wait for something new. */
  readonly timeout: number;
  readonly fullState: boolean;
  readonly useStateAfter: boolean;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

/** One `/sync` answer in the making: from where to where, for whom. */
export interface SyncScope {
  readonly userId: string;
  readonly deviceId: string;
  readonly filter: SyncFilter;
  readonly fullState: boolean;
  readonly useStateAfter: boolean;
  /** Undefined for an initial sync. */
  readonly since: SyncToken | undefined;
  readonly upTo: SyncToken;
  readonly accountData: AccountDataChanges;
}

export interface RoomSections {
  join: Record<string, JsonObject>;
  invite: Record<string, JsonObject>;
  leave: Record<string, JsonObject>;
}
