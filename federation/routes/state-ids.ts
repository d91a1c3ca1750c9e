import { type FederationRoute, requiredQuery } from './route.ts';

/** The ids of the state before an event: `GET /_matrix/federation/v1/state_ids/{roomId}?event_id=…`. */
export const stateIds: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/state_ids/:roomId',
  async handle(request, { engine }) {
    const eventId = requiredQuery(request, 'event_id');
    const answer = await engine.getStateIds(request.origin, request.param('roomId'), eventId);
    return { pdu_ids: answer.pduIds, auth_chain_ids: answer.authChainIds };
  },
};
