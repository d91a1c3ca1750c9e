import type { IncomingMessage } from 'node:http';
import { JsonError, type JsonValue, parseJson } from '../protocol/json.ts';
import { MatrixError, tooLarge } from './errors.ts';

/** Reads a body of at most `maxBytes`; counts what arrives and does not trust `Content-Length`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) throw tooLarge(`The body may have at most ${maxBytes} bytes`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(`The body may have at most ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size);
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
    return parseJson(bytes, { numbers });
  } catch (error) {
    if (error instanceof JsonError) throw new MatrixError(400, error.code, error.message);
    throw error;
  }
}
