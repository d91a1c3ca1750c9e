import fc from 'fast-check';
import { type JsonObject, type JsonValue, putKey } from '../../protocol/json.ts';

/** Texts of all code points but lone surrogates, among them those that order, escapes and prototypes stumble over. */
export const texts: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    '0',
    '10',
    '9',
    '\uffff',
    '\u{10000}',
    '\u2028',
    '\0',
    '',
  ),
);

/** Integers within ±(2^53-1), the ends among them. */
export const integers: fc.Arbitrary<number> = fc.maxSafeInteger().map((value) => value + 0);

/** Values that have a canonical form, with keys in any order. */
export const jsonValues: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue; object: JsonObject }>(
  (tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.oneof(texts, integers, fc.boolean(), fc.constant(null)),
      fc.array(tie('value'), { maxLength: 4 }),
      tie('object'),
    ),
    object: objectsOf(tie('value')),
  }),
).value;

export const jsonObjects: fc.Arbitrary<JsonObject> = objectsOf(jsonValues);

function objectsOf(values: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonObject> {
  return fc
    .uniqueArray(fc.tuple(texts, values), { maxLength: 5, selector: ([key]) => key })
    .map((members) => objectFrom(members));
}

/** An object with these members, set in this order. */
export function objectFrom(members: readonly (readonly [string, JsonValue])[]): JsonObject {
  const object: JsonObject = {};
  for (const [key, value] of members) putKey(object, key, value);
  return object;
}
