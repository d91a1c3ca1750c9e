import { parseUserId } from '../../protocol/identifiers.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { notFound, RoomError } from '../../rooms/errors.ts';
import { atEvenTime } from './even-time.ts';
import { type FederationRoute, requiredQuery } from './route.ts';

/**
 * Querying for information: `GET /_matrix/federation/v1/query/profile?user_id=…&field=…`. Of somebody whom the
 * partner may not see it learns no more than of somebody who does not exist: the same is looked up, the same is said,
 * after the same time.
 */
export const queryProfile: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/query/profile',
  async handle(request, { db, border, serverName, clock }) {
    const started = clock.now();
    const userId = requiredQuery(request, 'user_id');
    const user = parseUserId(userId);
    const field = request.query.get('field');
    if (user === undefined) throw new RoomError(400, 'M_INVALID_PARAM', 'user_id is not a user id');
    if (user.serverName !== serverName) throw notFound('This user is not of this server');
    const [record, sharesRoom] = await Promise.all([
      db.users.get(user.localpart),
      db.memberships.sharesRoomWith(userId, request.origin),
    ]);
    const known =
      record === undefined || record.deactivated
        ? undefined
        : { displayName: record.displayName ?? undefined, avatar: record.avatarUrl ?? undefined };
    const shown = border.profileFor(request.origin, userId, known, sharesRoom);
    if (shown === undefined) {
      await atEvenTime(clock, started);
      throw notFound('There is no such user');
    }
    const profile: JsonObject = {};
    const wants = (name: string): boolean => field === null || field === name;
    if (shown.displayName !== undefined && wants('displayname')) profile['displayname'] = shown.displayName;
    if (shown.avatar !== undefined && wants('avatar_url')) profile['avatar_url'] = shown.avatar;
    return profile;
  },
};
