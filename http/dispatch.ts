import Router from '@koa/router';
import type { Context } from 'koa';
import type { Method, Route } from './route.ts';

export type Serve = (ctx: Context, route: Route, params: Readonly<Record<string, string>>) => Promise<void>;

/** A route's path, as the router has compiled it. */
interface Entry {
  readonly layer: Router['stack'][number];
  readonly route: Route;
}

/**
 * Serves a request by its route, or by `missing` where it has none. The router compiles the paths, matches them and
 * decodes their parameters; but it would try all of its routes on each request, and build a chain of middleware for
 * it. Here a request is tried against the few routes of its method and its number of segments. Which route matches
 * does not change by that: no route takes a variable number of segments.
 */
export function dispatcher(
  routes: readonly Route[],
  serve: Serve,
  missing: (ctx: Context) => Promise<never>,
): (ctx: Context) => Promise<void> {
  const entries = new Map<string, Entry[]>();
  for (const route of routes) {
    for (const path of route.paths) {
      const router = new Router({ sensitive: true, strict: true });
      router.register(path, [route.method], [() => undefined]);
      const key = keyOf(route.method, path);
      entries.set(key, [...(entries.get(key) ?? []), ...router.stack.map((layer) => ({ layer, route }))]);
    }
  }
  return (ctx) => {
    const { path } = ctx;
    // As the router does it: who serves GET serves HEAD.
    const candidates = entries.get(keyOf(ctx.method === 'HEAD' ? 'GET' : ctx.method, path)) ?? [];
    for (const { layer, route } of candidates)
      if (layer.match(path)) return serve(ctx, route, layer.params(path, layer.captures(path)));
    return missing(ctx);
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
    .split(/(:[A-Za-z_]+)/)
    .map((part) => (part.startsWith(':') ? '[^/]+' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`);
}
