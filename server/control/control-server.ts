import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { readJson } from '../../http/body.ts';
import { MatrixError } from '../../http/errors.ts';
import { StorageError } from '../../storage/database.ts';
import type { AdminContext } from '../admin/context.ts';
import { commandLine, operationsByName, perform } from '../admin/perform.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import { prepareSocket, removeSocket } from './socket-path.ts';

export interface ControlServerDeps {
  readonly dataDirectory: string;
  readonly context: AdminContext;
  readonly log: Logger;
}

/** For cards and drafts of a configuration. */
const maxBodyBytes = 1024 * 1024;

/**
 * The socket over which commands reach a running island: HTTP on a Unix socket in the data folder that only the
 * island's own user can open. `POST /v1/OPERATION` with the parameters as JSON answers 200 with the result, or
 * `{error}` with a sentence for the administrator.
 */
export class ControlServer {
  readonly #deps: ControlServerDeps;
  readonly #server: Server;

  private constructor(deps: ControlServerDeps) {
    this.#deps = deps;
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
    const name = /^\/v1\/([a-z.-]+)$/.exec(request.url ?? '')?.[1] ?? '';
    const operation = operationsByName.get(name);
    if (operation === undefined || request.method !== 'POST')
      return [404, { error: 'The running island does not know this command. Is it of another version?' }];
    try {
      const params = await readJson(request, maxBodyBytes, 'any');
      return [200, await perform(this.#deps.context, operation, params, commandLine)];
    } catch (error) {
      const isForAdmin =
        error instanceof AdminError || error instanceof StorageError || error instanceof MatrixError;
      if (isForAdmin) return [400, { error: error.message }];
      this.#deps.log.error({ err: error, operation: name }, 'a command failed');
      return [500, { error: 'The island could not do it; its log says why' }];
    }
  }
}
