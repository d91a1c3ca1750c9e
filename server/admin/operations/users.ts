import Type, { type Static } from 'typebox';
import { MatrixError } from '../../../http/errors.ts';
import { isValidLocalpart, parseUserId } from '../../../protocol/identifiers.ts';
import type { UserRecord } from '../../../storage/stores/user-store.ts';
import { AdminError } from '../../admin-error.ts';
import type { AdminContext } from '../context.ts';
import { operation, secret } from '../operation.ts';

const pageSize = 1_000;

const user = Type.String({ description: 'A user of this island: `ann`, or `@ann:SERVER` in full.' });

const summary = Type.Object({
  user_id: Type.String(),
  localpart: Type.String(),
  display_name: Type.Union([Type.String(), Type.Null()]),
  admin: Type.Boolean(),
  deactivated: Type.Boolean(),
  created_ts: Type.Integer({ description: 'Milliseconds since the epoch.' }),
});

export type UserSummary = Static<typeof summary>;

const ended = Type.Object({
  user_id: Type.String(),
  sessions: Type.Integer({ description: 'How many sessions that ended.' }),
});

export const userOperations = [
  operation({
    name: 'user.add',
    summary: 'Makes a user, who can sign in at once.',
    roles: ['admin'],
    params: {
      user,
      password: secret('At least 8 characters.'),
      admin: Type.Boolean({ description: 'Whether they administer this island.' }),
    },
    result: Type.Object({ user_id: Type.String() }),
    http: { method: 'POST', path: '/users' },
    audit: 'change',
    needs: 'database',
    subject: subjectOf,
    detail: ({ admin }) => ({ admin }),
    async run(context, { user, password, admin }) {
      const localpart = localpartOf(user, context);
      try {
        return { user_id: await context.accounts.create(localpart, password, admin) };
      } catch (error) {
        throw explained(error, localpart);
      }
    },
  }),
  operation({
    name: 'user.list',
    summary: 'Lists the users of this island by name, a thousand at a time.',
    roles: ['admin', 'security', 'support'],
    params: {
      after: Type.Optional(Type.String({ description: 'The local part after which the page begins.' })),
    },
    result: Type.Object({
      users: Type.Array(summary),
      next: Type.Union([Type.String(), Type.Null()], {
        description: 'What `after` is for the next page; null at the end.',
      }),
    }),
    http: { method: 'GET', path: '/users' },
    audit: 'read',
    needs: 'database',
    async run({ db, accounts }, { after }) {
      const page = await db.users.list(after, pageSize);
      const users = page.map((record) => summaryOf(record, accounts.userIdOf(record.localpart)));
      return { users, next: page.length < pageSize ? null : (page.at(-1)?.localpart ?? null) };
    },
  }),
  operation({
    name: 'user.reset-password',
    summary: 'Gives a user another password, and ends all of their sessions.',
    roles: ['admin'],
    params: { user, password: secret('At least 8 characters.') },
    result: ended,
    http: { method: 'POST', path: '/users/:user/password' },
    audit: 'change',
    needs: 'database',
    subject: subjectOf,
    detail: (_, { sessions }) => ({ sessions }),
    async run(context, { user, password }) {
      const { accounts, db } = context;
      const userId = await activeUser(context, user);
      const sessions = await db.devices.ofUser(userId);
      try {
        await accounts.changePassword(userId, password, { logOutOthers: true });
      } catch (error) {
        throw explained(error, user);
      }
      return { user_id: userId, sessions: sessions.length };
    },
  }),
  operation({
    name: 'user.deactivate',
    summary: 'Locks a user out for good: all sessions end, and nobody can sign in under that name again.',
    roles: ['admin', 'security'],
    params: { user },
    result: ended,
    http: { method: 'POST', path: '/users/:user/deactivate' },
    audit: 'change',
    needs: 'database',
    subject: subjectOf,
    detail: (_, { sessions }) => ({ sessions }),
    async run(context, { user }) {
      const { accounts, db } = context;
      const userId = await activeUser(context, user);
      const sessions = await db.devices.ofUser(userId);
      await accounts.deactivate(userId);
      return { user_id: userId, sessions: sessions.length };
    },
  }),
] as const;

function summaryOf(record: UserRecord, userId: string): UserSummary {
  return {
    user_id: userId,
    localpart: record.localpart,
    display_name: record.displayName,
    admin: record.isAdmin,
    deactivated: record.deactivated,
    created_ts: record.createdTs,
  };
}

/** The local part of a user that an admin named: `ann`, or `@ann:acme.example` in full. */
function localpartOf(user: string, { config: { serverName } }: AdminContext): string {
  if (!user.startsWith('@')) return user;
  const parsed = parseUserId(user);
  if (parsed?.serverName === serverName) return parsed.localpart;
  throw new AdminError(`${user} is not a user of ${serverName}`);
}

function subjectOf({ user }: { readonly user: string }, { config }: AdminContext): string {
  return user.startsWith('@') ? user : `@${user}:${config.serverName}`;
}

async function activeUser(context: AdminContext, user: string): Promise<string> {
  const localpart = localpartOf(user, context);
  const record = await context.db.users.get(localpart);
  const userId = context.accounts.userIdOf(localpart);
  if (record === undefined) throw new AdminError(`There is no user ${userId}`, { kind: 'not-found' });
  if (record.deactivated) throw new AdminError(`The user ${userId} is deactivated`, { kind: 'conflict' });
  return userId;
}

/** What the client API refuses, said to an administrator. */
function explained(error: unknown, localpart: string): unknown {
  if (!(error instanceof MatrixError)) return error;
  if (error.errcode === 'M_USER_IN_USE')
    return new AdminError(`The user name ${localpart} is taken`, { kind: 'conflict' });
  if (error.errcode !== 'M_INVALID_USERNAME') return new AdminError(error.message);
  const lower = localpart.toLowerCase();
  const hint = lower !== localpart && isValidLocalpart(lower) ? ` (did you mean "${lower}"?)` : '';
  return new AdminError(`"${localpart}" cannot be a user name. ${error.message}${hint}`);
}
