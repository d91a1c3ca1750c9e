import { RoomError } from '../../rooms/errors.ts';
import { clampedInteger, type FederationRoute } from './route.ts';

/** Backfill: `GET /_matrix/federation/v1/backfill/{roomId}?v=…&limit=…`. At most 100 events at a time. */
export const backfill: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/backfill/:roomId',
  async handle(request, { engine, serverName, clock }) {
    const from = request.query.getAll('v');
    if (from.length === 0) throw new RoomError(400, 'M_MISSING_PARAM', 'v is missing');
    const limit = clampedInteger(request.query.get('limit'), 10, { min: 1, max: 100 });
    const pdus = await engine.backfill(request.origin, request.param('roomId'), from.slice(0, 20), limit);
    return { origin: serverName, origin_server_ts: clock.now(), pdus };
  },
};
