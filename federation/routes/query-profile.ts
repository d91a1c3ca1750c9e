import { parseUserId } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { notFound, RoomError } from '../../rooms/errors.ts';
import { type FederationRoute, requiredQuery } from './route.ts';

/** Querying for information: `GET /_matrix/federation/v1/query/profile?user_id=…&field=…`. */
export const queryProfile: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/query/profile',
  async handle(request, { db, serverName }) {
    const user = parseUserId(requiredQuery(request, 'user_id'));
    const field = request.query.get('field');
    if (user === undefined) throw new RoomError(400, 'M_INVALID_PARAM', 'user_id is not a user id');
    if (user.serverName !== serverName) throw notFound('This user is not of this server');
    const found = await db.users.get(user.localpart);
    if (found === undefined || found.deactivated) throw notFound('There is no such user');
    const profile: JsonObject = {};
    if (found.displayName !== null && field !== 'avatar_url') profile['displayname'] = found.displayName;
    if (found.avatarUrl !== null && field !== 'displayname') profile['avatar_url'] = found.avatarUrl;
    return field === null || field === 'displayname' || field === 'avatar_url' ? profile : {};
  },
};
