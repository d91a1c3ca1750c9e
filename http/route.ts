import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { Static, TSchema } from 'typebox';
import Compile, { type Validator } from 'typebox/compile';
import type { JsonObject, JsonValue } from '../protocol/json.ts';

/** Who asks, as the access token says. */
export interface AuthenticatedUser {
  readonly userId: string;
  readonly deviceId: string;
  /** Hex SHA-256 of the access token: names the session without giving it away. */
  readonly tokenHash: string;
  readonly isAdmin: boolean;
  /** As one who administers the server. */
  readonly roles: readonly string[];
}

/**
 * `user`: a valid access token. `bearer`: one in the header, where the query is no place for it. `optional`: of a user or
 * nobody. `none`: nobody is asked.
 */
export type RouteAuth = 'user' | 'bearer' | 'optional' | 'none';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** An answer that is not plain JSON with status 200. */
export class Reply {
  readonly status: number;
  readonly body: JsonValue | Buffer | Readable | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    body: JsonValue | Buffer | Readable | undefined,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export interface RouteContext<Body, User> {
  readonly user: User;
  /** Path parameters, percent-decoded once. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Body;
  /** The request itself: headers, and the stream of a route whose body is `stream`. */
  readonly request: IncomingMessage;
  readonly remoteAddress: string;
  /** A signal that is aborted when the client has gone. */
  readonly gone: () => AbortSignal;
}

type UserOf<A extends RouteAuth> = A extends 'none'
  ? undefined
  : A extends 'optional'
    ? AuthenticatedUser | undefined
    : AuthenticatedUser;
type BodyOf<B extends TSchema | undefined> = B extends TSchema ? Static<B> & JsonObject : undefined;

export interface RouteSpec<A extends RouteAuth, B extends TSchema | undefined> {
  readonly method: Method;
  /** With `:name` for parameters, as the router takes it. */
  readonly path: string | readonly string[];
  readonly auth: A;
  /** Shape of the JSON body. A request without a body counts as `{}`. */
  readonly body?: B;
  /** `canonical` where the body becomes part of an event; else floats pass too. */
  readonly numbers?: 'canonical' | 'any';
  /** Bytes of the body; 1 MiB unless told. */
  readonly maxBody?: number;
  readonly handler: (
    context: RouteContext<BodyOf<B>, UserOf<A>>,
  ) => Promise<JsonValue | Reply> | JsonValue | Reply;
}

/** A route with its types forgotten: what the application takes. */
export interface Route {
  readonly method: Method;
  readonly paths: readonly string[];
  readonly auth: RouteAuth;
  /** The check of the JSON body; undefined where there is none. */
  readonly body: (() => Validator) | undefined;
  readonly numbers: 'canonical' | 'any';
  readonly maxBody: number;
  readonly handler: (
    context: RouteContext<unknown, AuthenticatedUser | undefined>,
  ) => Promise<JsonValue | Reply> | JsonValue | Reply;
}

/** An endpoint as a table of what it guarantees its handler, and the handler. */
export function route<A extends RouteAuth, B extends TSchema | undefined = undefined>(
  spec: RouteSpec<A, B>,
): Route {
  const { body } = spec;
  // Compiled when the first request comes: a start would have to compile a hundred of them.
  let validator: Validator | undefined;
  const check = (schema: TSchema): Validator => {
    validator ??= Compile(schema);
    return validator;
  };
  return {
    method: spec.method,
    paths: typeof spec.path === 'string' ? [spec.path] : spec.path,
    auth: spec.auth,
    body: body === undefined ? undefined : () => check(body),
    numbers: spec.numbers ?? 'any',
    maxBody: spec.maxBody ?? 1024 * 1024,
    // The application checks body and user before it calls; only the types are forgotten here.
    handler: spec.handler as Route['handler'],
  };
}
