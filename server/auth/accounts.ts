import { hash } from 'node:crypto';
import { forbidden, MatrixError, unknownToken } from '../../http/errors.ts';
import type { AuthenticatedUser } from '../../http/route.ts';
import { isValidLocalpart, parseUserId } from '../../protocol/identifiers.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { AuditEvent } from '../../storage/audit/chain.ts';
import { type Database, DuplicateRow } from '../../storage/database.ts';
import type { TokenRecord } from '../../storage/stores/device-store.ts';
import type { WriteOp } from '../../storage/write-set.ts';
import type { Role } from '../admin/roles.ts';
import { AccountLines } from './account-lines.ts';
import { hashPassword, requireAcceptablePassword, verifyPassword } from './passwords.ts';

export interface Session {
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string;
}

export interface DeviceRequest {
  readonly deviceId?: string | undefined;
  readonly displayName?: string | undefined;
  readonly remoteAddress: string;
}

export interface AccountsDeps {
  readonly serverName: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly random: Random;
  /** The user as whom the server speaks: nobody registers or logs in under this name. */
  readonly system: { readonly localpart: string; readonly displayName: string };
}

/** Of the first admin, and of whoever a provisioning tool makes one. */
const adminRoles: readonly Role[] = ['owner', 'admin', 'partner-manager', 'security'];

/** Last-seen times are written at most this often for each device. */
const seenEveryMs = 10 * 60_000;

/** Who may come in: users, their passwords, devices and access tokens. Only hashes of tokens are stored. */
export class Accounts {
  readonly #deps: AccountsDeps;
  readonly #seen = new Map<string, number>();
  readonly #lines: AccountLines;

  constructor(deps: AccountsDeps) {
    this.#deps = deps;
    const { audit } = deps.db;
    this.#lines = new AccountLines({ record: (event) => audit.record(event), clock: deps.clock });
  }

  userIdOf(localpart: string): string {
    return `@${localpart}:${this.#deps.serverName}`;
  }

  /** The local part of one of our user ids; undefined for anybody else's. */
  localpartOf(userId: string): string | undefined {
    const parsed = parseUserId(userId);
    return parsed?.serverName === this.#deps.serverName ? parsed.localpart : undefined;
  }

  /** The profile of the user as whom the server speaks, who need not be there yet; undefined for anybody else. */
  systemProfile(localpart: string): { readonly displayname: string } | undefined {
    return this.#isReserved(localpart) ? { displayname: this.#deps.system.displayName } : undefined;
  }

