import type { IncomingMessage } from 'node:http';
import { JsonError, type JsonValue, parseJson } from '../protocol/json.ts';
import { MatrixError, tooLarge } from './errors.ts';

/** Nesting of a body: as an event, or in what servers send each other, it is still within `maxJsonDepth`. */
const maxDepth = 100;

/**
 * Reads a body of at most `maxBytes`; counts what arrives and does not trust `Content-Length`. Rejects with 413 for
 * more: the rest is then read and thrown away, so that the client gets to see the answer.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => reject(tooLarge(`The body may have at most ${maxBytes} bytes`));
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
      refuse();
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    let isOver = false;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      isOver = true;
      request.off('data', take);
      request.resume();
      refuse();
    };
    const cut = (): void => {
      if (!isOver) reject(new MatrixError(400, 'M_NOT_JSON', 'The body ended too early'));
      isOver = true;
    };
    request.on('data', take);
    request.on('end', () => {
      isOver = true;
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    });
    request.on('error', cut);
    request.on('close', cut);
  });
}

/** The JSON of a request; no body at all counts as `{}`, as clients do for requests without parameters. */
export async function readJson(
  request: IncomingMessage,
  maxBytes: number,
  numbers: 'canonical' | 'any',
): Promise<JsonValue> {
  const bytes = await readBody(request, maxBytes);
  if (bytes.length === 0) return {};
  try {
    return parseJson(bytes, { numbers, maxDepth });
  } catch (error) {
    if (error instanceof JsonError) throw new MatrixError(400, error.code, error.message);
    throw error;
  }
}
