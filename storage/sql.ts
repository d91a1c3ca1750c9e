import { escapeText } from './text.ts';

export type Parameter = string | number | null;

/** PostgreSQL takes 65,535 parameters and SQLite 32,766; statements stay far below and few in kind. */
const maxChunk = 256;

/** Placeholders for a list of values, with the parameters that go with them. */
export interface InList {
  readonly placeholders: string;
  readonly params: Parameter[];
}

/**
 * Cuts a list into pieces for `IN (…)`. The length of each is a power of two (the last value is repeated where
 * it has to be), so that few different statements come about and the prepared ones are used again.
 */
export function inLists(values: Iterable<Parameter>): InList[] {
  const all = [...new Set(values)];
  const lists: InList[] = [];
  for (let start = 0; start < all.length; start += maxChunk) {
    const params = all.slice(start, start + maxChunk);
    const last = params.at(-1) ?? null;
    const size = powerOfTwo(params.length);
    while (params.length < size) params.push(last);
    lists.push({ placeholders: marks(size), params });
  }
  return lists;
}

/** Cuts a list of rows into pieces whose lengths are powers of two, the largest first. */
export function* chunks<T>(rows: readonly T[], limit: number): IterableIterator<readonly T[]> {
  let start = 0;
  while (start < rows.length) {
    let size = limit;
    while (size > rows.length - start) size >>= 1;
    yield start === 0 && size === rows.length ? rows : rows.slice(start, start + size);
    start += size;
  }
}

function powerOfTwo(length: number): number {
  let size = 1;
  while (size < length) size *= 2;
  return size;
}

/** `?, ?, ?` */
export function marks(count: number): string {
  return count === 1 ? '?' : `?${', ?'.repeat(count - 1)}`;
}

/** Makes the `?` of a statement to `$1`, `$2`, … Statements hold no literal question marks. */
export function numberPlaceholders(sql: string): string {
  let number = 0;
  return sql.replace(/\?/g, () => {
    number += 1;
    return `$${number}`;
  });
}

/** Parameters in the form that both databases take. */
export function bindable(params: readonly Parameter[]): Parameter[] {
  return params.map((value) => (typeof value === 'string' ? escapeText(value) : value));
}
