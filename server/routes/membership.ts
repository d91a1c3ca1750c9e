import Type from 'typebox';
import { invalidParam, MatrixError, missingParam } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { isValidRoomId } from '../../protocol/identifiers.ts';
import { resolveAlias } from '../aliases.ts';
import type { ClientApiDeps } from './deps.ts';

const Reason = Type.Object({ reason: Type.Optional(Type.String()) });
const Target = Type.Object({ user_id: Type.String(), reason: Type.Optional(Type.String()) });
const Invitation = Type.Object({
  user_id: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
});

/** Joining, leaving, and what members do to one another. */
export function membershipRoutes(deps: ClientApiDeps): Route[] {
  const { engine, db } = deps;

  const moderation = (
    action: 'kick' | 'ban' | 'unban',
    run: (userId: string, roomId: string, target: string, reason: string | undefined) => Promise<void>,
  ): Route =>
    route({
      method: 'POST',
      path: `/_matrix/client/v3/rooms/:roomId/${action}`,
      auth: 'user',
      body: Target,
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        await run(user.userId, params['roomId'] ?? '', body.user_id, body.reason);
        return {};
      },
    });

  return [
    route({
      method: 'POST',
      path: '/_matrix/client/v3/join/:roomIdOrAlias',
      auth: 'user',
      body: Reason,
      numbers: 'canonical',
      handler: async ({ user, params, query, body }) => {
        const name = params['roomIdOrAlias'] ?? '';
        const asked = [...query.getAll('via'), ...query.getAll('server_name')];
        const { roomId, servers } = await roomOf(deps, name);
        await engine.join(user.userId, roomId, { via: [...asked, ...servers], reason: body.reason });
        return { room_id: roomId };
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/rooms/:roomId/join',
      auth: 'user',
      body: Reason,
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        const roomId = params['roomId'] ?? '';
        if (!isValidRoomId(roomId)) throw invalidParam('Not a room id');
        await engine.join(user.userId, roomId, { reason: body.reason });
        return { room_id: roomId };
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/rooms/:roomId/invite',
      auth: 'user',
      body: Invitation,
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        const { user_id: target, reason } = body;
        if (target === undefined) {
          if (body['medium'] !== undefined || body['address'] !== undefined) throw noThirdPartyInvites();
          throw missingParam('user_id is missing');
        }
        await engine.invite(user.userId, params['roomId'] ?? '', target, { reason });
        return {};
      },
    }),
    moderation('kick', (userId, roomId, target, reason) => engine.kick(userId, roomId, target, reason)),
    moderation('ban', (userId, roomId, target, reason) => engine.ban(userId, roomId, target, reason)),
    moderation('unban', (userId, roomId, target, reason) => engine.unban(userId, roomId, target, reason)),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/rooms/:roomId/leave',
      auth: 'user',
      body: Reason,
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        await engine.leave(user.userId, params['roomId'] ?? '', body.reason);
        return {};
      },
    }),
    route({
      method: 'POST',
      path: '/_matrix/client/v3/rooms/:roomId/forget',
      auth: 'user',
      body: Type.Object({}),
      handler: async ({ user, params }) => {
        await engine.forget(user.userId, params['roomId'] ?? '');
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/joined_rooms',
      auth: 'user',
      handler: async ({ user }) => ({
        joined_rooms: (await db.memberships.ofUser(user.userId))
          .filter(({ membership }) => membership === 'join')
          .map(({ roomId }) => roomId),
      }),
    }),
  ];
}

/** Without an identity server nobody can tell whose address it is. */
export function noThirdPartyInvites(): MatrixError {
  return new MatrixError(
    403,
    'M_THREEPID_DENIED',
    'This server invites by user id only, not by e-mail address or phone number',
  );
}

async function roomOf(deps: ClientApiDeps, name: string): Promise<{ roomId: string; servers: string[] }> {
  if (name.startsWith('#')) return resolveAlias(deps, name);
  if (!isValidRoomId(name)) throw invalidParam('Neither a room id nor a room alias');
  return { roomId: name, servers: [] };
}
