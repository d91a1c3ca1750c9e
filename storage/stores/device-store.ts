import type { Reader } from '../connection.ts';
import type { DeviceRow } from '../schema/user-tables.ts';
import type { Row, WriteOp } from '../write-set.ts';
import { BatchedLookup } from './batched-lookup.ts';
import { Lru } from './lru.ts';

export interface DeviceRecord {
  readonly userId: string;
  readonly deviceId: string;
  readonly displayName: string | null;
  readonly lastSeenTs: number;
  readonly lastSeenIp: string | null;
  readonly createdTs: number;
}

/** Whose an access token is. */
export interface TokenRecord {
  readonly tokenHash: string;
  readonly userId: string;
  readonly deviceId: string;
  readonly createdTs: number;
  /** Of the user, as one who administers the island. */
  readonly roles: readonly string[];
  readonly deactivated: boolean;
}

/** User, device, key. */
type TxnId = readonly [string, string, string];

const cachedTokens = 10_000;
const tokenTables = ['access_tokens', 'users', 'user_roles'];

/** Devices, their access tokens, and the transactions that they sent. */
export class DeviceStore {
  readonly #reader: Reader;
  readonly #tokens: Lru<string, TokenRecord> | undefined;
  readonly #txns: BatchedLookup<TxnId, string>;
  #generation = 0;

  /** With other processes on the same database nothing is kept in memory: they may log a device out. */
  constructor(reader: Reader) {
    this.#reader = reader;
    this.#txns = new BatchedLookup((wanted) => this.#txnEvents(wanted));
    this.#tokens = reader.kind === 'sqlite' ? new Lru(cachedTokens) : undefined;
  }

  /** Called after each commit: what was known of tokens may not hold any more. */
  tablesChanged(tables: ReadonlySet<string>): void {
    if (!tokenTables.some((table) => tables.has(table))) return;
    this.#generation += 1;
    this.#tokens?.clear();
  }

  /** From memory only; undefined says nothing. */
  knownToken(tokenHash: string): TokenRecord | undefined {
    return this.#tokens?.get(tokenHash);
  }

