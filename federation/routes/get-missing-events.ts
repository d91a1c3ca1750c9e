import { clampedInteger, type FederationRoute, textList } from './route.ts';

/** `POST /_matrix/federation/v1/get_missing_events/{roomId}`. At most 100 events at a time. */
export const getMissingEvents: FederationRoute = {
  method: 'POST',
  path: '/_matrix/federation/v1/get_missing_events/:roomId',
  async handle(request, { engine }) {
    const body = await request.json();
    const events = await engine.getMissingEvents(request.origin, request.param('roomId'), {
      earliest: textList(body['earliest_events'], 'earliest_events').slice(0, 100),
      latest: textList(body['latest_events'], 'latest_events').slice(0, 100),
      limit: clampedInteger(body['limit'], 10, { min: 1, max: 100 }),
      minDepth: clampedInteger(body['min_depth'], 0, { min: 0, max: Number.MAX_SAFE_INTEGER }),
    });
    return { events };
  },
};
