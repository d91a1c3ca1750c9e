import type { JsonValue } from '../protocol/json.ts';

/** A request of the Server-Server API after its transport has said whose it is. */
export interface FederationRequest {
  /** The authenticated server. */
  readonly origin: string;
  readonly method: string;
  /** Path and query as sent. */
  readonly uri: string;
  /** What the transport says beside the body, e.g. a transaction's lane. */
  readonly headers: Readonly<Record<string, string>>;
  /** The whole body; rejects above `maxBytes`. */
  body(maxBytes: number): Promise<Buffer>;
}

export interface FederationResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer | AsyncIterable<Buffer>;
}

/** A whole answer in JSON. */
export function jsonResponse(status: number, value: JsonValue): FederationResponse {
  return { status, contentType: 'application/json', body: Buffer.from(JSON.stringify(value)) };
}
