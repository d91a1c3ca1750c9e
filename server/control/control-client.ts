import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { Administration, OperationName, ParamsOf, ResultOf } from '../admin/table.ts';
import { AdminError, systemCode } from '../admin-error.ts';
import { findSocket } from './socket-path.ts';

type IslandDescription = ResultOf<'island.describe'>;

const timeoutMs = 60_000;

/** Administration of an island that runs, over its control socket. */
export class ControlClient implements Administration {
  readonly #socket: string;
  #island: IslandDescription | undefined;

  private constructor(socket: string) {
    this.#socket = socket;
  }

  /** Who answers. */
  get island(): IslandDescription {
    if (this.#island === undefined) throw new TypeError('Nobody has answered yet');
    return this.#island;
  }

  /** Undefined if no island runs with this data folder. Throws AdminError if one does, and may not be spoken to. */
  static async connect(dataDirectory: string): Promise<ControlClient | undefined> {
    const client = new ControlClient(await findSocket(dataDirectory));
    try {
      client.#island = await client.call('island.describe', {});
      return client;
    } catch (error) {
      const code = systemCode(error instanceof Error ? error.cause : undefined);
      // A killed island leaves its socket behind, and nobody answers there.
      if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  async call<Name extends OperationName>(name: Name, params: ParamsOf<Name>): Promise<ResultOf<Name>> {
    const { status, body } = await this.#post(name, JSON.stringify(params));
    const answer: unknown = JSON.parse(body);
    // The island answers with what its operation of that name gives.
    if (status === 200) return answer as ResultOf<Name>;
    const error = typeof answer === 'object' && answer !== null && 'error' in answer ? answer.error : body;
    throw new AdminError(String(error));
  }

  async #post(name: string, parameters: string): Promise<{ status: number | undefined; body: string }> {
    const post = request({
      socketPath: this.#socket,
      path: `/v1/${name}`,
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      agent: false,
      timeout: timeoutMs,
    });
    post.on('timeout', () => post.destroy(new Error('it does not answer')));
    post.end(parameters);
    try {
      const [response]: IncomingMessage[] = await once(post, 'response');
      let body = '';
      for await (const chunk of response?.setEncoding('utf8') ?? []) body += chunk;
      return { status: response?.statusCode, body };
    } catch (cause) {
      const reason =
        systemCode(cause) === 'EACCES'
          ? 'this user may not speak to it. Run the command as the user that runs the island.'
          : `${cause instanceof Error ? cause.message : String(cause)}. Look whether the command took effect.`;
      throw new AdminError(`The island could not be asked over ${this.#socket}: ${reason}`, { cause });
    }
  }
}
