import { type FederationRoute, requiredQuery } from './route.ts';

/** The state before an event: `GET /_matrix/federation/v1/state/{roomId}?event_id=…`. */
export const state: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/state/:roomId',
  async handle(request, { engine }) {
    const eventId = requiredQuery(request, 'event_id');
    const answer = await engine.getState(request.origin, request.param('roomId'), eventId);
    return { pdus: answer.pdus, auth_chain: answer.authChain };
  },
};
