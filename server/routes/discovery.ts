import { notFound } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import type { IslandPolicy } from '../../policy/book.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { roomVersions } from '../../protocol/room-versions.ts';
import type { ClientApiDeps } from './deps.ts';

/** Versions of the specification whose client API we speak. */
const specVersions = [
  'v1.1',
  'v1.2',
  'v1.3',
  'v1.4',
  'v1.5',
  'v1.6',
  'v1.7',
  'v1.8',
  'v1.9',
  'v1.10',
  'v1.11',
  'v1.12',
  'v1.13',
  'v1.14',
  'v1.15',
  'v1.16',
  'v1.17',
  'v1.18',
];

/** What a client asks before it logs in, and what it may expect after. */
export function discoveryRoutes({ config }: ClientApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/_matrix/client/versions',
      auth: 'none',
      handler: () => ({ versions: specVersions, unstable_features: {} }),
    }),
    route({
      method: 'GET',
      path: '/.well-known/matrix/client',
      auth: 'none',
      handler: () => {
        if (config.publicBaseurl === undefined) throw notFound('public_baseurl is not configured');
        return { 'm.homeserver': { base_url: config.publicBaseurl }, ...encryptionFor(config.encryption) };
      },
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/capabilities',
      auth: 'user',
      handler: () => ({
        capabilities: {
          'm.change_password': { enabled: true },
          'm.room_versions': {
            default: config.defaultRoomVersion,
            available: Object.fromEntries([...roomVersions.keys()].map((version) => [version, 'stable'])),
          },
          'm.set_displayname': { enabled: true },
          'm.set_avatar_url': { enabled: true },
          'm.3pid_changes': { enabled: false },
          'm.get_login_token': { enabled: false },
          'm.profile_fields': { enabled: true, allowed: ['displayname', 'avatar_url'] },
        },
      }),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/voip/turnServer',
      auth: 'user',
      // There is none. Deployed servers say so with an empty object and clients go on without; a list of addresses
      // that is empty, as the schema would want it, makes browsers refuse to call at all.
      handler: () => ({}),
    }),
    route({
      method: 'GET',
      path: '/_matrix/client/v3/thirdparty/protocols',
      auth: 'user',
      handler: () => ({}),
    }),
  ];
}

/** What the island decided about end-to-end encryption, by the key that Element and its like honour. */
function encryptionFor(policy: IslandPolicy | undefined): JsonObject {
  if (policy === undefined || policy.encryption === 'optional') return {};
  return {
    'io.element.e2ee':
      policy.encryption === 'required' ? { default: true } : { default: false, force_disable: true },
  };
}
