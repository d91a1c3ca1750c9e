import type { IncomingMessage } from 'node:http';

/**
 * The access token of a request ("Using access tokens"): from the header, else from the query, which every released
 * version that we name in `/versions` lets clients use. Undefined where there is none.
 */
export function accessTokenOf(request: IncomingMessage, querystring: string): string | undefined {
  const { authorization } = request.headers;
  if (authorization === undefined) return new URLSearchParams(querystring).get('access_token') || undefined;
  return /^Bearer ([^\s]+)$/i.exec(authorization)?.[1];
}
