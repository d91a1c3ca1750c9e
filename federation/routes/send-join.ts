import type { JsonObject } from '../../protocol/json.ts';
import type { FederationRoute, RouteParts, RouteRequest } from './route.ts';

async function join(request: RouteRequest, { engine }: RouteParts): Promise<JsonObject> {
  const answer = await engine.sendJoin(
    request.origin,
    request.param('roomId'),
    request.param('eventId'),
    await request.json(),
  );
  return {
    origin: answer.origin,
    event: answer.event,
    state: answer.state,
    auth_chain: answer.authChain,
    members_omitted: false,
  };
}

/** Joining rooms: `PUT /_matrix/federation/v2/send_join/{roomId}/{eventId}`. */
export const sendJoin: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v2/send_join/:roomId/:eventId',
  handle: join,
};

/** The older form that deployed servers still call: the same answer, in a list behind the status. */
export const sendJoinV1: FederationRoute = {
  method: 'PUT',
  path: '/_matrix/federation/v1/send_join/:roomId/:eventId',
  async handle(request, parts) {
    return [200, await join(request, parts)];
  },
};
