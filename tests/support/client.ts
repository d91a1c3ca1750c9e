import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isObject, type JsonObject, type JsonValue } from '../../protocol/json.ts';
import { Specification } from './specification.ts';
import { type TestIsland, testPassword } from './test-network.ts';

/** An answer of an island. `body` is the JSON object in it, and `{}` for what is none; `json` any JSON. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: JsonObject;
  readonly json: JsonValue | undefined;
  readonly bytes: Buffer;
}

export interface RequestOptions {
  /** Sent as JSON. */
  readonly body?: JsonValue | undefined;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Buffer | Readable;
  readonly headers?: Readonly<Record<string, string>>;
}

let specification: Promise<Specification | undefined> | undefined;

/** The Client-Server API's OpenAPI files, read once for all tests; says once if they are not there. */
export function clientServerApi(): Promise<Specification | undefined> {
  specification ??= Specification.read('client-server').then((found) => {
    if (found === undefined)
      console.log('    MATRIX_SPEC_DIR is absent: no answer is held against the OpenAPI files');
    return found;
  });
  return specification;
}

/**
 * A path of the client API under `/_matrix/client/v3`; what is put into it is percent-encoded:
 * v3`/rooms/${roomId}/state/m.room.name/`.
 */
export function v3(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return `/_matrix/client/v3${encoded(parts, values)}`;
}

/** The same under `/_matrix/client/v1`. */
export function v1(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return `/_matrix/client/v1${encoded(parts, values)}`;
}

function encoded(parts: TemplateStringsArray, values: readonly string[]): string {
  return parts.reduce((text, part, index) => text + encodeURIComponent(values[index - 1] ?? '') + part);
}

/** The JSON object of an answer that must be a 200. */
export async function ok(answer: Promise<Answer>): Promise<JsonObject> {
  const { status, body } = await answer;
  assert.equal(status, 200, `answered ${status} ${JSON.stringify(body)}`);
  return body;
}

/** The JSON object of an answer that must be this refusal. */
export async function refused(status: number, errcode: string, answer: Promise<Answer>): Promise<JsonObject> {
  const { status: found, body } = await answer;
  assert.deepEqual([found, body['errcode']], [status, errcode], `answered ${found} ${JSON.stringify(body)}`);
  assert.equal(typeof body['error'], 'string');
  return body;
}

/** Follows keys and indices into JSON; undefined where there is nothing. */
export function at(
  value: JsonValue | undefined,
  ...keys: readonly (string | number)[]
): JsonValue | undefined {
  let found = value;
  for (const key of keys) {
    if (Array.isArray(found)) found = found[Number(key)];
    else found = isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
  }
  return found;
}

/** A string in JSON that must be there. */
export function textAt(value: JsonValue | undefined, ...keys: readonly (string | number)[]): string {
  const found = at(value, ...keys);
  if (typeof found !== 'string') assert.fail(`no string at ${keys.join('.')} of ${JSON.stringify(value)}`);
  return found;
}

/** A list of objects in JSON, such as events; empty where there is none. */
export function listAt(value: JsonValue | undefined, ...keys: readonly (string | number)[]): JsonObject[] {
  const found = at(value, ...keys);
  return Array.isArray(found) ? found.filter(isObject) : [];
}

/** Where an island listens: a `TestIsland`, whose port changes when it starts anew. */
interface Door {
  readonly port: number;
}

/** One user's client, speaking HTTP. What an island answers must be as the specification's OpenAPI files say. */
export class Client {
  readonly #door: Door;
  readonly userId: string;
  readonly deviceId: string;
  readonly accessToken: string | undefined;

  private constructor(door: Door, session: JsonObject) {
    this.#door = door;
    this.userId = String(session['user_id'] ?? '');
    this.deviceId = String(session['device_id'] ?? '');
    this.accessToken = typeof session['access_token'] === 'string' ? session['access_token'] : undefined;
  }

  /** Without an access token. */
  static anonymous(door: Door): Client {
    return new Client(door, {});
  }

  /** A new user with `testPassword`, logged in. */
  static async create(
    island: TestIsland,
    localpart: string,
    options: { readonly admin?: boolean } = {},
  ): Promise<Client> {
    const session = await island.session(localpart, options);
    return new Client(island, {
      user_id: session.userId,
      device_id: session.deviceId,
      access_token: session.accessToken,
    });
  }