  /** By the hash under which it was stored. From memory where it was asked for before. */
  async token(tokenHash: string): Promise<TokenRecord | undefined> {
    const known = this.#tokens?.get(tokenHash);
    if (known !== undefined) return known;
    const generation = this.#generation;
    const row = await this.#reader.first<{
      user_id: string;
      device_id: string;
      created_ts: number;
    }>('SELECT user_id, device_id, created_ts FROM access_tokens WHERE token_hash = ?', [tokenHash]);
    if (row === undefined) return undefined;
    const localpart = row.user_id.slice(1, row.user_id.indexOf(':'));
    const rows = await this.#reader.query<{ deactivated: number; role: string | null }>(
      `SELECT u.deactivated, r.role FROM users u LEFT JOIN user_roles r ON r.localpart = u.localpart
       WHERE u.localpart = ?`,
      [localpart],
    );
    const token: TokenRecord = {
      tokenHash,
      userId: row.user_id,
      deviceId: row.device_id,
      createdTs: row.created_ts,
      roles: rows.flatMap(({ role }) => role ?? []),
      deactivated: rows[0]?.deactivated === 1,
    };
    if (generation === this.#generation) this.#tokens?.set(tokenHash, token);
    return token;
  }

  addToken(token: Pick<TokenRecord, 'tokenHash' | 'userId' | 'deviceId' | 'createdTs'>): WriteOp[] {
    const row = {
      token_hash: token.tokenHash,
      user_id: token.userId,
      device_id: token.deviceId,
      created_ts: token.createdTs,
    };
    return [{ kind: 'insert', table: 'access_tokens', rows: [row] }];
  }

  removeToken(tokenHash: string): WriteOp[] {
    return [{ kind: 'delete', table: 'access_tokens', where: { token_hash: tokenHash } }];
  }

  /** Logs a device out, or all devices of a user. */
  removeTokensOf(userId: string, deviceId?: string): WriteOp[] {
    const where: Row =
      deviceId === undefined ? { user_id: userId } : { user_id: userId, device_id: deviceId };
    return [{ kind: 'delete', table: 'access_tokens', where }];
  }

  async get(userId: string, deviceId: string): Promise<DeviceRecord | undefined> {
    const row = await this.#reader.first<DeviceRow>(
      'SELECT * FROM devices WHERE user_id = ? AND device_id = ?',
      [userId, deviceId],
    );
    return row === undefined ? undefined : toDevice(row);
  }

  async ofUser(userId: string): Promise<DeviceRecord[]> {
    const rows = await this.#reader.query<DeviceRow>(
      'SELECT * FROM devices WHERE user_id = ? ORDER BY device_id',
      [userId],
    );
    return rows.map(toDevice);
  }

  put(device: DeviceRecord): WriteOp[] {
    const row = {
      user_id: device.userId,
      device_id: device.deviceId,
      display_name: device.displayName,
      last_seen_ts: device.lastSeenTs,
      last_seen_ip: device.lastSeenIp,
      created_ts: device.createdTs,
    };
    return [{ kind: 'upsert', table: 'devices', key: ['user_id', 'device_id'], rows: [row] }];
  }

  rename(userId: string, deviceId: string, displayName: string | null): WriteOp[] {
    const where = { user_id: userId, device_id: deviceId };
    return [{ kind: 'update', table: 'devices', set: { display_name: displayName }, where }];
  }

  seen(userId: string, deviceId: string, ts: number, ip: string | null): WriteOp[] {
    const where = { user_id: userId, device_id: deviceId };
    return [{ kind: 'update', table: 'devices', set: { last_seen_ts: ts, last_seen_ip: ip }, where }];
  }

  /** The device (or all of a user's), its tokens, and what is remembered of its transactions. */
  remove(userId: string, deviceId?: string): WriteOp[] {
    const where: Row =
      deviceId === undefined ? { user_id: userId } : { user_id: userId, device_id: deviceId };
    return [
      ...this.removeTokensOf(userId, deviceId),
      { kind: 'delete', table: 'devices', where },
      { kind: 'delete', table: 'device_txns', where },
    ];
  }

  /**
   * The event that a transaction of this device made. Every message asks; what is asked for in one turn of the event
   * loop is read with one query, because on SQLite most of the cost is that of beginning to read.
   */
  txnEvent(userId: string, deviceId: string, txnKey: string): Promise<string | undefined> {
    return this.#txns.find([userId, deviceId, idFirst(txnKey)]);
  }

  /** Index: the key. */
  async #txnEvents(wanted: readonly TxnId[]): Promise<(string | undefined)[]> {
    const rows = wanted.map(() => '(CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS integer))');
    const found = await this.#reader.query<{ place: number; event_id: string }>(
      `SELECT v.column4 AS place, t.event_id FROM (VALUES ${rows.join(', ')}) AS v
        JOIN device_txns t ON t.user_id = v.column1 AND t.device_id = v.column2 AND t.txn_key = v.column3`,
      wanted.flatMap((id, place) => [...id, place]),
    );
    const events: (string | undefined)[] = wanted.map(() => undefined);
    for (const { place, event_id } of found) events[place] = event_id;
    return events;
  }

  /** The write set is refused with `DuplicateRow` if the transaction was stored already. */
  addTxn(txn: {
    readonly userId: string;
    readonly deviceId: string;
    readonly txnKey: string;
    readonly eventId: string;
    readonly createdTs: number;
  }): WriteOp[] {
    const row = {
      user_id: txn.userId,
      device_id: txn.deviceId,
      txn_key: idFirst(txn.txnKey),
      event_id: txn.eventId,
      created_ts: txn.createdTs,
    };
    return [{ kind: 'insert', table: 'device_txns', rows: [row] }];
  }
}

/**
 * The form in which a transaction's key is stored: what the client chose, the last line, comes first. Most clients
 * choose ids that grow, so the rows of a device are written one after the other, to one page instead of one for each
 * room. Two keys have one form only if they are equal: the last line holds no line break.
 */
function idFirst(txnKey: string): string {
  const end = txnKey.lastIndexOf('\n');
  return end < 0 ? txnKey : `${txnKey.slice(end + 1)}\n${txnKey.slice(0, end)}`;
}

function toDevice(row: DeviceRow): DeviceRecord {
  return {
    userId: row.user_id,
    deviceId: row.device_id,
    displayName: row.display_name,
    lastSeenTs: row.last_seen_ts,
    lastSeenIp: row.last_seen_ip,
    createdTs: row.created_ts,
  };
}
