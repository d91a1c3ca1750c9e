import type { FederationRoute, RouteParts, RouteRequest } from './route.ts';

async function leave(request: RouteRequest, { engine }: RouteParts): Promise<void> {
  await engine.sendLeave(
    request.origin,
    request.param('roomId'),
    request.param('eventId'),
    await request.json(),
  );
}

/** Leaving rooms: `PUT /_matrix/federation/v2/send_leave/{roomId}/{eventId}`. */
export const sendLeave: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v2/send_leave/:roomId/:eventId',
  async handle(request, parts) {
    await leave(request, parts);
    return {};
  },
};

/** The older form that deployed servers still call. */
export const sendLeaveV1: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v1/send_leave/:roomId/:eventId',
  async handle(request, parts) {
    await leave(request, parts);
    return [200, {}];
  },
};
