import { MatrixError } from '../../http/errors.ts';

/**
 * How far a client has read: the global position of everything durable, and the serial of the memory-only typing
 * stream, which starts anew with each process (`boot` tells the processes apart).
 */
export interface SyncToken {
  readonly position: number;
  readonly typing: number;
  readonly boot: string;
}

const pattern = /^s(\d{1,15})_(\d{1,15})_([0-9a-z]{1,16})$/;

export function formatSyncToken(token: SyncToken): string {
  return `s${token.position}_${token.typing}_${token.boot}`;
}

/** Reads a `since` or `from` token of `/sync`; throws 400 `M_INVALID_PARAM` for anything we never gave out. */
export function parseSyncToken(text: string): SyncToken {
  const match = pattern.exec(text);
  if (match === null) throw new MatrixError(400, 'M_INVALID_PARAM', 'Unknown sync token');
  return { position: Number(match[1]), typing: Number(match[2]), boot: match[3] ?? '' };
}

/** The token of a place between events, for `/messages`, `/context` and `prev_batch`. */
export function formatPosition(position: number): string {
  return `t${position}`;
}

/** Reads the token of a place; those of `/sync` name one too. Throws 400 `M_INVALID_PARAM`. */
export function parsePosition(text: string): number {
  const match = /^t(-?\d{1,15})$/.exec(text);
  return match === null ? parseSyncToken(text).position : Number(match[1]);
}
