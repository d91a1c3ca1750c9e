import Type from 'typebox';
import { AdminError } from '../../admin-error.ts';
import { done, operation } from '../operation.ts';
import { knownUser, requireStanding, subjectOf, userParam as user } from './people.ts';

const session = Type.Object({
  device_id: Type.String(),
  display_name: Type.Union([Type.String(), Type.Null()], {
    description: 'As the user or the client calls it.',
  }),
  last_seen_ts: Type.Integer({ description: 'Milliseconds since the epoch, to some minutes.' }),
  last_seen_ip: Type.Union([Type.String(), Type.Null()]),
  created_ts: Type.Integer({ description: 'Milliseconds since the epoch.' }),
});

export const sessionOperations = [
  operation({
    name: 'user.sessions',
    summary: 'Lists the devices on which a user is signed in.',
    roles: ['admin', 'security', 'support'],
    params: { user },
    result: Type.Object({ user_id: Type.String(), sessions: Type.Array(session) }),
    http: { method: 'GET', path: '/users/:user/sessions' },
    audit: 'read',
    needs: 'database',
    subject: subjectOf,
    async run(context, { user }) {
      const { userId } = await knownUser(context, user);
      const devices = await context.db.devices.ofUser(userId);
      return {
        user_id: userId,
        sessions: devices.map((device) => ({
          device_id: device.deviceId,
          display_name: device.displayName,
          last_seen_ts: device.lastSeenTs,
          last_seen_ip: device.lastSeenIp,
          created_ts: device.createdTs,
        })),
      };
    },
  }),
  operation({
    name: 'user.logout',
    summary:
      'Ends the sessions of a user, or one of them: a lost phone. Nothing else changes, they can sign in again.',
    roles: ['admin', 'security', 'support'],
    params: {
      user,
      device_id: Type.Optional(Type.String({ description: 'All sessions unless one is named.' })),
    },
    result: Type.Object({
      user_id: Type.String(),
      sessions: Type.Integer({ description: 'How many sessions that ended.' }),
    }),
    http: { method: 'POST', path: '/users/:user/logout' },
    audit: 'own',
    needs: 'database',
    subject: subjectOf,
    async run(context, { user, device_id: deviceId }, caller) {
      const { accounts, db } = context;
      const { userId, localpart } = await knownUser(context, user);
      await requireStanding(context, caller, localpart);
      const devices = (await db.devices.ofUser(userId)).map((device) => device.deviceId);
      const ended = deviceId === undefined ? devices : devices.filter((name) => name === deviceId);
      if (deviceId !== undefined && ended.length === 0)
        throw new AdminError(`${userId} has no session ${deviceId}`, { kind: 'not-found' });
      await accounts.endSessions(userId, ended, done('user.logout', caller, userId, { devices: ended }));
      return { user_id: userId, sessions: ended.length };
    },
  }),
] as const;
