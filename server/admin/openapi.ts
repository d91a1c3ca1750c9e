import type { TObject, TSchema } from 'typebox';
import type { JsonObject, JsonValue } from '../../protocol/json.ts';
import { version } from '../version.ts';
import { adminPath } from './api.ts';
import { type AnyOperation, operationsByName } from './perform.ts';
import { roleMeanings, roles } from './roles.ts';

/** The admin API as an OpenAPI 3.1 document, made from the table of operations. */
export function openApi(): JsonObject {
  const paths: Record<string, Record<string, JsonValue>> = {};
  for (const operation of operationsByName.values()) {
    const path = operation.http.path.replace(/:(\w+)/g, '{$1}');
    const methods = paths[path] ?? {};
    paths[path] = methods;
    methods[operation.http.method.toLowerCase()] = describe(operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Archipelago admin API',
      version,
      description: `On listeners with the resource \`admin\`, for users of the island by their roles. Every call is in the audit log. Roles: ${roles.map((role) => `\`${role}\`: ${roleMeanings[role]}`).join('; ')}.`,
    },
    servers: [{ url: adminPath }],
    security: [{ accessToken: [] }],
    paths,
    components: {
      securitySchemes: {
        accessToken: {
          type: 'http',
          scheme: 'bearer',
          description:
            'The access token of a user of this island, as Matrix clients get it. In the header alone.',
        },
      },
      schemas: { Error: errorSchema },
      responses: Object.fromEntries(
        Object.entries(refusals).map(([name, { description }]) => [
          name,
          {
            description,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
          },
        ]),
      ),
    },
  };
}

const errorSchema = {
  type: 'object',
  required: ['errcode', 'error'],
  properties: {
    errcode: { type: 'string' },
    error: { type: 'string', description: 'A sentence for the admin.' },
    'org.archipelago.param': { type: 'string', description: 'The parameter that is wrong.' },
  },
};

const refusals = {
  BadRequest: { status: '400', description: 'A parameter is missing or wrong, or it can never be.' },
  Unauthorized: { status: '401', description: 'No access token, or one that is not valid.' },
  Forbidden: { status: '403', description: 'The user has none of the roles that are needed.' },
  NotFound: { status: '404', description: 'There is no such user, partner or other thing.' },
  Conflict: { status: '409', description: 'It cannot be as things stand.' },
} as const;

function describe(operation: AnyOperation): JsonObject {
  const { name, summary, http, params, result } = operation;
  const inPath = new Set([...http.path.matchAll(/:(\w+)/g)].map(([, param = '']) => param));
  const isInQuery = http.method === 'GET' || http.method === 'DELETE';
  const required = new Set(requiredOf(params));
  const others = Object.entries(params.properties).filter(([param]) => !inPath.has(param));
  const suitable = roles.filter((role) => operation.roles.includes(role));
  return {
    operationId: name,
    tags: [name.split('.')[0] ?? name],
    summary,
    description: `For the roles ${suitable.join(', ')}.`,
    'x-roles': suitable,
    parameters: [
      ...[...inPath].map((param) => parameter('path', param, params.properties[param], true)),
      ...(isInQuery
        ? others.map(([param, schema]) => parameter('query', param, schema, required.has(param)))
        : []),
    ],
    ...(isInQuery || others.length === 0 ? {} : { requestBody: bodyOf(others, required) }),
    responses: {
      '200': { description: 'Done.', content: { 'application/json': { schema: plain(result) } } },
      ...Object.fromEntries(
        Object.entries(refusals).map(([refusal, { status }]) => [
          status,
          { $ref: `#/components/responses/${refusal}` },
        ]),
      ),
    },
  };
}

function requiredOf(schema: TObject): readonly string[] {
  return 'required' in schema && Array.isArray(schema.required) ? schema.required : [];
}

function parameter(
  place: 'path' | 'query',
  name: string,
  schema: TSchema | undefined,
  required: boolean,
): JsonObject {
  const { description, ...rest } = plain(schema ?? {});
  return { name, in: place, required, ...(description === undefined ? {} : { description }), schema: rest };
}

function bodyOf(properties: readonly [string, TSchema][], required: ReadonlySet<string>): JsonObject {
  const needed = properties.map(([name]) => name).filter((name) => required.has(name));
  const schema = {
    type: 'object',
    ...(needed.length === 0 ? {} : { required: needed }),
    properties: Object.fromEntries(properties.map(([name, property]) => [name, plain(property)])),
    additionalProperties: false,
  };
  return { required: needed.length > 0, content: { 'application/json': { schema } } };
}

/** A schema without what TypeBox keeps in it for itself. */
function plain(schema: TSchema): JsonObject {
  // A TypeBox schema is a JSON Schema, and that is JSON.
  return JSON.parse(JSON.stringify(schema)) as JsonObject;
}
