import type { DataSource } from 'typeorm';
import type { DatabaseKind } from '../schema/entities.ts';

/** The two sources of a database: one that writes, one that cannot. */
export interface Sources {
  readonly kind: DatabaseKind;
  /** For messages: the path, or the address without its password. */
  readonly where: string;
  readonly writing: DataSource;
  readonly reading: DataSource;
  /** Closes both and frees the lock. */
  close(): Promise<void>;
}
