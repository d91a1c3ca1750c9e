import Type from 'typebox';
import { done, operation } from '../operation.ts';
import { roleMeanings, roles, rolesIn } from '../roles.ts';
import { activeUser, explained, knownUser, subjectOf, userParam as user } from './people.ts';

const role = Type.Enum([...roles] as [...typeof roles], {
  description: roles.map((role) => `${role}: ${roleMeanings[role]}.`).join(' '),
});

const changed = Type.Object({
  user_id: Type.String(),
  roles: Type.Array(Type.String(), { description: 'What they have now.' }),
  changed: Type.Boolean(),
});

export const roleOperations = [
  operation({
    name: 'role.add',
    summary: 'Gives a user a role in administering this island, at once.',
    roles: ['owner'],
    params: { user, role },
    result: changed,
    http: { method: 'PUT', path: '/users/:user/roles/:role' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    unchanged: ({ changed }) => !changed,
    async run(context, { user, role }, caller) {
      const { accounts, db } = context;
      const { userId, localpart } = await activeUser(context, user);
      const before = await db.roles.of(localpart);
      const changed = !before.includes(role);
      if (changed) await accounts.addRole(userId, role, done('role.add', caller, userId, { role }));
      return { user_id: userId, roles: rolesIn(await db.roles.of(localpart)), changed };
    },
  }),
  operation({
    name: 'role.remove',
    summary: 'Takes a role from a user, at once. The last owner stays one.',
    roles: ['owner'],
    params: { user, role },
    result: changed,
    http: { method: 'DELETE', path: '/users/:user/roles/:role' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    unchanged: ({ changed }) => !changed,
    async run(context, { user, role }, caller) {
      const { accounts, db } = context;
      const { userId, localpart } = await knownUser(context, user);
      const changed = (await db.roles.of(localpart)).includes(role);
      try {
        if (changed) await accounts.removeRole(userId, role, done('role.remove', caller, userId, { role }));
      } catch (error) {
        throw explained(error, localpart);
      }
      return { user_id: userId, roles: rolesIn(await db.roles.of(localpart)), changed };
    },
  }),
] as const;
