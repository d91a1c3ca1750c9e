/** Glob-style matching (appendices), without regard to case and without backtracking on hostile patterns. */

/**
 * Glob with `*` (any run) and `?` (one character), without regard to case. Goes back to the latest `*` only, so a
 * hostile pattern costs at most pattern times text, never more.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  const glob = pattern.toLowerCase();
  const subject = text.toLowerCase();
  let at = 0;
  let inGlob = 0;
  let star = -1;
  let resume = 0;
  while (at < subject.length) {
    const char = glob[inGlob];
    if (char === '*') {
      star = inGlob++;
      resume = at;
    } else if (char !== undefined && (char === '?' || char === subject[at])) {
      inGlob++;
      at++;
    } else if (star >= 0) {
      inGlob = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (glob[inGlob] === '*') inGlob++;
  return inGlob === glob.length;
}

/**
 * Whether a glob matches a part of the text that starts and ends at word boundaries ("event_match" on
 * `content.body`). Follows all ways through the pattern at once, so the time is text times pattern at most, for
 * hostile patterns too.
 */
export function matchesWords(pattern: string, text: string): boolean {
  const glob = pattern.toLowerCase();
  const subject = text.toLowerCase();
  let states = new Set<number>();
  for (let at = 0; ; at++) {
    const atBoundary = isBoundary(subject, at);
    if (atBoundary) enter(states, glob, 0);
    if (atBoundary && states.has(glob.length)) return true;
    if (at === subject.length) return false;
    const next = new Set<number>();
    for (const state of states) {
      const char = glob[state];
      if (char === '*') enter(next, glob, state);
      else if (char !== undefined && (char === '?' || char === subject[at])) enter(next, glob, state + 1);
    }
    states = next;
  }
}

/** Adds a place in the pattern, and those that it reaches without taking a character. */
function enter(states: Set<number>, glob: string, state: number): void {
  for (let place = state; !states.has(place); place++) {
    states.add(place);
    if (glob[place] !== '*') return;
  }
}

function isBoundary(text: string, at: number): boolean {
  return at === 0 || at === text.length || !isWordChar(text[at - 1] ?? '') || !isWordChar(text[at] ?? '');
}

function isWordChar(char: string): boolean {
  return /^[A-Za-z0-9_]$/.test(char);
}
