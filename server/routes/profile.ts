import Type from 'typebox';
import { badJson, forbidden, invalidParam, MatrixError, missingParam, notFound } from '../../http/errors.ts';
import { type AuthenticatedUser, type Route, route } from '../../http/route.ts';
import { isMxcUri, parseUserId } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { RemoteError } from '../../rooms/ports.ts';
import { KeyedQueues } from '../../rooms/queue.ts';
import { requireSelf } from './account-data.ts';
import type { ClientApiDeps } from './deps.ts';

const fields = ['displayname', 'avatar_url'] as const;
type Field = (typeof fields)[number];
const maxBytes = { displayname: 256, avatar_url: 1_000 } as const;

/** Profiles: display name and avatar, ours from the database, a partner's people's by asking. */
export function profileRoutes(deps: ClientApiDeps): Route[] {
  const { accounts, db, engine, remote, log } = deps;
  /** By user: the rooms must hear of changes in the order in which they were made. */
  const changes = new KeyedQueues();

  /** Strangers may ask for our own people only: partners are not asked on their behalf. */
  const profileOf = async (userId: string, asker: AuthenticatedUser | undefined): Promise<JsonObject> => {
    if (parseUserId(userId) === undefined) throw invalidParam('Not a user id');
    const localpart = accounts.localpartOf(userId);
    if (localpart === undefined) {
      if (asker === undefined) throw forbidden('Log in to see the profiles of other servers');
      try {
        return engine.shownProfile(userId, { ...(await remote.profile(userId, asker.userId)) });
      } catch (error) {
        if (error instanceof RemoteError && error.status === 404) throw notFound('There is no such user');
        throw error;
      }
    }
    return ownProfile(localpart);
  };

  const ownProfile = async (localpart: string): Promise<JsonObject> => {
    const system = accounts.systemProfile(localpart);
    if (system !== undefined) return { ...system };
    const user = await db.users.get(localpart);
    if (user === undefined || user.deactivated) throw notFound('There is no such user');
    return {
      ...(user.displayName === null ? {} : { displayname: user.displayName }),
      ...(user.avatarUrl === null ? {} : { avatar_url: user.avatarUrl }),
    };
  };

  const set = async (userId: string, field: Field, value: string | null): Promise<void> => {
    const localpart = accounts.localpartOf(userId) ?? '';
    if (((await ownProfile(localpart))[field] ?? null) === value) return;
    await db.writer.submit({
      label: 'profile',
      ops: db.users.update(
        localpart,
        field === 'displayname' ? { displayName: value } : { avatarUrl: value },
      ),
      notes: [{ stream: 'users', key: userId }],
    });
    await tellRooms(userId, localpart);
  };

  /** Member events carry the profile: those of all joined rooms are renewed. */
  const tellRooms = async (userId: string, localpart: string): Promise<void> => {
    const profile = await ownProfile(localpart);
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
      auth: 'optional',
      handler: ({ user, params }) => profileOf(params['userId'] ?? '', user),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/profile/:userId/:keyName',
      auth: 'optional',
      handler: async ({ user, params }) => {
        const key = params['keyName'] ?? '';
        const profile = await profileOf(params['userId'] ?? '', user);
        const value = Object.hasOwn(profile, key) ? profile[key] : undefined;
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
        if (value === undefined) throw missingParam(`${field} is missing`);
        if (typeof value !== 'string') throw badJson(`${field} is not a string`);
        if (Buffer.byteLength(value) > maxBytes[field]) {
          throw invalidParam(`${field} has at most ${maxBytes[field]} bytes`);
        }
        // Clients clear a field with an empty text too.
        if (field === 'avatar_url' && value !== '' && !isMxcUri(value)) {
          throw invalidParam('avatar_url is not an mxc:// URI');
        }
        await changes.run(user.userId, () => set(user.userId, field, value === '' ? null : value));
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path: '/_matrix/client/v3/profile/:userId/:keyName',
      auth: 'user',
      handler: async ({ user, params }) => {
        requireSelf(user.userId, params['userId']);
        const field = fieldOf(params['keyName'] ?? '');
        await changes.run(user.userId, () => set(user.userId, field, null));
        return {};
      },
    }),
  ];
}

/** The field to change; the capability `m.profile_fields` names those that we keep. */
function fieldOf(key: string): Field {
  const field = fields.find((name) => name === key);
  if (field !== undefined) return field;
  if (Buffer.byteLength(key) > 255) {
    throw new MatrixError(400, 'M_KEY_TOO_LARGE', 'The name of a profile field has at most 255 bytes');
  }
  if (!/^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$/.test(key))
    throw invalidParam('Not the name of a profile field');
  throw forbidden('This server does not keep that field');
}
