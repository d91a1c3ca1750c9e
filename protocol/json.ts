/**
 * JSON as Matrix needs it (appendices, "Canonical JSON"): a parser of our own, because `JSON.parse` rounds large
 * integers, takes `1.0` for `1`, keeps the last of two equal keys and lets lone surrogates through; each of these
 * makes two servers hash different texts.
 */

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;

export interface JsonObject {
  [key: string]: JsonValue;
}

/** `M_NOT_JSON`: not JSON text. `M_BAD_JSON`: JSON that Matrix does not allow. */
export class JsonError extends Error {
  readonly code: 'M_NOT_JSON' | 'M_BAD_JSON';

  constructor(code: 'M_NOT_JSON' | 'M_BAD_JSON', message: string) {
    super(message);
    this.name = 'JsonError';
    this.code = code;
  }
}

/**
 * Nesting of objects and arrays that a text may have: that of an event (`maxEventDepth`) and of what it is wrapped
 * in when servers exchange it.
 */
export const maxJsonDepth = 136;

export interface ParseOptions {
  /** Nesting of objects and arrays that is still accepted; {@link maxJsonDepth} unless told. */
  readonly maxDepth?: number;
  /** `canonical` (default): integers within ±(2^53-1) only, as in events. `any`: also floats, as in other bodies. */
  readonly numbers?: 'canonical' | 'any';
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Sets a key as a property of the object's own. `__proto__` is a key like every other in JSON, and plain assignment
 * would lose it and change the prototype instead.
 */
export function putKey(object: JsonObject, key: string, value: JsonValue): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Parses JSON text, or its UTF-8 bytes; throws {@link JsonError}. */
export function parseJson(text: string | Uint8Array, options: ParseOptions = {}): JsonValue {
  const scanner = new Scanner(
    typeof text === 'string' ? text : decodeUtf8(text),
    options.maxDepth ?? maxJsonDepth,
    options.numbers !== 'any',
  );
  return scanner.parse();
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text of UTF-8 bytes; throws {@link JsonError}. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new JsonError('M_NOT_JSON', 'The text is not valid UTF-8');
  }
}

const quote = 0x22;
const backslash = 0x5c;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a JSON string may not hold.
const plainString = /[^"\\\u0000-\u001f]*/y;
const number = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const whitespace = /[ \t\n\r]*/y;

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Scanner {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #integersOnly: boolean;
  #at = 0;

  constructor(text: string, maxDepth: number, integersOnly: boolean) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#integersOnly = integersOnly;
  }

  parse(): JsonValue {
    this.#skip();
    const value = this.#value(0);
    this.#skip();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(depth: number): JsonValue {
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#object(depth + 1);
      case 0x5b:
        return this.#array(depth + 1);
      case quote:
        return this.#string();
      case 0x74:
        return this.#word('true', true);
      case 0x66:
        return this.#word('false', false);
      case 0x6e:
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    this.#checkDepth(depth);
    const object: JsonObject = {};
    this.#at++;
    this.#skip();
    if (this.#take(0x7d)) return object;
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== quote) throw this.#unexpected();
      const key = this.#string();
      if (Object.hasOwn(object, key))
        throw new JsonError('M_BAD_JSON', `Duplicate key ${JSON.stringify(key)}`);
      this.#skip();
      if (!this.#take(0x3a)) throw this.#unexpected();
      this.#skip();
      putKey(object, key, this.#value(depth));
      this.#skip();
      if (this.#take(0x2c)) this.#skip();
      else if (this.#take(0x7d)) return object;
      else throw this.#unexpected();
    }
  }

  #array(depth: number): JsonValue[] {
    this.#checkDepth(depth);
    const array: JsonValue[] = [];
    this.#at++;
    this.#skip();
    if (this.#take(0x5d)) return array;
    for (;;) {
      array.push(this.#value(depth));
      this.#skip();
      if (this.#take(0x2c)) this.#skip();
      else if (this.#take(0x5d)) return array;
      else throw this.#unexpected();
    }
  }

  #string(): string {
    const start = ++this.#at;
    plainString.lastIndex = start;
    plainString.test(this.#text);
    const end = plainString.lastIndex;
    this.#at = end;
    let value = this.#text.slice(start, end);
    if (this.#text.charCodeAt(end) !== quote) value = this.#escaped(value);
    this.#at++;
    if (!value.isWellFormed()) throw new JsonError('M_BAD_JSON', 'A string holds half of a surrogate pair');
    return value;
  }

  #escaped(prefix: string): string {
    let value = prefix;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === quote) return value;
      if (code !== backslash) throw this.#unexpected();
      const letter = this.#text[this.#at + 1] ?? '';
      if (letter === 'u') {
        const hex = this.#text.slice(this.#at + 2, this.#at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) throw this.#unexpected();
        value += String.fromCharCode(Number.parseInt(hex, 16));
        this.#at += 6;
      } else {
        const char = escapes[letter];
        if (char === undefined) throw this.#unexpected();
        value += char;
        this.#at += 2;
      }
      const start = this.#at;
      plainString.lastIndex = start;
      plainString.test(this.#text);
      this.#at = plainString.lastIndex;
      value += this.#text.slice(start, this.#at);
    }
  }

  #number(): number {
    number.lastIndex = this.#at;
    const match = number.exec(this.#text);
    if (match === null) throw this.#unexpected();
    this.#at = number.lastIndex;
    const value = Number(match[0]);
    if (!this.#integersOnly) {
      if (!Number.isFinite(value))
        throw new JsonError('M_BAD_JSON', `The number ${match[0]} is out of range`);
      return value;
    }
    if (match[1] !== undefined || match[2] !== undefined || match[0] === '-0') {
      throw new JsonError('M_BAD_JSON', `The number ${match[0]} is not an integer in canonical form`);
    }
    if (!Number.isSafeInteger(value)) {
      throw new JsonError('M_BAD_JSON', `The integer ${match[0].slice(0, 40)} is out of range`);
    }
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #skip(): void {
    const code = this.#text.charCodeAt(this.#at);
    if (code > 0x20 || Number.isNaN(code)) return;
    whitespace.lastIndex = this.#at;
    whitespace.test(this.#text);
    this.#at = whitespace.lastIndex;
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #checkDepth(depth: number): void {
    if (depth > this.#maxDepth) {
      throw new JsonError('M_BAD_JSON', `The JSON is nested deeper than ${this.#maxDepth} levels`);
    }
  }

  #unexpected(): JsonError {
    const what = this.#at >= this.#text.length ? 'end of text' : `character at offset ${this.#at}`;
    return new JsonError('M_NOT_JSON', `Not JSON: unexpected ${what}`);
  }
}
