import Type, { type Static } from 'typebox';
import { AdminError } from '../../admin-error.ts';
import { done, operation, secret } from '../operation.ts';
import { roles, rolesIn } from '../roles.ts';
import {
  activeUser,
  explained,
  localpartOf,
  requireStanding,
  subjectOf,
  userParam as user,
} from './people.ts';

const pageSize = 1_000;

const summary = Type.Object({
  user_id: Type.String(),
  localpart: Type.String(),
  display_name: Type.Union([Type.String(), Type.Null()]),
  roles: Type.Array(Type.String(), { description: `Of ${roles.join(', ')}; most users have none.` }),
  departments: Type.Array(Type.String(), { description: 'As policies name them.' }),
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
      admin: Type.Optional(
        Type.Boolean({
          description:
            'Makes them owner, admin, partner-manager and security; only owners may. False by default.',
        }),
      ),
    },
    result: Type.Object({ user_id: Type.String() }),
    http: { method: 'POST', path: '/users' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    async run(context, { user, password, admin = false }, caller) {
      const { accounts } = context;
      const localpart = localpartOf(user, context);
      if (admin && !caller.roles.has('owner'))
        throw new AdminError('Only an owner may make an administrator', { kind: 'forbidden' });
      try {
        const line = done('user.add', caller, accounts.userIdOf(localpart), { admin });
        return { user_id: await accounts.create(localpart, password, admin, { line }) };
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
      const rolesOf = await db.roles.all();
      const departmentsOf = await db.departments.all();
      const users = page.map((record) => ({
        user_id: accounts.userIdOf(record.localpart),
        localpart: record.localpart,
        display_name: record.displayName,
        roles: rolesIn(rolesOf.get(record.localpart) ?? []),
        departments: departmentsOf.get(record.localpart) ?? [],
        deactivated: record.deactivated,
        created_ts: record.createdTs,
      }));
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
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    async run(context, { user, password }, caller) {
      const { accounts, db } = context;
      const { userId, localpart } = await activeUser(context, user);
      await requireStanding(context, caller, localpart);
      const sessions = (await db.devices.ofUser(userId)).length;
      try {
        const line = done('user.reset-password', caller, userId, { sessions });
        await accounts.changePassword(userId, password, { logOutOthers: true, line });
      } catch (error) {
        throw explained(error, user);
      }
      return { user_id: userId, sessions };
    },
  }),
  operation({
    name: 'user.deactivate',
    summary: 'Locks a user out for good: all sessions end, and nobody can sign in under that name again.',
    roles: ['admin', 'security'],
    params: { user },
    result: ended,
    http: { method: 'POST', path: '/users/:user/deactivate' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    async run(context, { user }, caller) {
      const { accounts, db } = context;
      const { userId, localpart } = await activeUser(context, user);
      await requireStanding(context, caller, localpart);
      const sessions = (await db.devices.ofUser(userId)).length;
      try {
        const line = done('user.deactivate', caller, userId, { sessions });
        await accounts.deactivate(userId, { line });
      } catch (error) {
        throw explained(error, user);
      }
      return { user_id: userId, sessions };
    },
  }),
] as const;
