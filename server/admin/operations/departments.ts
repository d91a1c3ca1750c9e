import Type from 'typebox';
import type { AdminContext } from '../context.ts';
import { done, operation } from '../operation.ts';
import { activeUser, knownUser, subjectOf, userParam as user } from './people.ts';

const department = Type.String({
  pattern: '^\\S(.{0,98}\\S)?$',
  description:
    'The name of a department, exactly as policies write it: `allow_local: [{departments: [NAME]}]`.',
});

const changed = Type.Object({
  user_id: Type.String(),
  departments: Type.Array(Type.String(), { description: 'What they belong to now.' }),
  changed: Type.Boolean(),
});

export const departmentOperations = [
  operation({
    name: 'department.list',
    summary: 'Lists the departments that somebody belongs to, with their people.',
    roles: ['admin', 'partner-manager', 'security', 'support'],
    params: {},
    result: Type.Object({
      departments: Type.Array(Type.Object({ department: Type.String(), users: Type.Array(Type.String()) })),
    }),
    http: { method: 'GET', path: '/departments' },
    audit: 'read',
    needs: 'database',
    async run({ db, accounts }) {
      const members = new Map<string, string[]>();
      for (const [localpart, names] of await db.departments.all())
        for (const name of names)
          members.set(name, [...(members.get(name) ?? []), accounts.userIdOf(localpart)]);
      return {
        departments: [...members]
          .map(([name, users]) => ({ department: name, users }))
          .sort((one, other) => (one.department < other.department ? -1 : 1)),
      };
    },
  }),
  operation({
    name: 'department.add',
    summary: 'Puts a user into a department, in effect at once for what policies say of it.',
    roles: ['admin'],
    params: { user, department },
    result: changed,
    http: { method: 'PUT', path: '/users/:user/departments/:department' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    unchanged: ({ changed }) => !changed,
    async run(context, { user, department }, caller) {
      const { db, people } = context;
      const { userId, localpart } = await activeUser(context, user);
      const changed = !departmentsOf(context, userId).includes(department);
      if (changed) {
        const line = done('department.add', caller, userId, { department });
        await db.audit.append([line], db.departments.add(localpart, department));
        people.setDepartments(localpart, [...departmentsOf(context, userId), department]);
      }
      return { user_id: userId, departments: [...departmentsOf(context, userId)], changed };
    },
  }),
  operation({
    name: 'department.remove',
    summary: 'Takes a user out of a department, in effect at once for what policies say of it.',
    roles: ['admin'],
    params: { user, department },
    result: changed,
    http: { method: 'DELETE', path: '/users/:user/departments/:department' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    unchanged: ({ changed }) => !changed,
    async run(context, { user, department }, caller) {
      const { db, people } = context;
      const { userId, localpart } = await knownUser(context, user);
      const changed = departmentsOf(context, userId).includes(department);
      if (changed) {
        const line = done('department.remove', caller, userId, { department });
        await db.audit.append([line], db.departments.remove(localpart, department));
        const left = departmentsOf(context, userId).filter((name) => name !== department);
        people.setDepartments(localpart, left);
      }
      return { user_id: userId, departments: [...departmentsOf(context, userId)], changed };
    },
  }),
] as const;

function departmentsOf({ people }: AdminContext, userId: string): readonly string[] {
  return people.person(userId).departments;
}
