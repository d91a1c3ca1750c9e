import Router from '@koa/router';
import type { Context } from 'koa';
import type { Method, Route } from './route.ts';

export type Serve = (ctx: Context & { params?: unknown }, route: Route) => Promise<void>;

/**
 * Serves a request by its route, or by `missing` where it has none. A router tries all of its routes on each request.
 * There is one here for each method and number of segments, so that a request is tried against the few routes that it
 * can match. Which route matches does not change by that: no route takes a variable number of segments.
 */
export function dispatcher(
  routes: readonly Route[],
  serve: Serve,
  missing: (ctx: Context) => Promise<never>,
): (ctx: Context) => Promise<unknown> {
  const routers = new Map<string, Router>();
  for (const route of routes) {
    for (const path of route.paths) {
      const key = keyOf(route.method, path);
      const router = routers.get(key) ?? new Router({ sensitive: true, strict: true });
      routers.set(key, router);
      router.register(path, [route.method], [(ctx) => serve(ctx, route)]);
    }
  }
  const middlewares = new Map([...routers].map(([key, router]) => [key, router.routes()]));
  return async (ctx) => {
    // As the router does it: who serves GET serves HEAD.
    const middleware = middlewares.get(keyOf(ctx.method === 'HEAD' ? 'GET' : ctx.method, ctx.path));
    if (middleware === undefined) return missing(ctx);
    // The router puts its own properties into the context before it reads any.
    return middleware(ctx as Parameters<typeof middleware>[0], () => missing(ctx));
  };
}

function keyOf(method: string, path: string): string {
  let slashes = 0;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) slashes += 1;
  return `${method} ${slashes}`;
}

/** The methods that a path is served with: none for a path that nobody knows. */
export function knownMethods(routes: readonly Route[]): (path: string) => Method[] {
  const known = routes.flatMap(({ method, paths }) =>
    paths.map((path) => ({ method, pattern: toPattern(path) })),
  );
  return (path) => [...new Set(known.flatMap(({ method, pattern }) => (pattern.test(path) ? [method] : [])))];
}

function toPattern(path: string): RegExp {
  const source = path
    .split(/(:[A-Za-z]+)/)
    .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`);
}
