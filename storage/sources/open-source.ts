import type { Reader, WritingConnection } from '../connection.ts';
import type { DatabaseKind } from '../schema/entities.ts';

/** The two sources of a database: one that writes, one that cannot. */
export interface Sources {
  readonly reader: (translate: (error: unknown) => unknown) => Reader;
  /** Opens the one connection that writes. */
  readonly connect: () => Promise<WritingConnection>;
  readonly kind: DatabaseKind;
  /** For messages: the path, or the address without its password. */
  readonly where: string;
  /** Closes both and frees the lock. */
  close(): Promise<void>;
}
