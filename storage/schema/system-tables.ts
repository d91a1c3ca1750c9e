import { int, table, text, textOrNull } from './table.ts';

/** Tables of the storage layer itself. */

export const metadata = table('metadata', { key: text, value: text }, ['key']);

/** The next number of each kind: stream positions, and blocks of ids. */
export const sequences = table('sequences', { kind: text, next: int }, ['kind']);

/** Who did what: see `storage/audit`. */
export const audit = table(
  'audit',
  {
    seq: int,
    ts: int,
    action: text,
    outcome: text,
    actor: text,
    subject: textOrNull,
    /** JSON. */
    detail: textOrNull,
    prev: text,
    hash: text,
  },
  ['seq'],
);
