import { parseRoomAlias } from '../../protocol/identifiers.ts';
import { notFound, RoomError } from '../../rooms/errors.ts';
import { type FederationRoute, requiredQuery } from './route.ts';

/**
 * Room aliases of ours: `GET /_matrix/federation/v1/query/directory?room_alias=…`. An alias of a room that is not for
 * the partner is answered as one that does not exist.
 */
export const queryDirectory: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/query/directory',
  async handle(request, { db, engine, border, serverName }) {
    const text = requiredQuery(request, 'room_alias');
    const alias = parseRoomAlias(text);
    if (alias === undefined) throw new RoomError(400, 'M_INVALID_PARAM', 'room_alias is not an alias');
    if (alias.serverName !== serverName) throw notFound('This alias is not of this server');
    const found = await db.aliases.get(text);
    if (found === undefined) throw unknown();
    const view = await engine.view(found.roomId);
    if (view === undefined || !border.mayFindRoom(request.origin, view).allowed) throw unknown();
    // Who else is in a room is for those in it.
    const joined = view.joinedServers();
    const servers = joined.has(request.origin) ? new Set([serverName, ...joined]) : [serverName];
    return { room_id: found.roomId, servers: [...servers] };
  },
};

function unknown(): RoomError {
  return notFound('There is no such alias');
}
