import Type from 'typebox';
import { MatrixError } from '../../../http/errors.ts';
import { isValidLocalpart, parseUserId } from '../../../protocol/identifiers.ts';
import { AdminError } from '../../admin-error.ts';
import type { AdminContext, Caller } from '../context.ts';

/** What operations on users share. */

export const userParam = Type.String({
  description: 'A user of this island: `ann`, or `@ann:SERVER` in full.',
});

/** The local part of a user that an admin named: `ann`, or `@ann:acme.example` in full. */
export function localpartOf(user: string, { config: { serverName } }: AdminContext): string {
  if (!user.startsWith('@')) return user;
  const parsed = parseUserId(user);
  if (parsed?.serverName === serverName) return parsed.localpart;
  throw new AdminError(`${user} is not a user of ${serverName}`);
}

/** The user that an operation concerns, for the audit log: as named, where nobody can be of that name. */
export function subjectOf({ user }: { readonly user: string }, { config }: AdminContext): string {
  return user.startsWith('@') ? user : `@${user}:${config.serverName}`;
}

/** Throws AdminError if there is no such user. */
export async function knownUser(context: AdminContext, user: string) {
  const localpart = localpartOf(user, context);
  const record = await context.db.users.get(localpart);
  const userId = context.accounts.userIdOf(localpart);
  if (record === undefined) throw new AdminError(`There is no user ${userId}`, { kind: 'not-found' });
  return { ...record, userId };
}

/** Throws AdminError if there is no such user, or they are deactivated. */
export async function activeUser(context: AdminContext, user: string) {
  const record = await knownUser(context, user);
  if (record.deactivated)
    throw new AdminError(`The user ${record.userId} is deactivated`, { kind: 'conflict' });
  return record;
}

/**
 * Throws AdminError where the caller would get at somebody's roles by this: whoever sets an owner's password is the
 * owner.
 */
export async function requireStanding(
  { db }: AdminContext,
  caller: Caller,
  localpart: string,
): Promise<void> {
  if (caller.roles.has('owner') || (await db.roles.of(localpart)).length === 0) return;
  throw new AdminError(`${localpart} has a role in administering this island: only an owner may do this`, {
    kind: 'forbidden',
  });
}

/** What the accounts refuse, said to an administrator. */
export function explained(error: unknown, localpart: string): unknown {
  if (!(error instanceof MatrixError)) return error;
  if (error.errcode === 'M_USER_IN_USE')
    return new AdminError(`The user name ${localpart} is taken`, { kind: 'conflict' });
  if (error.errcode === 'M_FORBIDDEN') return new AdminError(error.message, { kind: 'conflict' });
  if (error.errcode !== 'M_INVALID_USERNAME') return new AdminError(error.message);
  const lower = localpart.toLowerCase();
  const hint = lower !== localpart && isValidLocalpart(lower) ? ` (did you mean "${lower}"?)` : '';
  return new AdminError(`"${localpart}" cannot be a user name. ${error.message}${hint}`);
}
