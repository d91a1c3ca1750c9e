import type { FederationRoute } from './route.ts';

/** Leaving rooms: `GET /_matrix/federation/v1/make_leave/{roomId}/{userId}`. */
export const makeLeave: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/make_leave/:roomId/:userId',
  async handle(request, { engine, serverName }) {
    const template = await engine.makeLeave(request.origin, request.param('roomId'), request.param('userId'));
    return { room_version: template.roomVersion, event: { ...template.event, origin: serverName } };
  },
};
