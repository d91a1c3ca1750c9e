import { parseRoomAlias } from '../../protocol/identifiers.ts';
import { notFound, RoomError } from '../../rooms/errors.ts';
import { type FederationRoute, requiredQuery } from './route.ts';

/** Room aliases of ours: `GET /_matrix/federation/v1/query/directory?room_alias=…`. */
export const queryDirectory: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/query/directory',
  async handle(request, { db, engine, serverName }) {
    const text = requiredQuery(request, 'room_alias');
    const alias = parseRoomAlias(text);
    if (alias === undefined) throw new RoomError(400, 'M_INVALID_PARAM', 'room_alias is not an alias');
    if (alias.serverName !== serverName) throw notFound('This alias is not of this server');
    const found = await db.aliases.get(text);
    if (found === undefined) throw notFound('There is no such alias');
    const view = await engine.view(found.roomId);
    const servers = new Set([serverName, ...(view?.joinedServers() ?? [])]);
    return { room_id: found.roomId, servers: [...servers] };
  },
};
