import { decodeUtf8, JsonError, parseJson } from './json.ts';

/**
 * JSON cut into the texts of its members, so that each can be parsed by itself: one that Matrix does not allow
 * does not take the others with it. Only what stands between the members is checked here.
 */

/** The texts of an object's values by their keys. Throws {@link JsonError}. */
export function sliceObject(source: string | Uint8Array): Map<string, string> {
  const slicer = new Slicer(typeof source === 'string' ? source : decodeUtf8(source), '{', '}');
  const values = new Map<string, string>();
  while (slicer.hasNext()) {
    // What begins with a quotation mark and is JSON is a string.
    const key = parseJson(slicer.take('"')) as string;
    slicer.expect(':');
    if (values.has(key)) throw new JsonError('M_BAD_JSON', `Duplicate key ${JSON.stringify(key)}`);
    values.set(key, slicer.take());
  }
  return values;
}

/** The texts of an array's items. Throws {@link JsonError}. */
export function sliceArray(text: string): string[] {
  const slicer = new Slicer(text, '[', ']');
  const items: string[] = [];
  while (slicer.hasNext()) items.push(slicer.take());
  return items;
}

const whitespace = /[ \t\n\r]*/y;
/** A number, a word, or what should be one. */
const scalar = /[^\s",:[\]{}]+/y;
/** Within objects and arrays: up to the next character that matters. */
const filling = /[^"[\]{}]*/y;

class Slicer {
  readonly #text: string;
  readonly #close: string;
  #at = 0;
  #isFirst = true;

  constructor(text: string, open: string, close: string) {
    this.#text = text;
    this.#close = close;
    this.#skip();
    this.expect(open);
  }

  /** Stands before a member? If not, the text has to be at its end. */
  hasNext(): boolean {
    this.#skip();
    if (this.#text[this.#at] === this.#close) {
      this.#at += 1;
      this.#skip();
      if (this.#at < this.#text.length) throw this.#unexpected();
      return false;
    }
    if (!this.#isFirst) this.expect(',');
    this.#isFirst = false;
    return true;
  }

  /** The text of the value that comes next. */
  take(first?: string): string {
    this.#skip();
    const start = this.#at;
    if (first !== undefined && this.#text[start] !== first) throw this.#unexpected();
    let depth = 0;
    do {
      const char = this.#text[this.#at];
      if (char === '"') this.#passString();
      else if (char === '{' || char === '[') {
        depth += 1;
        this.#at += 1;
      } else if (depth > 0 && (char === '}' || char === ']')) {
        depth -= 1;
        this.#at += 1;
      } else this.#match(scalar);
      if (depth > 0) this.#match(filling);
    } while (depth > 0);
    return this.#text.slice(start, this.#at);
  }

  #passString(): void {
    let end = this.#at;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw this.#unexpected();
    } while (this.#isEscaped(end));
    this.#at = end + 1;
  }

  /** Stands an odd number of backslashes before this place? */
  #isEscaped(at: number): boolean {
    let before = at - 1;
    while (this.#text[before] === '\\') before -= 1;
    return (at - before) % 2 === 0;
  }

  expect(char: string): void {
    this.#skip();
    if (this.#text[this.#at] !== char) throw this.#unexpected();
    this.#at += 1;
  }

  #match(pattern: RegExp): void {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) throw this.#unexpected();
    this.#at = pattern.lastIndex;
  }

  #skip(): void {
    this.#match(whitespace);
  }

  #unexpected(): JsonError {
    const what = this.#at >= this.#text.length ? 'end of text' : `character at offset ${this.#at}`;
    return new JsonError('M_NOT_JSON', `Not JSON: unexpected ${what}`);
  }
}
