import { MatrixError } from '../http/errors.ts';
import { JsonError } from '../protocol/json.ts';
import { RoomError, TryAgain } from '../rooms/errors.ts';
import { RemoteError } from '../rooms/ports.ts';
import { StorageError } from '../storage/database.ts';
import { systemCode } from './admin-error.ts';

/** The answer that an error of a lower layer means to a client; undefined for one that nobody foresaw. */
export function toMatrixError(error: unknown): MatrixError | undefined {
  if (error instanceof RoomError) {
    return new MatrixError(error.status, error.errcode, error.message, error.extra, error.cause);
  }
  if (error instanceof RemoteError) return fromRemote(error);
  if (error instanceof TryAgain) return new MatrixError(503, 'M_UNKNOWN', error.message, {}, error);
  if (error instanceof JsonError) return new MatrixError(400, error.code, error.message);
  if (error instanceof StorageError) return fromStorage(error);
  if (systemCode(error) === 'ENOSPC') return noSpace(error);
  return undefined;
}

/** A partner's refusal is said to be a partner's: its words are never passed off as ours. */
function fromRemote(error: RemoteError): MatrixError {
  if (error.kind === 'unreachable' && error.status === undefined) {
    return new MatrixError(504, 'M_UNKNOWN', error.message, {}, error);
  }
  if (error.kind === 'bad-response') return new MatrixError(502, 'M_UNKNOWN', error.message, {}, error);
  const { status = 502 } = error;
  if (status === 403) return new MatrixError(403, 'M_FORBIDDEN', error.message, {}, error);
  if (status === 404) return new MatrixError(404, 'M_NOT_FOUND', error.message, {}, error);
  if (status === 429) return new MatrixError(429, 'M_LIMIT_EXCEEDED', error.message, {}, error);
  return new MatrixError(502, 'M_UNKNOWN', error.message, {}, error);
}

/** The administrator reads the log; a client learns that nothing was stored, and whether trying again may help. */
function fromStorage(error: StorageError): MatrixError {
  if (error.code === 'full') return noSpace(error);
  if (error.code === 'closed') return new MatrixError(503, 'M_UNKNOWN', 'The server is stopping', {}, error);
  return new MatrixError(500, 'M_UNKNOWN', 'The database cannot be used now; nothing was stored', {}, error);
}

function noSpace(cause: unknown): MatrixError {
  return new MatrixError(507, 'M_UNKNOWN', 'The server has no space left; nothing was stored', {}, cause);
}