  /** Logs in by password as a user who is there already: another device. */
  static async logIn(
    door: Door,
    localpart: string,
    options: { readonly password?: string; readonly deviceId?: string } = {},
  ): Promise<Client> {
    const body = {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: localpart },
      password: options.password ?? testPassword,
      ...(options.deviceId === undefined ? {} : { device_id: options.deviceId }),
    };
    return new Client(door, await ok(Client.anonymous(door).post(v3`/login`, body)));
  }

  /** The client of a session that a test got by itself. */
  static of(door: Door, session: JsonObject): Client {
    return new Client(door, session);
  }

  get(path: string, query: Readonly<Record<string, string | number | undefined>> = {}): Promise<Answer> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) parameters.set(name, String(value));
    return this.request('GET', parameters.size === 0 ? path : `${path}?${parameters}`);
  }

  post(path: string, body: JsonValue = {}): Promise<Answer> {
    return this.request('POST', path, { body });
  }

  put(path: string, body: JsonValue = {}): Promise<Answer> {
    return this.request('PUT', path, { body });
  }

  delete(path: string, body?: JsonValue): Promise<Answer> {
    return this.request('DELETE', path, { body });
  }

  /** Sends a path exactly as given and holds the answer against the specification. */
  async request(method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
    const answer = await send(this.#door, method, path, {
      ...options,
      headers: {
        ...(this.accessToken === undefined ? {} : { authorization: `Bearer ${this.accessToken}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
    });
    assert.equal(
      answer.headers['access-control-allow-origin'],
      '*',
      `${method} ${path} answers without CORS headers`,
    );
    if (method === 'OPTIONS' || method === 'HEAD' || !/^\/(_matrix|\.well-known)\//.test(path)) return answer;
    const api = await clientServerApi();
    const problems = await api?.problems({
      method,
      path,
      status: answer.status,
      contentType: answer.headers['content-type'],
      body: answer.bytes,
    });
    if (problems !== undefined && problems.length > 0) {
      const shown = answer.bytes.toString('utf8').slice(0, 2_000);
      assert.fail(
        `${method} ${path} is not as the specification says: ${problems.slice(0, 5).join('; ')}\n${answer.status} ${shown}`,
      );
    }
    return answer;
  }

  /** Makes a room; its id. */
  async createRoom(options: JsonObject = {}): Promise<string> {
    return textAt(await ok(this.post(v3`/createRoom`, options)), 'room_id');
  }

  /** Sends a text message; its event id. */
  async say(roomId: string, text: string): Promise<string> {
    const txn = `t${Math.random().toString(36).slice(2)}`;
    const content = { msgtype: 'm.text', body: text };
    return textAt(await ok(this.put(v3`/rooms/${roomId}/send/m.room.message/${txn}`, content)), 'event_id');
  }

  /** One `/sync`; without waiting unless told. */
  sync(
    since?: string,
    query: Readonly<Record<string, string | number | undefined>> = {},
  ): Promise<JsonObject> {
    return ok(this.get(v3`/sync`, { timeout: 0, since, ...query }));
  }
}

function send(
  door: Door,
  method: string,
  path: string,
  { body, raw, headers }: RequestOptions,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      // A connection for each request: none is left that an island has closed in the meantime.
      { host: '127.0.0.1', port: door.port, method, path, headers: { ...headers }, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const json = response.headers['content-type']?.startsWith('application/json')
            ? jsonOf(bytes)
            : undefined;
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: isObject(json) ? json : {},
            json,
            bytes,
          });
        });
      },
    );
    outgoing.on('error', reject);
    if (raw !== undefined && typeof raw !== 'string' && !Buffer.isBuffer(raw)) {
      pipeline(raw, outgoing).catch(reject);
      return;
    }
    const bytes = raw ?? (body === undefined ? '' : JSON.stringify(body));
    // Node leaves the length out of a DELETE.
    if (bytes.length > 0) outgoing.setHeader('content-length', Buffer.byteLength(bytes));
    outgoing.end(bytes);
  });
}

/** Undefined for what is not JSON after all, an uploaded file for one. */
function jsonOf(bytes: Buffer): JsonValue | undefined {
  try {
    // Whatever JSON.parse gives is JSON.
    return JSON.parse(bytes.toString('utf8')) as JsonValue;
  } catch {
    return undefined;
  }
}
