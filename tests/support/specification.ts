import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { AnySchemaObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { parse } from 'yaml';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';

/** Where the specification's `data` folder lies, beside the repository unless told. */
const directory = path.resolve(process.env['MATRIX_SPEC_DIR'] ?? '../shared/matrix-spec', 'data');

/** One operation of an OpenAPI file. */
export interface Operation {
  readonly method: string;
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly id: string;
  readonly file: string;
  readonly definition: JsonObject;
}

/** An answer as it went over the wire. */
export interface Exchange {
  readonly method: string;
  /** The path of the request, with its query or without. */
  readonly path: string;
  readonly status: number;
  readonly contentType: string | undefined;
  readonly body: Buffer;
}

/** A place in a file: the file's name under `data`, and the keys to follow in it. */
interface Place {
  readonly file: string;
  readonly keys: readonly string[];
}

interface Template {
  readonly pattern: RegExp;
  /** One digit for each segment: literal segments sort before parameters. */
  readonly rank: string;
  readonly operations: Map<string, Operation[]>;
}

/**
 * What any request may be answered with, whether its operation lists it or not: "Standard error response". Among them
 * what a partner's or the machine's failure means; an error that nobody foresaw (500) is never right.
 */
const generalErrors = new Set([400, 401, 403, 404, 405, 413, 429, 502, 503, 504, 507]);
const base = 'https://specification.invalid/';
const errorSchema: Place = { file: 'api/client-server/definitions/errors/error.yaml', keys: [] };

/**
 * The OpenAPI files of one API, to hold answers against. Schemas are compiled when the first answer asks for them and
 * kept.
 */
export class Specification {
  readonly operations: readonly Operation[];
  readonly #templates: readonly Template[];
  readonly #documents: Map<string, JsonObject>;
  readonly #validators = new Map<string, Promise<ValidateFunction>>();
  readonly #ajv: Ajv2020;

  private constructor(documents: Map<string, JsonObject>, operations: readonly Operation[]) {
    this.#documents = documents;
    this.operations = operations;
    this.#templates = templatesOf(operations);
    this.#ajv = new Ajv2020({
      strict: false,
      allErrors: true,
      // The documents hold more than schemas.
      validateSchema: false,
      loadSchema: (uri) => this.#load(uri.slice(base.length)),
    });
    formats.default(this.#ajv);
    for (const [name, pattern] of matrixFormats) this.#ajv.addFormat(name, pattern);
  }

  /** Reads all operations of an API; undefined where the specification's files are not there. */
  static async read(api: 'client-server' | 'server-server'): Promise<Specification | undefined> {
    if (!existsSync(directory)) return undefined;
    const documents = new Map<string, JsonObject>();
    const operations: Operation[] = [];
    for (const name of (await readdir(path.join(directory, 'api', api))).sort()) {
      if (!name.endsWith('.yaml')) continue;
      const file = `api/${api}/${name}`;
      const document = await readDocument(file);
      documents.set(file, document);
      operations.push(...operationsOf(file, document));
    }
    return new Specification(documents, operations);
  }

  /** The operations that a request means; none if the specification has no such path, or not with this method. */
  find(method: string, requestPath: string): readonly Operation[] {
    return this.#templateOf(requestPath)?.operations.get(method) ?? [];
  }

  /** What is wrong with an answer; nothing if it is as the specification wants it. */
  async problems(exchange: Exchange): Promise<string[]> {
    const { method, status } = exchange;
    const template = this.#templateOf(exchange.path);
    if (template === undefined) return this.#standardError(exchange, [400, 401, 403, 404, 405]);
    const operations = template.operations.get(method);
    if (operations === undefined) return this.#standardError(exchange, [400, 404, 405]);
    let found: string[] = [];
    for (const operation of operations) {
      found = await this.#problemsFor(operation, exchange);
      if (found.length === 0) return [];
    }
    if (!generalErrors.has(status)) return found;
    const general = await this.#standardError(exchange, [...generalErrors]);
    return general.length === 0 ? [] : found;
  }

  async #problemsFor(operation: Operation, exchange: Exchange): Promise<string[]> {
    const { status, body } = exchange;
    const responses = ['paths', operation.path, operation.method.toLowerCase(), 'responses'];
    const raw = { file: operation.file, keys: [...responses, String(status)] };
    // The paths of a document stand without the server's base path.
    raw.keys[1] = String(operation.definition['x-path']);
    const place = this.#resolve(raw);
    if (place === undefined) return [`${operation.id} does not document status ${status}`];
    const response = this.#at(place);
    const content = isObject(response) ? response['content'] : undefined;
    if (!isObject(content)) return [];
    const type = mediaType(exchange.contentType);
    const media = content[type] === undefined ? '*/*' : type;
    if (content[media] === undefined) {
      if ('application/octet-stream' in content || 'image/png' in content) return [];
      return [
        `${operation.id} answers ${Object.keys(content).join(' or ')}, and this is ${type || 'nothing'}`,
      ];
    }
    if (type !== 'application/json') return [];
    return this.#mismatches({ file: place.file, keys: [...place.keys, 'content', media, 'schema'] }, body);
  }

  async #standardError(exchange: Exchange, statuses: readonly number[]): Promise<string[]> {
    const { method, status, body, contentType } = exchange;
    if (!statuses.includes(status)) return [`${method} ${exchange.path} answers ${status}`];
    if (mediaType(contentType) !== 'application/json') return [`an error of type ${contentType}`];
    return this.#mismatches(errorSchema, body);
  }

  async #mismatches(place: Place, body: Buffer): Promise<string[]> {
    let value: unknown;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch {
      return ['the body is not JSON'];
    }
    const validate = await this.#validator(place);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `the body${instancePath.replaceAll('/', '.')} ${message} (${JSON.stringify(params)})`,
    );
  }

  #validator({ file, keys }: Place): Promise<ValidateFunction> {
    const pointer = keys.map(
      (key) => `/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`,
    );
    const uri = `${base}${file}#${pointer.join('')}`;
    let validator = this.#validators.get(uri);
    if (validator === undefined) {
      validator = this.#ajv.compileAsync({ $ref: uri });
      this.#validators.set(uri, validator);
    }
    return validator;
  }

  async #load(file: string): Promise<AnySchemaObject> {
    const document = this.#documents.get(file) ?? (await readDocument(file));
    this.#documents.set(file, document);
    return document;
  }

  /** Follows a reference inside one document, as responses have it. */
  #resolve(place: Place): Place | undefined {
    const value = this.#at(place);
    if (value === undefined) return undefined;
    const reference = isObject(value) ? value['$ref'] : undefined;
    if (typeof reference !== 'string') return place;
    const [file, pointer] = reference.slice(base.length).split('#/');
    if (file !== place.file || pointer === undefined) throw new Error(`A response refers to ${reference}`);
    return { file, keys: pointer.split('/') };
  }

  #at({ file, keys }: Place): JsonValue | undefined {
    let value: JsonValue | undefined = this.#documents.get(file);
    for (const key of keys) value = isObject(value) ? value[key] : undefined;
    return value;
  }

  #templateOf(requestPath: string): Template | undefined {
    const [pathname = ''] = requestPath.split('?');
    return this.#templates.find(({ pattern }) => pattern.test(pathname));
  }
}

