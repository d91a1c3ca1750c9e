/**
 * Glob-style matching (appendices): `*` stands for any run of characters, `?` for exactly one; a character is a
 * Unicode code point. Without regard to case, and without backtracking on hostile patterns.
 */

/** What of a pattern stands between two `*`: characters, and `anyOne` for each `?`. */
type Part = readonly string[];

/** No character is the empty string. */
const anyOne = '';

/** A pattern with more characters (not counting `*`) matches nothing, so that a match has a known cost. */
export const maxPatternLength = 512;

/** Whether the pattern matches all of the text. Costs pattern times text at most. */
export function matchesGlob(pattern: string, text: string): boolean {
  const subject = [...text.toLowerCase()];
  return matchesParts(
    partsOf(pattern),
    subject,
    (start) => start === 0,
    (end) => end === subject.length,
  );
}

/**
 * Whether the pattern matches a part of the text that starts and ends at word boundaries ("event_match" on
 * `content.body`). Costs pattern times text at most.
 */
export function matchesWords(pattern: string, text: string): boolean {
  return matchesWithin(partsOf(pattern), text);
}

/** Whether the text holds the words, which are no pattern, from word boundary to word boundary. */
export function containsWords(words: string, text: string): boolean {
  return matchesWithin([[...words.toLowerCase()]], text);
}

function matchesWithin(parts: readonly Part[], text: string): boolean {
  const subject = [...text.toLowerCase()];
  const isBoundary = (at: number): boolean => !isWordChar(subject[at - 1]) || !isWordChar(subject[at]);
  return matchesParts(parts, subject, isBoundary, isBoundary);
}

function partsOf(pattern: string): Part[] {
  return pattern
    .toLowerCase()
    .split('*')
    .map((part) => [...part].map((char) => (char === '?' ? anyOne : char)));
}

/**
 * Takes each part at the first place behind the one before it: a part has a fixed length, so an earlier place never
 * leaves less room for those that follow, and there is nothing to come back to.
 */
function matchesParts(
  parts: readonly Part[],
  text: readonly string[],
  mayStart: (at: number) => boolean,
  mayEnd: (at: number) => boolean,
): boolean {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > text.length || length > maxPatternLength) return false;
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const isFirst = index === 0;
    const isLast = index === parts.length - 1;
    while ((isFirst && !mayStart(at)) || !standsAt(part, text, at) || (isLast && !mayEnd(at + part.length))) {
      at += 1;
      if (at + part.length > text.length) return false;
    }
    at += part.length;
  }
  return true;
}

function standsAt(part: Part, text: readonly string[], at: number): boolean {
  return part.every((char, index) => {
    const found = text[at + index];
    return found !== undefined && (char === anyOne || char === found);
  });
}

function isWordChar(char: string | undefined): boolean {
  return char !== undefined && /^[a-z0-9_]$/.test(char);
}
