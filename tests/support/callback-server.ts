import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isObject, type JsonObject, parseJson } from '../../protocol/json.ts';

/** What an island posted to its callback. */
export interface Posted {
  readonly facts: JsonObject;
  /** The JSON text that the signature covers. */
  readonly signedText: string;
  readonly signature: string | undefined;
  /** The bytes of a file, where one was posted. */
  readonly file: Buffer | undefined;
}

type Reaction = (posted: Posted, response: ServerResponse) => void;

/** A check of a company's own, as a policy's `callback` names it. Allows everything until told otherwise. */
export class CallbackServer {
  readonly posted: Posted[] = [];
  react: Reaction = (_posted, response) => answer(response, { decision: 'allow' });
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => {
      read(request).then(
        (posted) => {
          this.posted.push(posted);
          this.react(posted, response);
        },
        () => response.destroy(),
      );
    });
  }

  static async start(): Promise<CallbackServer> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new CallbackServer(server);
  }

  get url(): string {
    // A listening TCP server has an address of this kind.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/check`;
  }

  /** Answers like this from now on. */
  says(body: JsonObject): void {
    this.react = (_posted, response) => answer(response, body);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function answer(response: ServerResponse, body: JsonObject): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function read(request: IncomingMessage): Promise<Posted> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const header = request.headers['x-archipelago-facts'];
  const isFile = typeof header === 'string';
  const signedText = isFile ? Buffer.from(header, 'base64url').toString() : body.toString();
  const facts = parseJson(signedText);
  const signature = request.headers['x-archipelago-signature'];
  return {
    facts: isObject(facts) ? facts : {},
    signedText,
    signature: typeof signature === 'string' ? signature : undefined,
    file: isFile ? body : undefined,
  };
}
