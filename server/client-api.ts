import type Koa from 'koa';
import type { ListenerResource } from '../config/config.ts';
import { buildApp } from '../http/app.ts';
import type { AddressOf } from '../http/client-address.ts';
import type { Route } from '../http/route.ts';
import { adminRoutes } from './admin/api.ts';
import { toMatrixError } from './errors.ts';
import { accountRoutes } from './routes/account.ts';
import { accountDataRoutes } from './routes/account-data.ts';
import { createRoomRoutes } from './routes/create-room.ts';
import type { ClientApiDeps } from './routes/deps.ts';
import { deviceRoutes } from './routes/devices.ts';
import { directoryRoutes } from './routes/directory.ts';
import { discoveryRoutes } from './routes/discovery.ts';
import { filterRoutes } from './routes/filters.ts';
import { healthRoutes } from './routes/health.ts';
import { landingRoutes, refuseFederation } from './routes/landing.ts';
import { loginRoutes } from './routes/login.ts';
import { mediaRoutes } from './routes/media.ts';
import { membershipRoutes } from './routes/membership.ts';
import { messageRoutes } from './routes/messages.ts';
import { profileRoutes } from './routes/profile.ts';
import { pushRuleRoutes } from './routes/push-rules.ts';
import { readRoutes } from './routes/reads.ts';
import { registerRoutes } from './routes/register.ts';
import { sendRoutes } from './routes/send.ts';
import { syncRoutes } from './routes/sync.ts';

/** Every endpoint for clients, the hottest first. */
const families: readonly ((deps: ClientApiDeps) => Route[])[] = [
  sendRoutes,
  syncRoutes,
  messageRoutes,
  readRoutes,
  membershipRoutes,
  createRoomRoutes,
  loginRoutes,
  registerRoutes,
  accountRoutes,
  deviceRoutes,
  profileRoutes,
  directoryRoutes,
  accountDataRoutes,
  filterRoutes,
  pushRuleRoutes,
  mediaRoutes,
  discoveryRoutes,
  landingRoutes,
];

/** The client API of an island, as one listener serves it. Federation over HTTPS is refused on each. */
export function buildClientApi(
  deps: ClientApiDeps,
  listener: { readonly resources: readonly ListenerResource[]; readonly addressOf: AddressOf },
): Koa {
  const { resources } = listener;
  const routes = [
    ...(resources.includes('client') ? families.flatMap((family) => family(deps)) : []),
    ...(resources.includes('health') ? healthRoutes(deps) : []),
    ...(resources.includes('admin') ? adminRoutes(deps.admin) : []),
  ];
  return buildApp(routes, {
    addressOf: listener.addressOf,
    log: deps.log,
    authenticate: (token, remoteAddress) => deps.accounts.authenticate(token, remoteAddress),
    toMatrixError,
    refuse: refuseFederation,
  });
}
