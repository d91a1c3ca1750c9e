import { QueryFailedError } from 'typeorm';

export type StorageErrorCode =
  | 'newer-schema'
  | 'locked'
  | 'corrupt'
  | 'unwritable'
  | 'full'
  | 'wrong-server'
  | 'foreign'
  | 'unreachable'
  | 'unsafe'
  | 'closed';

/**
 * The database cannot do what it was asked, for a reason outside of the program. The message is for the
 * administrator. `newer-schema`: written by a newer version; `locked`: another process has it; `foreign`: not
 * a database of ours; `unsafe`: it would lose what was committed; the others as they are called.
 */
export class StorageError extends Error {
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'StorageError';
    this.code = code;
  }
}

/** A row with this key is there already (an alias or a user name that is taken, an event that we hold). */
export class DuplicateRow extends Error {
  constructor(cause: unknown) {
    super(`There is such a row already: ${messageOf(cause)}`, { cause });
    this.name = 'DuplicateRow';
  }
}

/** The room's row has moved on since the view was read: reload the room, build anew, try again. */
export class RoomConflict extends Error {
  readonly roomNid: number;

  constructor(roomNid: number) {
    super('The room has changed since it was read');
    this.name = 'RoomConflict';
    this.roomNid = roomNid;
  }
}

/** Gives a driver's error a meaning; what has none comes back as it is. `where` names the database. */
export function translateError(error: unknown, where: string): unknown {
  hideValues(error);
  if (error instanceof StorageError || error instanceof DuplicateRow || error instanceof RoomConflict)
    return error;
  const code = driverCode(error);
  if (/^SQLITE_CONSTRAINT_(UNIQUE|PRIMARYKEY|ROWID)$/.test(code) || code === '23505')
    return new DuplicateRow(error);
  const kind = kindOf(code, messageOf(error));
  return kind === undefined ? error : new StorageError(kind, explain(kind, where, error), { cause: error });
}

/** Errors end up in logs, and rows hold messages and password hashes: only the statement's text stays. */
function hideValues(error: unknown): void {
  if (!(error instanceof QueryFailedError)) return;
  for (const target of [error, error.driverError])
    for (const name of ['parameters', 'detail']) if (name in target) Reflect.deleteProperty(target, name);
}

function driverCode(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const inner: unknown = 'driverError' in at ? at.driverError : undefined;
    for (const candidate of [inner, at])
      if (candidate instanceof Error && 'code' in candidate && typeof candidate.code === 'string')
        return candidate.code;
  }
  return '';
}

function kindOf(code: string, message: string): StorageErrorCode | undefined {
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === '53100') return 'full';
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(code) || /^XX00[12]$/.test(code)) return 'corrupt';
  if (/^SQLITE_(READONLY|CANTOPEN|IOERR|PERM|AUTH)/.test(code)) return 'unwritable';
  if (/^(EACCES|EPERM|EROFS|ENOTDIR|EISDIR|ENOENT|EEXIST)$/.test(code)) return 'unwritable';
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return 'locked';
  if (/^(08...|57P0.|28...|3D000|53300|ECONN.*|ENOTFOUND|ETIMEDOUT|EAI_AGAIN)$/.test(code))
    return 'unreachable';
  if (
    /connection (terminated|ended)|not queryable|query ?runner already released|timeout exceeded/i.test(
      message,
    )
  )
    return 'unreachable';
  return undefined;
}

function explain(kind: StorageErrorCode, where: string, error: unknown): string {
  const detail = messageOf(error);
  if (kind === 'full')
    return `No space is left for the database ${where}. The last change was refused and nothing before it is lost: make space and go on. (${detail})`;
  if (kind === 'corrupt')
    return `The database ${where} is damaged. Nothing was changed: keep a copy of the file and restore a backup. (${detail})`;
  if (kind === 'unwritable')
    return `The database ${where} cannot be read or written: check that its folder exists, its permissions and the disk. (${detail})`;
  if (kind === 'locked') return `The database ${where} is in use by another process. (${detail})`;
  return `The database ${where} cannot be reached: check that it runs, and the address and password of the configuration. (${detail})`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
