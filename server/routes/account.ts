import Type from 'typebox';
import { missingParam } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { AnyObject } from '../../http/schemas.ts';
import { requirePassword } from '../auth/interactive.ts';
import { requireAcceptablePassword } from '../auth/passwords.ts';
import type { ClientApiDeps } from './deps.ts';

/** What a user does with their own account; each asks for the password again. */
export function accountRoutes({ accounts, random }: ClientApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/_matrix/client/v3/account/password',
      auth: 'user',
      body: Type.Object({
        auth: Type.Optional(AnyObject),
        new_password: Type.Optional(Type.String()),
        logout_devices: Type.Optional(Type.Boolean()),
      }),
      handler: async ({ user, body }) => {
        if (body.new_password === undefined) throw missingParam('new_password is missing');
        requireAcceptablePassword(body.new_password);
        const challenge = await requirePassword(accounts, random, user.userId, body.auth);
        if (challenge !== undefined) return challenge;
        await accounts.changePassword(user.userId, body.new_password, {
          keepDevice: user.deviceId,
          logOutOthers: body.logout_devices ?? true,
          bySelf: true,
        });
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/account/deactivate',
      auth: 'user',
      body: Type.Object({ auth: Type.Optional(AnyObject) }),
      handler: async ({ user, body }) => {
        const challenge = await requirePassword(accounts, random, user.userId, body.auth);
        if (challenge !== undefined) return challenge;
        await accounts.deactivate(user.userId, { bySelf: true });
        // There are no third-party identifiers here: the specification calls that a success.
        return { id_server_unbind_result: 'success' };
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/account/3pid',
      auth: 'user',
      // Accounts of this server have no third-party identifiers.
      handler: () => ({ threepids: [] }),
    }),
  ];
}
