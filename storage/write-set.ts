import type { StreamName } from './streams.ts';

/** Stands for a stream position that is given at commit. The same object is the same number everywhere. */
export class Position {
  readonly kind: 'next' | 'backfilled';

  constructor(kind: 'next' | 'backfilled') {
    this.kind = kind;
  }
}

/** The next global stream position, given at commit in the order of the write sets. */
export function nextPosition(): Position {
  return new Position('next');
}

/** The next negative position: each one lies before all that were given before. */
export function backfilledPosition(): Position {
  return new Position('backfilled');
}

export type Value = string | number | null | Position;

/** Column names as in the database. */
export type Row = Record<string, Value>;

/** One change. `where` means equality of all its columns; null matches null. */
export type WriteOp =
  | {
      readonly kind: 'insert';
      readonly table: string;
      readonly rows: readonly Row[];
      readonly orIgnore?: boolean;
    }
  | {
      readonly kind: 'upsert';
      readonly table: string;
      readonly key: readonly string[];
      readonly rows: readonly Row[];
    }
  | { readonly kind: 'update'; readonly table: string; readonly set: Row; readonly where: Row }
  | { readonly kind: 'delete'; readonly table: string; readonly where: Row };

/** Said to the subscribers after the commit. */
export interface Note {
  readonly stream: StreamName;
  /** Room id, user id or destination. */
  readonly key: string;
  /** Default: the highest position of the write set, or of the stream if it took none. */
  readonly position?: Position | number;
  readonly payload?: unknown;
}

/** What goes to disk together or not at all. */
export interface WriteSet {
  /** For the log. */
  readonly label: string;
  readonly ops: readonly WriteOp[];
  /**
   * Compared with `rooms.revision`, which then goes up by one; else {@link RoomConflict}. A set that makes a
   * room inserts its row with `revision` = `expectedRevision`.
   */
  readonly room?: { readonly roomNid: number; readonly expectedRevision: number };
  readonly notes?: readonly Note[];
}

/** What became of a write set. */
export interface Committed {
  /** The number that a placeholder got. */
  positionOf(position: Position): number;
  /** The highest position of the set, or of the stream if it took none. */
  readonly position: number;
}
