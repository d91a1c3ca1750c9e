import { createHmac, timingSafeEqual } from 'node:crypto';
import Type from 'typebox';
import { forbidden, invalidParam, MatrixError, missingParam, unrecognized } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { DeviceName } from '../../http/schemas.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Session } from '../auth/accounts.ts';
import { requireDummy } from '../auth/interactive.ts';
import { requireAcceptablePassword } from '../auth/passwords.ts';
import type { ClientApiDeps } from './deps.ts';

const Register = Type.Object({
  auth: Type.Optional(
    Type.Object({ type: Type.Optional(Type.String()), session: Type.Optional(Type.String()) }),
  ),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  device_id: Type.Optional(Type.String()),
  initial_device_display_name: Type.Optional(DeviceName),
  inhibit_login: Type.Optional(Type.Boolean()),
});

const SharedSecretRegister = Type.Object({
  nonce: Type.String(),
  username: Type.String(),
  displayname: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  password: Type.String(),
  admin: Type.Optional(Type.Boolean()),
  /** Kinds of users of Synapse, where they change how users are counted and found: nothing that there is here. */
  user_type: Type.Optional(Type.Union([Type.Literal('bot'), Type.Literal('support'), Type.Null()])),
  mac: Type.String(),
});

const nonceLifetimeMs = 60_000;
const maxNonces = 1_000;

/** Registration: closed unless the admin opens it; with a shared secret for tools that provision accounts. */
export function registerRoutes(deps: ClientApiDeps): Route[] {
  const { accounts, config, clock, random, db } = deps;
  const nonces = new Map<string, number>();

  const requireOpen = (): void => {
    if (!config.enableRegistration) throw forbidden('Registration is closed on this server');
  };

  return [
    route({
      method: 'POST',
      path: '/_matrix/client/v3/register',
      auth: 'none',
      body: Register,
      handler: async ({ body, query, remoteAddress }) => {
        const kind = query.get('kind') ?? 'user';
        if (kind === 'guest') throw forbidden('This server has no guests');
        if (kind !== 'user') throw invalidParam('kind is user or guest');
        requireOpen();
        if (body.username !== undefined) await accounts.requireFreeName(body.username);
        if (body.password !== undefined) requireAcceptablePassword(body.password);
        const challenge = requireDummy(random, body.auth);
        if (challenge !== undefined) return challenge;
        if (body.password === undefined) throw missingParam('The password is missing');
        const localpart = body.username ?? random.bytes(8).toString('hex');
        const userId = await accounts.create(localpart, body.password, false, {
          registration: { remoteAddress, sharedSecret: false },
        });
        if (body.inhibit_login === true) return { user_id: userId, home_server: config.serverName };
        const session = await accounts.openSession(userId, {
          deviceId: body.device_id,
          displayName: body.initial_device_display_name,
          remoteAddress,
        });
        return registered(session, config.serverName);
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/register/available',
      auth: 'none',
      handler: async ({ query }) => {
        requireOpen();
        const username = query.get('username');
        if (username === null) throw missingParam('username is missing');
        await accounts.requireFreeName(username);
        return { available: true };
      },
    }),
    route({
      method: 'GET',
      path: '/_synapse/admin/v1/register',
      auth: 'none',
      handler: () => {
        requireSecret(config.registrationSharedSecret);
        const now = clock.now();
        for (const [nonce, since] of nonces) {
          if (now - since > nonceLifetimeMs || nonces.size >= maxNonces) nonces.delete(nonce);
        }
        const nonce = random.bytes(32).toString('hex');
        nonces.set(nonce, now);
        return { nonce };
      },
    }),
    route({
      method: 'POST',
      path: '/_synapse/admin/v1/register',
      auth: 'none',
      body: SharedSecretRegister,
      handler: async ({ body, remoteAddress }) => {
        const secret = requireSecret(config.registrationSharedSecret);
        const since = nonces.get(body.nonce);
        nonces.delete(body.nonce);
        if (since === undefined || clock.now() - since > nonceLifetimeMs) {
          throw new MatrixError(400, 'M_UNKNOWN', 'Unknown or expired nonce');
        }
        // The fields are separated by NUL: a name that holds one would say two things at once.
        if (body.username.includes('\0') || body.password.includes('\0')) {
          throw invalidParam('A NUL is allowed in neither name nor password');
        }
        const admin = body.admin === true;
        const signed = [body.nonce, body.username, body.password, admin ? 'admin' : 'notadmin'];
        if (typeof body.user_type === 'string') signed.push(body.user_type);
        const expected = createHmac('sha1', secret).update(signed.join('\0')).digest();
        const given = Buffer.from(body.mac, 'hex');
        if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
          throw forbidden('The HMAC is wrong');
        }
        // The tools rely on the name being written small for them.
        const localpart = body.username.toLowerCase();
        const userId = await accounts.create(localpart, body.password, admin, {
          registration: { remoteAddress, sharedSecret: true },
        });
        if (typeof body.displayname === 'string') {
          await db.writer.submit({
            label: 'display name of a new user',
            ops: db.users.update(localpart, { displayName: body.displayname }),
          });
        }
        return registered(await accounts.openSession(userId, { remoteAddress }), config.serverName);
      },
    }),
  ];
}

/** Without a secret there is no such endpoint. */
function requireSecret(secret: string | undefined): string {
  if (secret === undefined) throw unrecognized();
  return secret;
}

function registered(session: Session, serverName: string): JsonObject {
  return {
    user_id: session.userId,
    access_token: session.accessToken,
    device_id: session.deviceId,
    home_server: serverName,
  };
}
