import { lanesPath, standingsJson } from '../lanes.ts';
import type { FederationRoute } from './route.ts';

/** Where a partner's lanes stand here, for an island that has to know it before it goes on. */
export const lanes: FederationRoute = {
  method: 'GET',
  path: lanesPath,
  async handle(request, { standings }) {
    return standingsJson(await standings(request.origin));
  },
};
