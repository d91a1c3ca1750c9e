import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { readJson } from '../../http/body.ts';
import { MatrixError } from '../../http/errors.ts';
import { StorageError } from '../../storage/database.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import type { Administration, IslandDescription } from './administration.ts';
import { prepareSocket, removeSocket } from './socket-path.ts';

/** What only a running island can do. */
export interface ControlledIsland {
  /** Who answers. */
  describe(): IslandDescription;
  /** Reads the configuration again and takes over its partners; all or nothing. */
  reloadPartners(): Promise<{ readonly partners: number }>;
}

export interface ControlServerDeps {
  readonly dataDirectory: string;
  readonly administration: Administration;
  readonly island: ControlledIsland;
  readonly log: Logger;
}

type Operation = (parameters: unknown) => Promise<unknown>;

const maxBodyBytes = 64 * 1024;

/**
 * The socket over which commands reach a running island: HTTP on a Unix socket in the data folder that only the
 * island's own user can open. `POST /v1/NAME` with the parameters as JSON answers 200 with the result, or
 * `{error}` with a sentence for the administrator.
 */
export class ControlServer {
  readonly #deps: ControlServerDeps;
  readonly #server: Server;
  readonly #operations: ReadonlyMap<string, Operation>;

  private constructor(deps: ControlServerDeps) {
    this.#deps = deps;
    this.#operations = operationsOf(deps);
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  /** Throws AdminError if the socket cannot be made. No other process may serve the same data folder. */
  static async open(deps: ControlServerDeps): Promise<ControlServer> {
    const control = new ControlServer(deps);
    try {
      const path = await prepareSocket(deps.dataDirectory);
      // Node makes the socket within this call, so that it never has another mode.
      const umask = process.umask(0o177);
      control.#server.listen(path);
      process.umask(umask);
      await once(control.#server, 'listening');
    } catch (error) {
      if (systemCode(error) === undefined || !(error instanceof Error)) throw error;
      throw new AdminError(
        `The control socket in ${deps.dataDirectory} cannot be opened, over which commands reach the island: ${error.message}`,
        { cause: error },
      );
    }
    return control;
  }

  /** Finishes what is under way. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
    // One that stays behind does no harm: nobody answers there, and the next start replaces it.
    await removeSocket(this.#deps.dataDirectory).catch((error: unknown) => {
      this.#deps.log.warn({ err: error }, 'the control socket could not be removed');
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [status, body] = await this.#outcome(request);
    response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
    response.end(JSON.stringify(body));
  }

  async #outcome(request: IncomingMessage): Promise<[status: number, body: unknown]> {
    const name = /^\/v1\/(\w+)$/.exec(request.url ?? '')?.[1] ?? '';
    const operation = this.#operations.get(name);
    if (operation === undefined || request.method !== 'POST')
      return [404, { error: 'The running island does not know this command. Is it of another version?' }];
    try {
      return [200, await operation(await readJson(request, maxBodyBytes, 'any'))];
    } catch (error) {
      const isForAdmin =
        error instanceof AdminError || error instanceof StorageError || error instanceof MatrixError;
      if (isForAdmin) return [400, { error: error.message }];
      this.#deps.log.error({ err: error, operation: name }, 'a command failed');
      return [500, { error: 'The island could not do it; its log says why' }];
    }
  }
}

function operationsOf({ administration, island }: ControlServerDeps): ReadonlyMap<string, Operation> {
  const localpart = Type.String();
  const password = Type.String();
  const serverName = Type.String();
  return new Map([
    ['describe', operation(Type.Object({}), async () => island.describe())],
    ['reloadPartners', operation(Type.Object({}), () => island.reloadPartners())],
    [
      'addUser',
      operation(Type.Object({ localpart, password, admin: Type.Boolean() }), (user) =>
        administration.addUser(user),
      ),
    ],
    ['listUsers', operation(Type.Object({}), () => administration.listUsers())],
    [
      'resetPassword',
      operation(Type.Object({ localpart, password }), (user) => administration.resetPassword(user)),
    ],
    ['deactivateUser', operation(Type.Object({ localpart }), (user) => administration.deactivateUser(user))],
    ['listPartners', operation(Type.Object({}), () => administration.listPartners())],
    [
      'suspendPartner',
      operation(
        Type.Object({ serverName, reason: Type.Optional(Type.String()), keepRooms: Type.Boolean() }),
        (request) => administration.suspendPartner(request),
      ),
    ],
    [
      'resumePartner',
      operation(Type.Object({ serverName }), (request) => administration.resumePartner(request)),
    ],
    [
      'auditPage',
      operation(Type.Object({ after: Type.Integer() }), (request) => administration.auditPage(request)),
    ],
    ['verifyAudit', operation(Type.Object({}), () => administration.verifyAudit())],
  ]);
}

function operation<T extends TSchema>(
  schema: T,
  run: (parameters: Static<T>) => Promise<unknown>,
): Operation {
  return async (parameters) => {
    if (!Value.Check(schema, parameters))
      throw new AdminError('The running island does not understand this command. Is it of another version?');
    return run(parameters);
  };
}