/** The specification's own string formats. */
const matrixFormats: readonly (readonly [string, RegExp])[] = [
  ['mx-user-id', /^@[^:]*:.+$/],
  ['mx-event-id', /^\$.+$/],
  ['mx-room-id', /^!.+$/],
  ['mx-room-alias', /^#[^:]*:.+$/],
  ['mx-mxc-uri', /^mxc:\/\/[^/]+\/[A-Za-z0-9_-]+$/],
  ['mx-server-name', /^[A-Za-z0-9.:[\]-]+$/],
  ['mx-unpadded-base64', /^[A-Za-z0-9+/]*$/],
  ['mx-urlsafe-unpadded-base64', /^[A-Za-z0-9_-]*$/],
];

async function readDocument(file: string): Promise<JsonObject> {
  // YAML without tags of its own is JSON.
  const document = parse(await readFile(path.join(directory, file), 'utf8')) as JsonObject;
  prepare(document, `${base}${file}`);
  return document;
}

/**
 * Makes references absolute: a part of a document that is compiled by itself no longer knows what they are relative
 * to. And where the documents list alternatives as `oneOf`, some of them overlap (a state event is an object, which
 * may also be the content of one): one that fits is enough.
 */
function prepare(value: JsonValue, uri: string): void {
  if (Array.isArray(value)) for (const item of value) prepare(item, uri);
  if (!isObject(value)) return;
  if (value['oneOf'] !== undefined && value['anyOf'] === undefined) {
    value['anyOf'] = value['oneOf'];
    delete value['oneOf'];
  }
  for (const [key, item] of Object.entries(value)) {
    if (key === '$ref' && typeof item === 'string') value[key] = new URL(item, uri).href;
    else prepare(item, uri);
  }
}

const methods = ['get', 'put', 'post', 'delete', 'head', 'patch', 'options'];

function operationsOf(file: string, document: JsonObject): Operation[] {
  const prefix = basePathOf(document);
  const operations: Operation[] = [];
  for (const [name, item] of entriesOf(document['paths'])) {
    for (const method of methods) {
      const definition = isObject(item) ? item[method] : undefined;
      if (!isObject(definition)) continue;
      const id = String(definition['operationId'] ?? `${method} ${name}`);
      operations.push({
        method: method.toUpperCase(),
        // One path has a space at its end, to be another key than its neighbour.
        path: `${prefix}${name.trim()}`,
        id,
        file,
        definition: { ...definition, 'x-path': name },
      });
    }
  }
  return operations;
}

function basePathOf(document: JsonObject): string {
  const server = Array.isArray(document['servers']) ? document['servers'][0] : undefined;
  const variables = isObject(server) ? server['variables'] : undefined;
  const basePath = isObject(variables) ? variables['basePath'] : undefined;
  const prefix = isObject(basePath) ? basePath['default'] : undefined;
  return typeof prefix === 'string' ? prefix.replace(/\/$/, '') : '';
}

function templatesOf(operations: readonly Operation[]): Template[] {
  const byPath = new Map<string, Template>();
  for (const operation of operations) {
    const segments = operation.path.split('/');
    const template = byPath.get(operation.path) ?? {
      pattern: patternOf(segments),
      rank: segments.map((segment) => (segment.includes('{') ? '1' : '0')).join(''),
      operations: new Map<string, Operation[]>(),
    };
    const same = template.operations.get(operation.method) ?? [];
    template.operations.set(operation.method, [...same, operation]);
    byPath.set(operation.path, template);
  }
  return [...byPath.values()].sort((one, other) => (one.rank < other.rank ? -1 : 1));
}

/** The slash before a state key that is empty may be left out, as only the prose says. */
function patternOf(segments: readonly string[]): RegExp {
  const source = segments.map(segmentPattern).join('/');
  return new RegExp(
    `^${segments.at(-1) === '{stateKey}' ? source.replace(/\/\[\^\/\]\*$/, '(?:/[^/]*)?') : source}$`,
  );
}

function segmentPattern(segment: string): string {
  // A parameter may be empty: the state key in a path.
  return segment.includes('{') ? '[^/]*' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function entriesOf(value: JsonValue | undefined): [string, JsonValue][] {
  return isObject(value) ? Object.entries(value) : [];
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}
