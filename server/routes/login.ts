import Type from 'typebox';
import { forbidden, MatrixError, missingParam } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { DeviceName } from '../../http/schemas.ts';
import type { ClientApiDeps } from './deps.ts';

const Login = Type.Object({
  type: Type.String(),
  identifier: Type.Optional(Type.Object({ type: Type.String(), user: Type.Optional(Type.String()) })),
  user: Type.Optional(Type.String()),
  /** The old way to name a third-party identifier. */
  medium: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  device_id: Type.Optional(Type.String()),
  initial_device_display_name: Type.Optional(DeviceName),
});

/** Ways to name a user by e-mail address or telephone number. */
const thirdPartyTypes = new Set(['m.id.thirdparty', 'm.id.phone']);

/** Sessions: logging in by password, logging out, who am I. */
export function loginRoutes({ accounts, config }: ClientApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v3/login',
      auth: 'none',
      handler: () => ({ flows: [{ type: 'm.login.password' }] }),
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/login',
      auth: 'none',
      body: Login,
      handler: async ({ body, remoteAddress }) => {
        if (body.type !== 'm.login.password') {
          throw new MatrixError(400, 'M_UNKNOWN', `Login type ${body.type} is not supported`);
        }
        const { type = body.medium === undefined ? 'm.id.user' : 'm.id.thirdparty' } = body.identifier ?? {};
        if (thirdPartyTypes.has(type)) throw forbidden('Nobody here has a third-party identifier');
        if (type !== 'm.id.user') {
          throw new MatrixError(400, 'M_UNKNOWN', `Identifier type ${type} is not supported`);
        }
        const user = body.identifier?.user ?? body.user;
        if (user === undefined) throw missingParam('The user is missing');
        if (body.password === undefined) throw missingParam('The password is missing');
        const session = await accounts.logIn(user, body.password, {
          deviceId: body.device_id,
          displayName: body.initial_device_display_name,
          remoteAddress,
        });
        return {
          user_id: session.userId,
          access_token: session.accessToken,
          device_id: session.deviceId,
          home_server: config.serverName,
          ...(config.publicBaseurl === undefined
            ? {}
            : { well_known: { 'm.homeserver': { base_url: config.publicBaseurl } } }),
        };
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/logout',
      auth: 'user',
      handler: async ({ user }) => {
        await accounts.logOut(user);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/logout/all',
      auth: 'user',
      handler: async ({ user }) => {
        await accounts.logOutEverywhere(user.userId);
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/account/whoami',
      auth: 'user',
      handler: ({ user }) => ({ user_id: user.userId, device_id: user.deviceId, is_guest: false }),
    }),
  ];
}
