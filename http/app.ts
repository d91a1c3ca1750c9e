import { Readable } from 'node:stream';
import Koa, { type Context } from 'koa';
import type { Logger } from 'pino';
import type { Validator } from 'typebox/compile';
import { readJson } from './body.ts';
import type { AddressOf } from './client-address.ts';
import { dispatcher, knownPaths } from './dispatch.ts';
import { badJson, MatrixError, missingToken, unrecognized } from './errors.ts';
import { type AuthenticatedUser, Reply, type Route } from './route.ts';

export interface AppDependencies {
  readonly log: Logger;
  readonly addressOf: AddressOf;
  /** The user of an access token; throws 401 `M_UNKNOWN_TOKEN` and its like. */
  authenticate(token: string, remoteAddress: string): AuthenticatedUser | Promise<AuthenticatedUser>;
  /** Turns an error of a lower layer into the answer it means; undefined for one that nobody foresaw. */
  toMatrixError(error: unknown): MatrixError | undefined;
  /** Throws for paths that are refused whatever stands behind them. */
  refuse?(path: string): void;
}

/** For browsers: "Web Browser Clients" of the Client-Server API. */
const corsHeaders = [
  ['Access-Control-Allow-Origin', '*'],
  ['Access-Control-Allow-Methods', 'GET, POST, PUT, DELETE, OPTIONS'],
  ['Access-Control-Allow-Headers', 'X-Requested-With, Content-Type, Authorization'],
] as const;

/**
 * The HTTP application: routes behind authentication, validation and one place that answers errors. A path that
 * nobody serves is 404 `M_UNRECOGNIZED`, a method that its path does not know 405.
 */
export function buildApp(routes: readonly Route[], deps: AppDependencies): Koa {
  const app = new Koa();
  // Koa prints errors to stderr by default; ours are answered and logged below.
  app.silent = true;
  const isKnown = knownPaths(routes);
  const dispatch = dispatcher(
    routes,
    (ctx, route) => serve(ctx, route, deps),
    async (ctx) => {
      throw unrecognized(isKnown(ctx.path) ? 405 : 404);
    },
  );
  app.use(async (ctx) => {
    for (const [name, value] of corsHeaders) ctx.res.setHeader(name, value);
    try {
      if (ctx.method === 'OPTIONS') {
        ctx.status = 200;
        ctx.body = {};
        return;
      }
      requireDecodable(ctx.path);
      deps.refuse?.(ctx.path);
      await dispatch(ctx);
    } catch (error) {
      answerError(ctx, error, deps);
    }
  });
  return app;
}

/** A path whose percent-encoding is broken reaches no route. */
function requireDecodable(path: string): void {
  try {
    decodeURIComponent(path);
  } catch {
    throw new MatrixError(400, 'M_INVALID_PARAM', 'The path is not valid percent-encoded UTF-8');
  }
}

async function serve(
  ctx: Context & { params?: unknown },
  route: Route,
  deps: AppDependencies,
): Promise<void> {
  const remoteAddress = deps.addressOf(ctx.req);
  const user = route.auth === 'none' ? undefined : await authenticated(ctx, remoteAddress, deps);
  if (route.auth === 'admin' && user?.isAdmin !== true) {
    throw new MatrixError(403, 'M_FORBIDDEN', 'Only for admins');
  }
  let body: unknown;
  if (route.body !== undefined) {
    body = await readJson(ctx.req, route.maxBody, route.numbers);
    const validator = route.body();
    if (!validator.Check(body)) throw badJson(describeMismatch(validator, body));
  }
  const answer = await route.handler({
    user,
    params: paramsOf(ctx),
    get query() {
      return new URLSearchParams(ctx.querystring);
    },
    body,
    request: ctx.req,
    remoteAddress,
    gone: () => goneSignal(ctx),
  });
  if (!(answer instanceof Reply)) {
    sendJson(ctx, 200, JSON.stringify(answer));
    return;
  }
  ctx.set(answer.headers);
  if (answer.body instanceof Readable || Buffer.isBuffer(answer.body)) {
    ctx.status = answer.status;
    ctx.body = answer.body;
  } else {
    sendJson(ctx, answer.status, JSON.stringify(answer.body ?? {}));
  }
}

/** Made only for who asks: most handlers are done before anybody could go away. */
function goneSignal(ctx: Context): AbortSignal {
  const gone = new AbortController();
  ctx.res.once('close', () => gone.abort());
  if (ctx.res.destroyed) gone.abort();
  return gone.signal;
}

function sendJson(ctx: Context, status: number, text: string): void {
  ctx.status = status;
  ctx.res.setHeader('Content-Type', 'application/json');
  ctx.body = text;
}

function paramsOf(ctx: Context & { params?: unknown }): Record<string, string> {
  // The router has matched the path and decoded what it captured.
  return (ctx.params ?? {}) as Record<string, string>;
}

function authenticated(
  ctx: Context,
  remoteAddress: string,
  deps: AppDependencies,
): AuthenticatedUser | Promise<AuthenticatedUser> {
  const match = /^Bearer ([^\s]+)$/i.exec(ctx.req.headers.authorization ?? '');
  if (match?.[1] === undefined) throw missingToken();
  return deps.authenticate(match[1], remoteAddress);
}

function describeMismatch(validator: Validator, body: unknown): string {
  const [first] = validator.Errors(body);
  if (first === undefined) return 'The body does not fit';
  const path = first.instancePath.replace(/^\//, '').replaceAll('/', '.');
  return path === '' ? `The body ${first.message}` : `${path} ${first.message}`;
}

/** The one place that answers errors. What nobody foresaw is logged with its stack and says nothing outside. */
function answerError(ctx: Context, error: unknown, deps: AppDependencies): void {
  const known = error instanceof MatrixError ? error : deps.toMatrixError(error);
  if (known === undefined) {
    deps.log.error({ err: error, method: ctx.method, path: ctx.path }, 'request failed');
    sendJson(ctx, 500, JSON.stringify({ errcode: 'M_UNKNOWN', error: 'Internal server error' }));
    return;
  }
  sendJson(
    ctx,
    known.status,
    JSON.stringify({ ...known.extra, errcode: known.errcode, error: known.message }),
  );
}
