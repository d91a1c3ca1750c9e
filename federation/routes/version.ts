import type { FederationRoute } from './route.ts';

/** `GET /_matrix/federation/v1/version`. */
export const version: FederationRoute = {
  method: 'GET',
  path: '/_matrix/federation/v1/version',
  async handle(_request, { software }) {
    return { server: { name: software.name, version: software.version } };
  },
};
