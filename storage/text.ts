/**
 * Text of events may hold U+0000, which PostgreSQL refuses and SQLite's own functions cut off at. It is stored
 * escaped: U+0001 `0` stands for U+0000, U+0001 `1` for U+0001. Canonical JSON holds neither, so that event
 * texts pass through unchanged.
 */
const mark = '\u0001';
const nul = '\u0000';

export function escapeText(value: string): string {
  if (!value.includes(nul) && !value.includes(mark)) return value;
  return value.replaceAll(mark, `${mark}1`).replaceAll(nul, `${mark}0`);
}

function unescapeText(value: string): string {
  if (!value.includes(mark)) return value;
  return value.replaceAll(`${mark}0`, nul).replaceAll(`${mark}1`, mark);
}

/** Unescapes the texts of rows in place. */
export function unescapeRows<T>(rows: T[]): T[] {
  for (const row of rows as Record<string, unknown>[]) {
    for (const name in row) {
      const value = row[name];
      if (typeof value === 'string' && value.includes(mark)) row[name] = unescapeText(value);
    }
  }
  return rows;
}
