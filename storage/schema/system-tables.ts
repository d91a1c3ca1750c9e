import { int, table, text } from './table.ts';

/** Tables of the storage layer itself. */

export const metadata = table('metadata', { key: text, value: text }, ['key']);

/** The next number of each kind: stream positions, and blocks of ids. */
export const sequences = table('sequences', { kind: text, next: int }, ['kind']);
