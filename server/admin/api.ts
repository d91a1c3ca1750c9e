import type { TObject, TSchema } from 'typebox';
import { badJson, MatrixError } from '../../http/errors.ts';
import { type AuthenticatedUser, type Route, type RouteContext, route } from '../../http/route.ts';
import { AnyObject } from '../../http/schemas.ts';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { AdminError, type AdminErrorKind } from '../admin-error.ts';
import type { AdminContext, Caller } from './context.ts';
import { type AnyOperation, operationsByName, perform } from './perform.ts';
import { rolesIn } from './roles.ts';

/** Where the admin API stands. */
export const adminPath = '/_archipelago/admin/v1';

/**
 * The admin API: the table of operations over HTTP, for users of this island by what roles they have when they call.
 * `context` gives nothing until the island is ready.
 */
export function adminRoutes(context: () => AdminContext | undefined): Route[] {
  return [...operationsByName.values()].map((operation) =>
    route({
      method: operation.http.method,
      path: `${adminPath}${operation.http.path}`,
      auth: 'bearer',
      ...(operation.http.method === 'GET' || operation.http.method === 'DELETE' ? {} : { body: AnyObject }),
      handler: async (call) => {
        const island = context();
        if (island === undefined) throw new MatrixError(503, 'M_UNKNOWN', 'The island is starting');
        try {
          return await perform(island, operation, paramsOf(operation, call), callerOf(call.user));
        } catch (error) {
          throw error instanceof AdminError ? toMatrixError(error) : error;
        }
      },
    }),
  );
}

function callerOf({ userId, roles }: AuthenticatedUser): Caller {
  return { name: userId, roles: new Set(rolesIn(roles)) };
}

/** Parameters stand in the path, and the others in the body, or in the query where there is none. */
function paramsOf(
  { params: schema }: AnyOperation,
  { params: inPath, body, query }: RouteContext<JsonObject | undefined, AuthenticatedUser>,
): JsonObject {
  const others = isObject(body) ? body : fromQuery(schema, query);
  const twice = Object.keys(inPath).find((name) => Object.hasOwn(others, name));
  if (twice !== undefined) throw badJson(`${twice} stands in the path, and nowhere else`);
  return { ...others, ...typed(schema, inPath) };
}

/** The token is taken from the header alone, so `access_token` is a parameter as any other: an unknown one. */
function fromQuery(schema: TObject, query: URLSearchParams): JsonObject {
  const names = [...new Set(query.keys())];
  const values = names.map((name): [string, JsonValue] => {
    const all = query.getAll(name);
    const property = propertyOf(schema, name);
    if (property !== undefined && 'items' in property) return [name, all];
    if (all.length > 1) throw badJson(`${name} stands more than once in the query`);
    return [name, all[0] ?? ''];
  });
  return typed(schema, Object.fromEntries(values));
}

/** Numbers and truth values are texts in a URL. What is neither stays a text, which the check then refuses. */
function typed(schema: TObject, texts: Readonly<Record<string, JsonValue>>): JsonObject {
  return Object.fromEntries(
    Object.entries(texts).map(([name, value]) => {
      const property = propertyOf(schema, name);
      const type = property !== undefined && 'type' in property ? property.type : undefined;
      if (type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value))
        return [name, Number(value)];
      if (type === 'boolean' && (value === 'true' || value === 'false')) return [name, value === 'true'];
      return [name, value];
    }),
  );
}

function propertyOf(schema: TObject, name: string): TSchema | undefined {
  return Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
}

const answers: Readonly<Record<AdminErrorKind, readonly [status: number, errcode: string]>> = {
  invalid: [400, 'M_INVALID_PARAM'],
  'not-found': [404, 'M_NOT_FOUND'],
  conflict: [409, 'ORG.ARCHIPELAGO.CONFLICT'],
  forbidden: [403, 'M_FORBIDDEN'],
};

function toMatrixError(error: AdminError): MatrixError {
  const [status, errcode] = answers[error.kind];
  const extra = error.param === undefined ? {} : { 'org.archipelago.param': error.param };
  return new MatrixError(status, errcode, error.message, extra, error);
}
