import type { FederationRoute } from './route.ts';

/** The auth chain of an event: `GET /_matrix/federation/v1/event_auth/{roomId}/{eventId}`. */
export const eventAuth: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/event_auth/:roomId/:eventId',
  async handle(request, { engine }) {
    const authChain = await engine.getEventAuth(
      request.origin,
      request.param('roomId'),
      request.param('eventId'),
    );
    return { auth_chain: authChain };
  },
};
