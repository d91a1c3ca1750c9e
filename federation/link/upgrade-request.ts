import { encodeBase64Url } from '../../protocol/base64.ts';
import type { Clock, Random } from '../../protocol/runtime.ts';
import type { SigningKey } from '../../protocol/signing.ts';
import { authorizationHeader } from '../x-matrix.ts';

export const linkPath = '/_archipelago/link/v1';

/** Names the major version of the protocol. */
export const linkSubprotocol = 'island-link.v1';

export interface UpgradeRequest {
  /** Path and query: what is signed, and what the accepting side has to see. */
  readonly uri: string;
  readonly authorization: string;
}

/** Signs a new upgrade request; good for one use and for ten minutes. */
export function upgradeRequest(
  deps: { serverName: string; signingKey: SigningKey; clock: Clock; random: Random },
  destination: string,
): UpgradeRequest {
  const nonce = encodeBase64Url(deps.random.bytes(16));
  const uri = `${linkPath}?nonce=${nonce}&ts=${Math.floor(deps.clock.now())}`;
  const authorization = authorizationHeader(
    { method: 'GET', uri, origin: deps.serverName, destination },
    deps.signingKey,
  );
  return { uri, authorization };
}

/** The address to dial for a partner's URL and a signed request: a bare host gets the link's own path. */
export function dialAddress(url: string, request: UpgradeRequest): URL {
  const address = new URL(url);
  if (address.pathname === '/' || address.pathname === '') address.pathname = linkPath;
  address.search = request.uri.slice(request.uri.indexOf('?'));
  address.hash = '';
  return address;
}
