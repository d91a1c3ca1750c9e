import type { JsonObject } from '../../protocol/json.ts';
import { signJson } from '../../protocol/signing.ts';
import type { FederationRoute } from './route.ts';

/** How long our answer may be believed by those that believe key answers. */
const validityMs = 24 * 3600 * 1000;

/** Publishing keys: server-server API, `GET /_matrix/key/v2/server`. */
export const keyServer: FederationRoute = {
  method: 'GET',
  path: '/_matrix/key/v2/server',
  async handle(_request, { serverName, ownKeys, clock }) {
    const { current: signingKey, oldKeys } = ownKeys;
    const old: JsonObject = {};
    for (const [keyId, { key, validUntil }] of oldKeys) old[keyId] = { key, expired_ts: validUntil };
    const body: JsonObject = {
      server_name: serverName,
      verify_keys: { [signingKey.keyId]: { key: signingKey.publicKey } },
      old_verify_keys: old,
      valid_until_ts: clock.now() + validityMs,
    };
    return signJson(body, serverName, signingKey);
  },
};
