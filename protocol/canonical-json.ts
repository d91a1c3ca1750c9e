import { JsonError, type JsonObject, type JsonValue } from './json.ts';

/**
 * The canonical form of a JSON value (appendices, "Canonical JSON"): keys in code-point order, no white space,
 * shortest escapes, integers within ±(2^53-1). This is what is hashed, signed and stored. Throws {@link JsonError}
 * for a value that has no canonical form.
 */
export function canonicalJson(value: JsonValue): string {
  switch (typeof value) {
    case 'string':
      return canonicalString(value);
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
        throw new JsonError('M_BAD_JSON', `The number ${value} has no canonical form`);
      }
      return String(value);
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? canonicalArray(value) : canonicalObject(value);
    default:
      throw new JsonError('M_BAD_JSON', `A value of type ${typeof value} has no canonical form`);
  }
}

function canonicalArray(array: readonly JsonValue[]): string {
  let text = '[';
  for (let index = 0; index < array.length; index++) {
    if (index > 0) text += ',';
    text += canonicalJson(array[index] as JsonValue);
  }
  return `${text}]`;
}

function canonicalObject(object: JsonObject): string {
  const keys = sortedKeys(object);
  let text = '{';
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    text += `${index > 0 ? ',' : ''}${canonicalString(key)}:${canonicalJson(object[key] as JsonValue)}`;
  }
  return `${text}}`;
}

/**
 * `Array.sort` compares UTF-16 units, which puts U+FFFF before U+10000: wrong as soon as a key holds a surrogate
 * pair. Only then is the slower comparison by code points needed.
 */
function sortedKeys(object: JsonObject): string[] {
  const keys = Object.keys(object);
  let surrogates = false;
  let sorted = true;
  for (let index = 0; index < keys.length; index++) {
    const key = keys[index] as string;
    if (index > 0 && sorted && (keys[index - 1] as string) > key) sorted = false;
    if (!surrogates && /[\ud800-\udfff]/.test(key)) surrogates = true;
  }
  if (surrogates) return keys.sort(compareCodePoints);
  return sorted ? keys : keys.sort();
}

export function compareCodePoints(a: string, b: string): number {
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

function canonicalString(text: string): string {
  if (!text.isWellFormed()) throw new JsonError('M_BAD_JSON', 'A string holds half of a surrogate pair');
  // For well-formed text JSON.stringify escapes exactly what the canonical form escapes, in the same way.
  return JSON.stringify(text);
}
