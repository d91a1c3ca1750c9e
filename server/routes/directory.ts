import Type from 'typebox';
import { forbidden, invalidParam, MatrixError, notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { isValidRoomId, parseRoomAlias } from '../../protocol/identifiers.ts';
import { DuplicateRow } from '../../storage/database.ts';
import { resolveAlias } from '../aliases.ts';
import type { ClientApiDeps } from './deps.ts';

const path = '/_matrix/client/v3/directory/room/:roomAlias';

/** Room aliases. */
export function directoryRoutes(deps: ClientApiDeps): Route[] {
  const { config, db, engine } = deps;

  const requireOurs = (alias: string): void => {
    const parsed = parseRoomAlias(alias);
    if (parsed === undefined || parsed.localpart === '') throw invalidParam('Not a room alias');
    if (parsed.serverName !== config.serverName) {
      throw invalidParam(`Aliases of ${parsed.serverName} are made there`);
    }
  };

  return [
    route({
      method: 'GET',
      path,
      auth: 'optional',
      handler: async ({ user, params }) => {
        const alias = params['roomAlias'] ?? '';
        const server = parseRoomAlias(alias)?.serverName ?? config.serverName;
        // Partners are not asked on behalf of strangers.
        if (user === undefined && server !== config.serverName) {
          throw forbidden('Log in to find the rooms of other servers');
        }
        const { roomId, servers } = await resolveAlias(deps, alias);
        return { room_id: roomId, servers };
      },
    }),
    route({
      method: 'PUT',
      path,
      auth: 'user',
      body: Type.Object({ room_id: Type.String() }),
      handler: async ({ user, params, body }) => {
        const alias = params['roomAlias'] ?? '';
        requireOurs(alias);
        if (!isValidRoomId(body.room_id)) throw invalidParam('Not a room id');
        const view = await engine.view(body.room_id);
        if (view?.membership(user.userId) !== 'join') throw forbidden('You are not joined to this room');
        try {
          await db.writer.submit({
            label: 'create alias',
            ops: db.aliases.insert({
              alias,
              roomId: body.room_id,
              servers: [config.serverName],
              creator: user.userId,
            }),
          });
        } catch (error) {
          if (error instanceof DuplicateRow) {
            throw new MatrixError(409, 'M_UNKNOWN', `The alias ${alias} exists already`);
          }
          throw error;
        }
        return {};
      },
    }),
    route({
      method: 'DELETE',
      path,
      auth: 'user',
      handler: async ({ user, params }) => {
        const alias = params['roomAlias'] ?? '';
        requireOurs(alias);
        const record = await db.aliases.get(alias);
        if (record === undefined) throw notFound(`There is no alias ${alias}`);
        const view = await engine.view(record.roomId);
        // Whoever may set the room's canonical alias may remove its aliases.
        const isPowerful =
          view !== undefined &&
          view.membership(user.userId) === 'join' &&
          view.powerLevelOf(user.userId) >= view.powerLevelFor('m.room.canonical_alias', true);
        if (record.creator !== user.userId && !isPowerful && !user.isAdmin) {
          throw forbidden('You may not remove this alias');
        }
        await db.writer.submit({ label: 'remove alias', ops: db.aliases.remove(alias) });
        return {};
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/rooms/:roomId/aliases',
      auth: 'user',
      handler: async ({ user, params }) => {
        const roomId = params['roomId'] ?? '';
        const view = await engine.view(roomId);
        const isOpen = view?.historyVisibility === 'world_readable';
        if (!isOpen && view?.membership(user.userId) !== 'join') {
          throw forbidden('You are not joined to this room');
        }
        return { aliases: (await db.aliases.ofRoom(roomId)).map(({ alias }) => alias) };
      },
    }),
  ];
}
