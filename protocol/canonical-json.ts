import { JsonError, type JsonObject, type JsonValue, maxJsonDepth } from './json.ts';

/**
 * The canonical form of a JSON value (appendices, "Canonical JSON"): keys in code-point order, no white space,
 * shortest escapes, integers within ±(2^53-1). This is what is hashed, signed and stored. Throws {@link JsonError}
 * for a value that has no canonical form, or that nests objects and arrays deeper than `maxDepth`.
 */
export function canonicalJson(value: JsonValue, maxDepth: number = maxJsonDepth): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value);
    case 'number':
      if (!Number.isSafeInteger(value)) {
        throw new JsonError('M_BAD_JSON', `The number ${value} has no canonical form`);
      }
      // Also of -0, which is written 0.
      return String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      if (maxDepth < 1) throw new JsonError('M_BAD_JSON', 'The value is nested too deep');
      return Array.isArray(value)
        ? canonicalArray(value, maxDepth - 1)
        : canonicalObject(value, maxDepth - 1);
    default:
      throw new JsonError('M_BAD_JSON', `A value of type ${typeof value} has no canonical form`);
  }
}

function canonicalArray(array: readonly JsonValue[], maxDepth: number): string {
  let text = '[';
  for (let index = 0; index < array.length; index++) {
    if (index > 0) text += ',';
    text += canonicalJson(array[index] as JsonValue, maxDepth);
  }
  return `${text}]`;
}

function canonicalObject(object: JsonObject, maxDepth: number): string {
  const keys = Object.keys(object);
  sortKeys(keys);
  let text = '{';
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (index > 0) text += ',';
    text += `${canonicalString(key)}:${canonicalJson(object[key] as JsonValue, maxDepth)}`;
  }
  return `${text}}`;
}

/** One member of an object: its key, and its canonical text with the key. */
export interface Member {
  readonly key: string;
  readonly text: string;
}

/**
 * The members of an object in canonical order. For objects that are needed in several forms which share most of their
 * members: what is shared is serialised once. `canonicalText(canonicalMembers(x))` is `canonicalJson(x)`.
 */
export function canonicalMembers(object: JsonObject, maxDepth: number = maxJsonDepth): Member[] {
  const keys = Object.keys(object);
  sortKeys(keys);
  return keys.map((key) => canonicalMember(key, object[key] as JsonValue, maxDepth - 1));
}

/** `maxDepth` is that of the value. */
export function canonicalMember(key: string, value: JsonValue, maxDepth: number = maxJsonDepth - 1): Member {
  return { key, text: `${canonicalString(key)}:${canonicalJson(value, maxDepth)}` };
}

/** The members with one more, in canonical order. No member may have its key already. */
export function withMember(members: readonly Member[], key: string, value: JsonValue): Member[] {
  const place = members.findIndex((member) => compareCodePoints(member.key, key) > 0);
  return members.toSpliced(place < 0 ? members.length : place, 0, canonicalMember(key, value));
}

/** The canonical form of the object that has these members. */
export function canonicalText(members: readonly Member[]): string {
  let text = '';
  for (const member of members) text += text === '' ? member.text : `,${member.text}`;
  return `{${text}}`;
}

/**
 * `Array.sort` compares UTF-16 units, which puts U+FFFF before U+10000: wrong as soon as a key holds a surrogate
 * pair. Only then is the slower comparison by code points needed.
 */
function sortKeys(keys: string[]): void {
  let surrogates = false;
  let sorted = true;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (index > 0 && sorted && (keys[index - 1] as string) > key) sorted = false;
    if (!surrogates && !plain.test(key) && surrogate.test(key)) surrogates = true;
  }
  if (surrogates) keys.sort(compareCodePoints);
  else if (!sorted) keys.sort();
}

function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left === right) continue;
    // A surrogate stands for a code point beyond the BMP: above every unit that is none.
    const leftSurrogate = (left & 0xf800) === 0xd800;
    const rightSurrogate = (right & 0xf800) === 0xd800;
    if (leftSurrogate !== rightSurrogate) return leftSurrogate ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}

/** Printable ASCII without the two characters that are escaped: such a text is well-formed, and its own form. */
const plain = /^[ !#-[\]-~]*$/;
const surrogate = /[\ud800-\udfff]/;

function canonicalString(text: string): string {
  if (plain.test(text)) return `"${text}"`;
  if (!text.isWellFormed()) throw new JsonError('M_BAD_JSON', 'A string holds half of a surrogate pair');
  // For well-formed text JSON.stringify escapes exactly what the canonical form escapes, in the same way.
  return JSON.stringify(text);
}
