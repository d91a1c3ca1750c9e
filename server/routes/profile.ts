import Type from 'typebox';
import { badJson, invalidParam, MatrixError, notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { parseUserId } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { RemoteError } from '../../rooms/ports.ts';
import { requireSelf } from './account-data.ts';
import type { ClientApiDeps } from './deps.ts';

const fields = ['displayname', 'avatar_url'] as const;
type Field = (typeof fields)[number];

/** Profiles: display name and avatar, ours from the database, a partner's people's by asking. */
export function profileRoutes(deps: ClientApiDeps): Route[] {
  const { accounts, db, engine, remote, log } = deps;

  const profileOf = async (userId: string): Promise<JsonObject> => {
    if (parseUserId(userId) === undefined) throw invalidParam('Not a user id');
    const localpart = accounts.localpartOf(userId);
    if (localpart === undefined) {
      try {
        return { ...(await remote.profile(userId)) };
      } catch (error) {
        if (error instanceof RemoteError && error.status === 404) throw notFound('There is no such user');
        throw error;
      }
    }
    const user = await db.users.get(localpart);
    if (user === undefined || user.deactivated) throw notFound('There is no such user');
    return {
      ...(user.displayName === null ? {} : { displayname: user.displayName }),
      ...(user.avatarUrl === null ? {} : { avatar_url: user.avatarUrl }),
    };
  };

  const set = async (userId: string, field: Field, value: string | null): Promise<void> => {
    const localpart = accounts.localpartOf(userId) ?? '';
    await db.writer.submit({
      label: 'profile',
      ops: db.users.update(
        localpart,
        field === 'displayname' ? { displayName: value } : { avatarUrl: value },
      ),
      notes: [{ stream: 'users', key: userId }],
    });
    await tellRooms(userId);
  };

  /** Member events carry the profile: those of all joined rooms are renewed. */
  const tellRooms = async (userId: string): Promise<void> => {
    const profile = await profileOf(userId);
    for (const { roomId } of await db.memberships.ofUser(userId, ['join'])) {
      const view = await engine.view(roomId);
      const current = view?.get('m.room.member', userId)?.pdu.content;
      if (current?.['membership'] !== 'join') continue;
      const {
        displayname: _name,
        avatar_url: _avatar,
        join_authorised_via_users_server: _by,
        ...rest
      } = current;
      try {
        const content = { ...rest, ...profile };
        await engine.send({ userId, roomId, type: 'm.room.member', stateKey: userId, content });
      } catch (error) {
        // The profile itself is set; one room that refuses must not keep it from the others.
        log.info({ err: error, roomId, userId }, 'a room did not take the new profile');
      }
    }
  };

  return [
    route({
      method: 'GET',
      path: '/_matrix/client/v3/profile/:userId',
      auth: 'none',
      handler: ({ params }) => profileOf(params['userId'] ?? ''),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/profile/:userId/:keyName',
      auth: 'none',
      handler: async ({ params }) => {
        const key = params['keyName'] ?? '';
        const value = (await profileOf(params['userId'] ?? ''))[key];
        if (value === undefined) throw notFound(`The profile has no ${key}`);
        return { [key]: value };
      },
    }),
    route({
      method: 'PUT',
      path: '/_matrix/client/v3/profile/:userId/:keyName',
      auth: 'user',
      body: Type.Object({}),
      numbers: 'canonical',
      handler: async ({ user, params, body }) => {
        requireSelf(user.userId, params['userId']);
        const field = fieldOf(params['keyName'] ?? '');
        const value = body[field];
        if (typeof value !== 'string') throw badJson(`${field} is missing or not a string`);
        if (Buffer.byteLength(value) > (field === 'displayname' ? 256 : 1_000)) {
          throw new MatrixError(400, 'M_TOO_LARGE', `${field} is too long`);
        }
        await set(user.userId, field, value === '' ? null : value);
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/_matrix/client/v3/profile/:userId/:keyName',
      auth: 'user',
      handler: async ({ user, params }) => {
        requireSelf(user.userId, params['userId']);
        await set(user.userId, fieldOf(params['keyName'] ?? ''), null);
        return {};
      },
    }),
  ];
}

function fieldOf(key: string): Field {
  const field = fields.find((name) => name === key);
  if (field === undefined) throw invalidParam(`${key} is not a field that this server keeps`);
  return field;
}
