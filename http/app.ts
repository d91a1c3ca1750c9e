import { Readable } from 'node:stream';
import Koa, { type Context } from 'koa';
import type { Logger } from 'pino';
import type { Validator } from 'typebox/compile';
import { accessTokenOf } from './access-token.ts';
import { readJson } from './body.ts';
import type { AddressOf } from './client-address.ts';
import { dispatcher, knownMethods } from './dispatch.ts';
import { badJson, MatrixError, missingParam, missingToken, unrecognized } from './errors.ts';
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
  const methodsOf = knownMethods(routes);
  const dispatch = dispatcher(
    routes,
    (ctx, route, params) => serve(ctx, route, params, deps),
    async (ctx) => {
      const methods = methodsOf(ctx.path);
      if (methods.length === 0) throw unrecognized(404);
      ctx.set('Allow', methods.join(', '));
      throw unrecognized(405);
    },
  );
  app.use(async (ctx) => {
    try {
      if (ctx.method === 'OPTIONS') {
        sendJson(ctx, 200, '{}');
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
  if (!path.includes('%')) return;
  try {
    decodeURIComponent(path);
  } catch {
    throw new MatrixError(400, 'M_INVALID_PARAM', 'The path is not valid percent-encoded UTF-8');
  }
}

async function serve(
  ctx: Context,
  route: Route,
  params: Readonly<Record<string, string>>,
  deps: AppDependencies,
): Promise<void> {
  const remoteAddress = deps.addressOf(ctx.req);
  const user = await userOf(ctx, route, remoteAddress, deps);
  let body: unknown;
  if (route.body !== undefined) {
    body = await readJson(ctx.req, route.maxBody, route.numbers);
    const validator = route.body();
    if (!validator.Check(body)) throw mismatch(validator, body);
  }
  const answer = await route.handler({
    user,
    params,
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
    for (const [name, value] of corsHeaders) ctx.set(name, value);
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

const jsonHeaders = [...corsHeaders.flat(), 'Content-Type', 'application/json'];

/**
 * Answers with JSON. Goes past Koa's response: nearly all answers are of this form, and setting one header after the
 * other takes longer than everything else that is done for an answer.
 */
function sendJson(ctx: Context, status: number, text: string): void {
  ctx.respond = false;
  ctx.res.writeHead(status, [...jsonHeaders, 'Content-Length', String(Buffer.byteLength(text))]);
  ctx.res.end(text);
}

/** Who asks; `none` looks at no token at all. */
function userOf(
  ctx: Context,
  route: Route,
  remoteAddress: string,
  deps: AppDependencies,
): AuthenticatedUser | undefined | Promise<AuthenticatedUser | undefined> {
  if (route.auth === 'none') return undefined;
  const token = accessTokenOf(ctx.req, route.auth === 'bearer' ? '' : ctx.querystring);
  if (route.auth === 'optional') return token === undefined ? undefined : bearer(token, remoteAddress, deps);
  if (token === undefined) throw missingToken();
  return deps.authenticate(token, remoteAddress);
}

/** Nobody for a bad token: what may be asked without one is answered with a bad one too. */
async function bearer(
  token: string,
  remoteAddress: string,
  deps: AppDependencies,
): Promise<AuthenticatedUser | undefined> {
  try {
    return await deps.authenticate(token, remoteAddress);
  } catch (error) {
    if (error instanceof MatrixError && error.status === 401) return undefined;
    throw error;
  }
}

/** What is wrong with a body, in the words of the first rule that it breaks. */
function mismatch(validator: Validator, body: unknown): MatrixError {
  const [first] = validator.Errors(body);
  if (first === undefined) return badJson('The body does not fit');
  const path = first.instancePath.replace(/^\//, '').replaceAll('/', '.');
  const message = path === '' ? `The body ${first.message}` : `${path} ${first.message}`;
  return first.keyword === 'required' ? missingParam(message) : badJson(message);
}

/** The one place that answers errors. What nobody foresaw is logged with its stack and says nothing outside. */
function answerError(ctx: Context, error: unknown, deps: AppDependencies): void {
  const known = error instanceof MatrixError ? error : deps.toMatrixError(error);
  if (known === undefined && isBrokenOff(ctx, error)) {
    deps.log.debug({ err: error, method: ctx.method, path: ctx.path }, 'the client went away');
    return;
  }
  if (known === undefined) {
    deps.log.error({ err: error, method: ctx.method, path: ctx.path }, 'request failed');
    sendJson(ctx, 500, JSON.stringify({ errcode: 'M_UNKNOWN', error: 'Internal server error' }));
    return;
  }
  // A database that does not answer, a full disk: the client learns little, the administrator all.
  if (known.status === 500 || known.status === 507) {
    deps.log.error({ err: error, method: ctx.method, path: ctx.path }, 'request failed');
  }
  sendJson(
    ctx,
    known.status,
    JSON.stringify({ ...known.extra, errcode: known.errcode, error: known.message }),
  );
}

/** Whether reading the request failed because its sender hung up: nobody is there to be answered. */
function isBrokenOff(ctx: Context, error: unknown): boolean {
  return ctx.req.destroyed && !ctx.req.complete && systemCode(error) === 'ECONNRESET';
}

function systemCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
