import type { FederationRoute } from './route.ts';

/** Retrieving events: `GET /_matrix/federation/v1/event/{eventId}`. */
export const event: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/event/:eventId',
  async handle(request, { engine, serverName, clock }) {
    const pdu = await engine.getEvent(request.origin, request.param('eventId'));
    return { origin: serverName, origin_server_ts: clock.now(), pdus: [pdu] };
  },
};
