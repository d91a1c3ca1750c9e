import type { Logger } from 'pino';
import { explain } from '../../policy/decision.ts';
import { JsonError, type JsonObject } from '../../protocol/json.ts';
import { RoomError, TryAgain } from '../../rooms/errors.ts';
import { RemoteError } from '../../rooms/ports.ts';
import { type FederationRequest, type FederationResponse, jsonResponse } from '../exchange.ts';
import {
  defaultMaxBodyBytes,
  type FederationRoute,
  type RouteParts,
  type RouteRequest,
  readObject,
} from './route.ts';
import { federationRoutes } from './table.ts';

const maxUriLength = 16 * 1024;

interface Pattern {
  readonly segments: readonly string[];
  readonly byMethod: Map<string, FederationRoute>;
}

/**
 * Answers the Server-Server API for every transport. Default deny stands first: a server that is not an
 * active partner gets 403, whatever it asks for.
 */
export class FederationRouter {
  readonly #parts: RouteParts;
  readonly #log: Logger;
  readonly #patterns: readonly Pattern[];

  constructor(parts: RouteParts, log: Logger) {
    this.#parts = parts;
    this.#log = log;
    const patterns = new Map<string, Pattern>();
    for (const route of federationRoutes) {
      const known = patterns.get(route.path);
      if (known !== undefined) known.byMethod.set(route.method, route);
      else
        patterns.set(route.path, {
          segments: route.path.split('/'),
          byMethod: new Map([[route.method, route]]),
        });
    }
    this.#patterns = [...patterns.values()];
  }

  /** Never rejects. The handler is called before the first await, so that transactions keep their order. */
  async answer(request: FederationRequest): Promise<FederationResponse> {
    const log = this.#log.child({ partner: request.origin });
    try {
      const decision = this.#parts.border.mayAsk(request.origin);
      if (!decision.allowed) {
        log.warn({ reason: explain(decision) }, 'refused a request of a server that is no active partner');
        return errorResponse(403, 'M_FORBIDDEN', 'This server is not a partner');
      }
      const found = this.#find(request);
      if ('status' in found) return found;
      const outcome = await found.route.handle(routeRequest(request, found, log), this.#parts);
      return isWhole(outcome) ? outcome.response : jsonResponse(200, outcome);
    } catch (error) {
      return this.#failure(error, request, log);
    }
  }

  #find(request: FederationRequest): Found | FederationResponse {
    if (request.uri.length > maxUriLength) return errorResponse(414, 'M_TOO_LARGE', 'The path is too long');
    const question = request.uri.indexOf('?');
    const path = question < 0 ? request.uri : request.uri.slice(0, question);
    const segments = path.split('/');
    for (const pattern of this.#patterns) {
      const params = match(pattern.segments, segments);
      if (params === undefined) continue;
      const route = pattern.byMethod.get(request.method);
      if (route === undefined) return errorResponse(405, 'M_UNRECOGNIZED', 'This method is not known here');
      return { route, params, query: new URLSearchParams(question < 0 ? '' : request.uri.slice(question)) };
    }
    return errorResponse(404, 'M_UNRECOGNIZED', 'This path is not known here');
  }

  #failure(error: unknown, request: FederationRequest, log: Logger): FederationResponse {
    if (error instanceof RoomError)
      return errorResponse(error.status, error.errcode, error.message, error.extra);
    if (error instanceof JsonError) return errorResponse(400, error.code, error.message);
    // What another server answered to us is not our answer.
    if (error instanceof RemoteError)
      return errorResponse(502, 'M_UNKNOWN', 'Another server was needed for this');
    if (error instanceof TryAgain) return errorResponse(503, 'M_UNKNOWN', 'Not now: try again');
    log.error(
      { err: error, method: request.method, path: pathOf(request.uri) },
      'a federation request failed',
    );
    return errorResponse(500, 'M_UNKNOWN', 'Internal error');
  }
}

interface Found {
  readonly route: FederationRoute;
  readonly params: ReadonlyMap<string, string>;
  readonly query: URLSearchParams;
}

function routeRequest(request: FederationRequest, found: Found, log: Logger): RouteRequest {
  return {
    origin: request.origin,
    headers: request.headers,
    query: found.query,
    param: (name) => found.params.get(name) ?? '',
    json: () => readObject(request.body(found.route.maxBodyBytes ?? defaultMaxBodyBytes)),
    bytes: () => request.body(found.route.maxBodyBytes ?? defaultMaxBodyBytes),
    log,
  };
}

function match(pattern: readonly string[], segments: readonly string[]): Map<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params = new Map<string, string>();
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith(':')) {
      if (part !== segment) return undefined;
      continue;
    }
    const decoded = decode(segment);
    if (decoded === undefined || decoded === '') return undefined;
    params.set(part.slice(1), decoded);
  }
  return params;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined; // Not percent-encoded UTF-8: no such path.
  }
}

function pathOf(uri: string): string {
  return uri.split('?', 1)[0] ?? '';
}

function isWhole(outcome: unknown): outcome is { response: FederationResponse } {
  return typeof outcome === 'object' && outcome !== null && 'response' in outcome;
}

function errorResponse(
  status: number,
  errcode: string,
  message: string,
  extra: JsonObject = {},
): FederationResponse {
  return jsonResponse(status, { ...extra, errcode, error: message });
}