  #isReserved(localpart: string): boolean {
    return localpart === this.#deps.system.localpart;
  }

  /** Throws 401 `M_UNKNOWN_TOKEN` for a token that is not, or no longer, valid. */
  authenticate(accessToken: string, remoteAddress: string): AuthenticatedUser | Promise<AuthenticatedUser> {
    const { devices } = this.#deps.db;
    const tokenHash = hashToken(accessToken);
    const known = devices.knownToken(tokenHash);
    if (known !== undefined) return this.#admit(known, remoteAddress);
    return devices.token(tokenHash).then((token) => this.#admit(token, remoteAddress));
  }

  #admit(token: TokenRecord | undefined, remoteAddress: string): AuthenticatedUser {
    if (token === undefined || token.deactivated) throw unknownToken();
    this.#noteSeen(token.userId, token.deviceId, remoteAddress);
    const { userId, deviceId, tokenHash, roles } = token;
    return {
      userId,
      deviceId,
      tokenHash,
      roles,
      isAdmin: roles.includes('admin') || roles.includes('owner'),
    };
  }

  /**
   * Throws 403 `M_FORBIDDEN` for a wrong name or password. Deactivated users have no password any more: they are
   * refused in the same words.
   */
  async logIn(user: string, password: string, device: DeviceRequest): Promise<Session> {
    const localpart = user.startsWith('@') ? this.localpartOf(user) : user;
    const record =
      localpart === undefined ? undefined : await this.#deps.db.users.get(localpart.toLowerCase());
    const isRight = await verifyPassword(record?.passwordHash, password);
    if (record === undefined || record.deactivated || !isRight || this.#isReserved(record.localpart)) {
      const known = record === undefined ? undefined : this.userIdOf(record.localpart);
      this.#lines.logInFailed(known, device.remoteAddress);
      throw forbidden('Wrong user name or password');
    }
    return this.#openSession(this.userIdOf(record.localpart), device);
  }

  /**
   * Makes a user; an admin becomes owner and admin. The audit log says that they came by themselves, or gets `line`.
   * Throws 400 with `M_INVALID_USERNAME`, `M_USER_IN_USE` or `M_WEAK_PASSWORD`.
   */
  async create(
    localpart: string,
    password: string | undefined,
    isAdmin: boolean,
    told: {
      readonly registration?: { readonly remoteAddress: string; readonly sharedSecret: boolean };
      readonly line?: AuditEvent;
    } = {},
  ): Promise<string> {
    const userId = this.userIdOf(localpart);
    this.requireValidName(localpart);
    if (this.#isReserved(localpart)) throw reserved();
    if (password !== undefined) requireAcceptablePassword(password);
    const { db, clock } = this.#deps;
    const passwordHash = password === undefined ? null : await hashPassword(password);
    try {
      const user = db.users.insert({
        localpart,
        passwordHash,
        deactivated: false,
        createdTs: clock.now(),
        displayName: null,
        avatarUrl: null,
      });
      const ops = [...user, ...db.roles.add(localpart, isAdmin ? adminRoles : [])];
      const notes = [{ stream: 'users', key: userId }] as const;
      const { registration } = told;
      const line =
        registration === undefined
          ? told.line
          : this.#lines.register(userId, { ...registration, admin: isAdmin });
      if (line === undefined) await db.writer.submit({ label: 'create user', ops, notes });
      else await db.audit.append([line], ops, notes);
    } catch (error) {
      if (error instanceof DuplicateRow) throw userInUse();
      throw error;
    }
    return userId;
  }

  requireValidName(localpart: string): void {
    const isValid = isValidLocalpart(localpart) && parseUserId(this.userIdOf(localpart)) !== undefined;
    if (isValid) return;
    throw new MatrixError(
      400,
      'M_INVALID_USERNAME',
      'A user name consists of a-z, 0-9 and the characters . _ = - / + and fits into 255 bytes',
    );
  }

  async requireFreeName(localpart: string): Promise<void> {
    this.requireValidName(localpart);
    if (this.#isReserved(localpart)) throw reserved();
    if ((await this.#deps.db.users.get(localpart)) !== undefined) throw userInUse();
  }

  openSession(userId: string, device: DeviceRequest): Promise<Session> {
    return this.#openSession(userId, device);
  }

  async logOut(user: AuthenticatedUser): Promise<void> {
    const line = this.#lines.logOut(user.userId, [user.deviceId]);
    await this.#audited(line, user.userId, this.#deps.db.devices.remove(user.userId, user.deviceId));
  }

  async logOutEverywhere(userId: string): Promise<void> {
    await this.#audited(this.#lines.logOut(userId, 'all'), userId, this.#deps.db.devices.remove(userId));
  }

  /** Ends sessions of a user; `line` goes to the audit log with it. */
  async endSessions(userId: string, deviceIds: readonly string[], line: AuditEvent): Promise<void> {
    const { devices } = this.#deps.db;
    await this.#audited(
      line,
      userId,
      deviceIds.flatMap((deviceId) => devices.remove(userId, deviceId)),
    );
  }

  async removeDevices(userId: string, deviceIds: readonly string[]): Promise<void> {
    const { devices } = this.#deps.db;
    const theirs = new Set((await devices.ofUser(userId)).map(({ deviceId }) => deviceId));
    const removed = [...new Set(deviceIds)].filter((deviceId) => theirs.has(deviceId));
    if (removed.length === 0) return;
    await this.#audited(
      this.#lines.logOut(userId, removed),
      userId,
      removed.flatMap((deviceId) => devices.remove(userId, deviceId)),
    );
  }

  /** Whether this is the password of one of our users. */
  async isPassword(userId: string, password: string): Promise<boolean> {
    const localpart = this.localpartOf(userId);
    const record = localpart === undefined ? undefined : await this.#deps.db.users.get(localpart);
    const isRight = await verifyPassword(record?.passwordHash, password);
    if (!isRight) this.#lines.confirmFailed(userId);
    return isRight;
  }

  /**
   * Sets a new password; all devices but `keepDevice` are logged out, unless the user wants otherwise. `bySelf`: it is
   * the user's own doing, and the audit log says so; else it gets `line`.
   */
  async changePassword(
    userId: string,
    password: string,
    options: {
      readonly keepDevice?: string | undefined;
      readonly logOutOthers: boolean;
      readonly bySelf?: boolean;
      readonly line?: AuditEvent;
    },
  ): Promise<void> {
    requireAcceptablePassword(password);
    const { db } = this.#deps;
    const localpart = this.localpartOf(userId) ?? '';
    const devices = options.logOutOthers ? await db.devices.ofUser(userId) : [];
    const ended = devices.filter(({ deviceId }) => deviceId !== options.keepDevice);
    const ops = [
      ...db.users.update(localpart, { passwordHash: await hashPassword(password) }),
      ...ended.flatMap(({ deviceId }) => db.devices.remove(userId, deviceId)),
    ];
    const line = options.bySelf === true ? this.#lines.changePassword(userId, ended.length) : options.line;
    if (line === undefined) await this.#write('change password', userId, ops);
    else await this.#audited(line, userId, ops);
  }

  /**
   * Nobody logs in as this user any more, all devices are logged out, and all roles are gone. `bySelf`: it is the user's
   * own doing, and the audit log says so; else it gets `line`. Throws 403 `M_FORBIDDEN` for the only owner.
   */
  async deactivate(
    userId: string,
    options: { readonly bySelf?: boolean; readonly line?: AuditEvent } = {},
  ): Promise<void> {
    const { db } = this.#deps;
    const localpart = this.localpartOf(userId) ?? '';
    const line = options.bySelf === true ? this.#lines.deactivate(userId) : options.line;
    await this.#unlessLastOwner(userId, line, [
      ...db.users.update(localpart, { deactivated: true, passwordHash: null }),
      ...db.devices.remove(userId),
      ...db.roles.remove(localpart),
    ]);
  }

  /** Gives somebody a role; `line` goes to the audit log with it. */
  async addRole(userId: string, role: Role, line: AuditEvent): Promise<void> {
    const { db } = this.#deps;
    await db.audit.append([line], db.roles.add(this.localpartOf(userId) ?? '', [role]));
  }

  /** Takes a role away; `line` goes to the audit log with it. Throws 403 `M_FORBIDDEN` for that of the only owner. */
  async removeRole(userId: string, role: Role, line: AuditEvent): Promise<void> {
    const { db } = this.#deps;
    await this.#unlessLastOwner(userId, line, db.roles.remove(this.localpartOf(userId) ?? '', role));
  }

  async #unlessLastOwner(
    userId: string,
    line: AuditEvent | undefined,
    ops: readonly WriteOp[],
  ): Promise<void> {
    const { roles, audit } = this.#deps.db;
    const isOwner = (await roles.of(this.localpartOf(userId) ?? '')).includes('owner');
    const lines = line === undefined ? [] : [line];
    await audit.append(lines, ops, [{ stream: 'devices', key: userId }], async (tx) => {
      if (isOwner && (await roles.countIn(tx, 'owner')) === 0)
        throw forbidden(`${userId} is the only owner of this island: make somebody else an owner first`);
    });
  }

  async #openSession(userId: string, device: DeviceRequest): Promise<Session> {
    if (this.#isReserved(this.localpartOf(userId) ?? '')) throw forbidden('Nobody logs in as this user');
    const { db, clock, random } = this.#deps;
    const deviceId = device.deviceId ?? letters(random.bytes(10));
    if (deviceId === '' || Buffer.byteLength(deviceId) > 255) {
      throw new MatrixError(400, 'M_INVALID_PARAM', 'A device id has 1 to 255 bytes');
    }
    const accessToken = `arc_${random.bytes(32).toString('base64url')}`;
    const known = await db.devices.get(userId, deviceId);
    const now = clock.now();
    const isNew = known === undefined;
    const line = this.#lines.logIn(userId, { deviceId, isNew, remoteAddress: device.remoteAddress });
    await this.#audited(line, userId, [
      // A device that logs in again gets a new token, and its old one ends.
      ...db.devices.removeTokensOf(userId, deviceId),
      ...db.devices.put({
        userId,
        deviceId,
        displayName: known === undefined ? (device.displayName ?? null) : known.displayName,
        lastSeenTs: now,
        lastSeenIp: device.remoteAddress,
        createdTs: known?.createdTs ?? now,
      }),
      ...db.devices.addToken({ tokenHash: hashToken(accessToken), userId, deviceId, createdTs: now }),
    ]);
    return { userId, deviceId, accessToken };
  }

  /** Writes what is still to be said in the audit log. */
  flush(): void {
    this.#lines.flush();
  }

  async #audited(line: AuditEvent, userId: string, ops: readonly WriteOp[]): Promise<void> {
    await this.#deps.db.audit.append([line], ops, [{ stream: 'devices', key: userId }]);
  }

  async #write(label: string, userId: string, ops: ReturnType<Database['devices']['put']>): Promise<void> {
    await this.#deps.db.writer.submit({ label, ops, notes: [{ stream: 'devices', key: userId }] });
  }

  #noteSeen(userId: string, deviceId: string, remoteAddress: string): void {
    const { db, clock } = this.#deps;
    const key = `${userId}\n${deviceId}`;
    const now = clock.now();
    if (now - (this.#seen.get(key) ?? 0) < seenEveryMs) return;
    this.#seen.set(key, now);
    // Not waited for, and no harm if it is lost: the next request in ten minutes writes it again.
    db.writer
      .submit({ label: 'device seen', ops: db.devices.seen(userId, deviceId, now, remoteAddress) })
      .catch(() => this.#seen.delete(key));
  }
}

function reserved(): MatrixError {
  return new MatrixError(400, 'M_EXCLUSIVE', 'This user name is the one as whom the server itself speaks');
}

function userInUse(): MatrixError {
  return new MatrixError(400, 'M_USER_IN_USE', 'This user name is taken');
}

export function hashToken(accessToken: string): string {
  return hash('sha256', accessToken);
}

/** Capital letters, as device ids are usually written. */
function letters(bytes: Buffer): string {
  return [...bytes].map((byte) => String.fromCharCode(65 + (byte % 26))).join('');
}
