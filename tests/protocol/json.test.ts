import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canonicalJson } from '../../protocol/canonical-json.ts';
import {
  isObject,
  JsonError,
  type JsonValue,
  maxJsonDepth,
  type ParseOptions,
  parseJson,
  putKey,
} from '../../protocol/json.ts';
import { jsonValues } from '../support/json-values.ts';

function codeOf(text: string | Uint8Array, options?: ParseOptions): string {
  try {
    parseJson(text, options);
  } catch (error) {
    assert.ok(error instanceof JsonError);
    return error.code;
  }
  return 'accepted';
}

function nested(depth: number, open = '[', close = ']'): string {
  return open.repeat(depth) + close.repeat(depth);
}

describe('The JSON parser', () => {
  const documents: readonly (readonly [string, JsonValue])[] = [
    ['null', null],
    ['true', true],
    ['false', false],
    ['""', ''],
    ['0', 0],
    ['[]', []],
    ['{}', {}],
    [' \t\r\n[ 1 , 2 ]\n', [1, 2]],
    ['{ "a" : { "b" : [ null , true ] } , "c" : "d" }', { a: { b: [null, true] }, c: 'd' }],
    [String.raw`"\"\\\/\b\f\n\r\t\u0041\u00e9"`, '"\\/\b\f\n\r\tAé'],
    [String.raw`"\ud83d\ude00 \uD83D\uDE00"`, '\u{1f600} \u{1f600}'],
    [String.raw`"plain \n then plain"`, 'plain \n then plain'],
    ['"\u2028\u2029\u007f"', '\u2028\u2029\u007f'],
    ['"\\u0000"', '\0'],
    ['9007199254740991', 9007199254740991],
    ['-9007199254740991', -9007199254740991],
  ];
  for (const [text, value] of documents) {
    it(`reads ${JSON.stringify(text)}, as text and as bytes`, () => {
      assert.deepEqual(parseJson(text), value);
      assert.deepEqual(parseJson(Buffer.from(text)), value);
    });
  }

  const broken = [
    '',
    ' ',
    'nul',
    'nulls',
    'True',
    'undefined',
    'NaN',
    'Infinity',
    '"',
    '"abc',
    '"abc\\',
    '"\\x41"',
    '"\\u12"',
    '"\\u12g4"',
    '"\\u"',
    '"a\nb"',
    '"a\u0000b"',
    '"a\u001fb"',
    "'a'",
    '[',
    '[1',
    '[1,',
    '[1,]',
    '[,1]',
    '[1 2]',
    '{',
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{,}',
    '{a:1}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{1:2}',
    '1 2',
    '{} {}',
    '01',
    '-',
    '+1',
    '.5',
    '1.',
    '1e',
    '0x10',
    '\u00a01',
    '\ufeff{}',
    '/* no */ {}',
  ];
  for (const text of broken) {
    it(`says of ${JSON.stringify(text)} that it is not JSON`, () => {
      for (const numbers of ['canonical', 'any'] as const)
        assert.equal(codeOf(text, { numbers }), 'M_NOT_JSON');
      assert.throws(() => JSON.parse(text), SyntaxError);
    });
  }

  it('refuses bytes that are not UTF-8', () => {
    const sequences = ['22ff22', '22c322', '22c0af22', '22eda08022', '22f490808022'];
    for (const bytes of sequences) assert.equal(codeOf(Buffer.from(bytes, 'hex')), 'M_NOT_JSON', bytes);
  });

  it('takes a key once only in an object, also where escapes hide that it is the same', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1,"\\u0061":2}',
      '{"x":{"":1,"":2}}',
      '{"__proto__":1,"__proto__":2}',
    ])
      assert.equal(codeOf(text), 'M_BAD_JSON', text);
    assert.equal(codeOf('[{"a":1},{"a":1}]'), 'accepted');
  });

  it('keeps __proto__ and the names of inherited methods as plain keys', () => {
    const text = '{"__proto__":{"admin":true},"constructor":1,"hasOwnProperty":2,"toString":3}';
    const value = parseJson(text);
    assert.ok(isObject(value));
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(value['admin'], undefined);
    assert.deepEqual(Object.keys(value), ['__proto__', 'constructor', 'hasOwnProperty', 'toString']);
    assert.equal(canonicalJson(value), text);
  });

  it('refuses half of a surrogate pair, in values and keys, escaped or not', () => {
    const texts = ['"\\ud83d"', '"\\ude00"', '"\\ude00\\ud83d"', '"\\ud83d!"', '{"\\ud83d":1}', '"\ud83d"'];
    for (const text of texts) assert.equal(codeOf(text), 'M_BAD_JSON', text);
  });

  describe('of events', () => {
    for (const text of [
      '1.0',
      '0.5',
      '1e3',
      '1E3',
      '1e0',
      '-0',
      '-0.0',
      '0e0',
      '123456789012345678901234567890',
    ]) {
      it(`refuses the number ${text}`, () => {
        assert.equal(codeOf(text), 'M_BAD_JSON');
        assert.equal(codeOf(`{"a":[${text}]}`), 'M_BAD_JSON');
      });
    }

    it('takes integers up to 2^53-1 and none beyond, which JSON.parse would round', () => {
      for (const text of ['9007199254740992', '-9007199254740992', '9007199254740993', '1'.repeat(400)])
        assert.equal(codeOf(text), 'M_BAD_JSON', text);
    });
  });

  describe('of other bodies', () => {
    it('takes every number that a double can hold', () => {
      const numbers: readonly (readonly [string, number])[] = [
        ['0.5', 0.5],
        ['-1.25e-3', -0.00125],
        ['1E3', 1000],
        ['-0', -0],
        ['9007199254740993', 9007199254740992],
        ['1e308', 1e308],
      ];
      for (const [text, value] of numbers)
        assert.ok(Object.is(parseJson(text, { numbers: 'any' }), value), text);
    });

    it('refuses a number beyond, and a zero in front', () => {
      assert.equal(codeOf('-01', { numbers: 'any' }), 'M_NOT_JSON');
      for (const text of ['1e309', '-1e309']) assert.equal(codeOf(text, { numbers: 'any' }), 'M_BAD_JSON');
    });
  });

  it('reads what is nested as deep as it is told, and nothing deeper', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const inner = (depth: number): string => `${open.repeat(depth)}1${close.repeat(depth)}`;
      assert.equal(codeOf(inner(3), { maxDepth: 3 }), 'accepted');
      assert.equal(codeOf(inner(4), { maxDepth: 3 }), 'M_BAD_JSON');
      assert.equal(codeOf(inner(maxJsonDepth)), 'accepted');
      assert.equal(codeOf(inner(maxJsonDepth + 1)), 'M_BAD_JSON');
    }
    assert.equal(codeOf('1', { maxDepth: 0 }), 'accepted');
  });

  it('does not overflow the stack on a hundred thousand brackets', () => {
    assert.equal(codeOf(nested(100_000)), 'M_BAD_JSON');
    assert.equal(codeOf('['.repeat(100_000)), 'M_BAD_JSON');
  });

  it('counts nesting, not brackets', () => {
    assert.equal(codeOf(`[${'[],'.repeat(1_000)}[]]`, { maxDepth: 2 }), 'accepted');
  });

  it('agrees with JSON.parse on every document that is allowed', () => {
    fc.assert(
      fc.property(jsonValues, fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        assert.deepEqual(parseJson(text), JSON.parse(text));
      }),
      { numRuns: 300 },
    );
  });

  it('takes no text that JSON.parse refuses, and gives the same value for those that it takes', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '1',
      '-',
      '.',
      'e',
      '0',
      '\\',
      'u0041',
      ' ',
      'true',
      'null',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 7 }), (parts) => {
        const text = parts.join('');
        if (codeOf(text, { numbers: 'any' }) === 'M_BAD_JSON') return;
        let expected: unknown;
        try {
          expected = JSON.parse(text);
        } catch {
          assert.equal(codeOf(text, { numbers: 'any' }), 'M_NOT_JSON', text);
          return;
        }
        assert.deepEqual(parseJson(text, { numbers: 'any' }), expected, text);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('Setting a key of an object', () => {
  it('makes it a property of its own, whatever its name', () => {
    const object = {};
    for (const key of ['a', '__proto__', 'constructor']) putKey(object, key, 1);
    assert.deepEqual(Object.entries(object), [
      ['a', 1],
      ['__proto__', 1],
      ['constructor', 1],
    ]);
  });
});
