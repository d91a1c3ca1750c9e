import type { JsonObject } from '../protocol/json.ts';

/**
 * A refusal as the Matrix APIs give it ("Standard error response"): HTTP status, errcode, a message for people, and
 * further keys of the body.
 */
export class MatrixError extends Error {
  readonly status: number;
  readonly errcode: string;
  readonly extra: JsonObject;

  constructor(status: number, errcode: string, message: string, extra: JsonObject = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MatrixError';
    this.status = status;
    this.errcode = errcode;
    this.extra = extra;
  }
}

export function forbidden(message: string): MatrixError {
  return new MatrixError(403, 'M_FORBIDDEN', message);
}

export function notFound(message: string): MatrixError {
  return new MatrixError(404, 'M_NOT_FOUND', message);
}

export function unrecognized(status: 404 | 405 = 404): MatrixError {
  return new MatrixError(status, 'M_UNRECOGNIZED', status === 404 ? 'Unrecognized request' : 'Wrong method');
}

export function badJson(message: string): MatrixError {
  return new MatrixError(400, 'M_BAD_JSON', message);
}

export function missingParam(message: string): MatrixError {
  return new MatrixError(400, 'M_MISSING_PARAM', message);
}

export function invalidParam(message: string): MatrixError {
  return new MatrixError(400, 'M_INVALID_PARAM', message);
}

export function missingToken(): MatrixError {
  return new MatrixError(401, 'M_MISSING_TOKEN', 'Missing access token');
}

export function unknownToken(): MatrixError {
  return new MatrixError(401, 'M_UNKNOWN_TOKEN', 'Unknown access token', { soft_logout: false });
}

export function tooLarge(message: string): MatrixError {
  return new MatrixError(413, 'M_TOO_LARGE', message);
}
