import { serversKey } from '../remote-request.ts';
import type { FederationRoute } from './route.ts';

/** Joining rooms: `GET /_matrix/federation/v1/make_join/{roomId}/{userId}`. Without `ver` room version 1 is meant. */
export const makeJoin: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/make_join/:roomId/:userId',
  async handle(request, { engine, serverName }) {
    const versions = request.query.getAll('ver');
    const template = await engine.makeJoin(
      request.origin,
      request.param('roomId'),
      request.param('userId'),
      versions.length === 0 ? ['1'] : versions,
    );
    return {
      room_version: template.roomVersion,
      event: { ...template.event, origin: serverName },
      ...(template.servers === undefined ? {} : { [serversKey]: [...template.servers] }),
    };
  },
};
