const secondMs = 1_000;
const durationUnits: Readonly<Record<string, number>> = {
  s: secondMs,
  m: 60 * secondMs,
  h: 3_600 * secondMs,
  d: 24 * 3_600 * secondMs,
  w: 7 * 24 * 3_600 * secondMs,
};
const sizeUnits: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };
const dayMs = 24 * 3_600 * secondMs;

/** `30s`, `5m`, `2h`, `1d`, `4w` in milliseconds; undefined for anything else, zero and negative ones included. */
export function parseDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? [];
  const ms = Number(digits) * (durationUnits[unit ?? ''] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}

/** `50M`, `512K`, `2G` or a number of bytes, in bytes; undefined for anything else and for zero. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,12})([KMG]?)$/.exec(text) ?? [];
  const bytes = Number(digits) * (sizeUnits[unit ?? ''] ?? Number.NaN);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * A date (`2027-12-31`: that day included, in UTC) or a moment (`2027-12-31T18:00:00Z`): the end, in milliseconds
 * since the epoch; undefined for anything else.
 */
export function parseEnd(text: string): number | undefined {
  const moment = parseMoment(text);
  if (moment !== undefined) return moment;
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const start = parseMoment(`${text}T00:00:00.000Z`);
  return start === undefined ? undefined : start + dayMs;
}

/** `2027-12-31T18:00:00.000Z` (the fraction may be absent) in milliseconds; undefined for a day that is none. */
export function parseMoment(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/.test(text)) return undefined;
  const ms = Date.parse(text);
  // Date.parse rolls 30 February over into March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined;
  return ms;
}
