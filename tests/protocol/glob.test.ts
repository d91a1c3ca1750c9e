import assert from 'node:assert/strict';
import fc from 'fast-check';
import { containsWords, matchesGlob, matchesWords, maxPatternLength } from '../../protocol/glob.ts';

describe('A glob', () => {
  const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['', [''], ['a']],
    ['abc', ['abc', 'ABC'], ['ab', 'abcd', 'xabc', '']],
    ['*', ['', 'a', 'anything at all'], []],
    ['**', ['', 'a'], []],
    ['?', ['a', '?', 'é', '\u{1f600}'], ['', 'ab', '\u{1f600}\u{1f600}']],
    ['a*', ['a', 'ab', 'a*'], ['', 'ba']],
    ['*a', ['a', 'ba', 'aaa'], ['', 'ab']],
    ['a*c', ['ac', 'abc', 'acc', 'acbc'], ['a', 'ab', 'acb']],
    ['a?c', ['abc', 'a?c', 'a\u{1f600}c'], ['ac', 'abbc']],
    ['*ab*ab*', ['abab', 'xabxabx', 'ababab'], ['aba', 'ab', 'abxa']],
    ['a*a', ['aa', 'aba'], ['a']],
    ['?*?', ['ab', 'abc'], ['', 'a']],
    // The examples of the specification.
    ['lunc?*', ['Lunch plans', 'LUNCH'], [' lunch', 'lunc']],
    // Nothing else is special.
    ['a.c[d](e)+^$\\', ['a.c[d](e)+^$\\'], ['abc[d](e)+^$\\', 'a.cd(e)+^$\\']],
    ['ÄÖ*', ['äö', 'ÄÖü'], ['ao']],
  ];
  for (const [pattern, matching, others] of table) {
    it(`${JSON.stringify(pattern)} matches all of the text or nothing`, () => {
      for (const text of matching) assert.equal(matchesGlob(pattern, text), true, `it matches ${text}`);
      for (const text of others) assert.equal(matchesGlob(pattern, text), false, `it does not match ${text}`);
    });
  }

  it('agrees with a regular expression on every short pattern and text', () => {
    const chars = fc.constantFrom('a', 'b', '*', '?', '\u{1f600}', '.');
    fc.assert(
      fc.property(fc.array(chars, { maxLength: 7 }), fc.array(chars, { maxLength: 8 }), (pattern, text) => {
        const source = pattern.map((char) =>
          char === '*' ? '.*' : char === '?' ? '.' : char === '.' ? '\\.' : char,
        );
        const expected = new RegExp(`^${source.join('')}$`, 'su').test(text.join(''));
        assert.equal(matchesGlob(pattern.join(''), text.join('')), expected);
      }),
      { numRuns: 3_000 },
    );
  });

  it('has an end for hostile patterns: a matcher that goes back would never come to it', () => {
    const text = 'a'.repeat(60_000);
    for (const pattern of [`${'a*'.repeat(250)}b`, `${'*?'.repeat(250)}b`, `*${'a'.repeat(500)}b*`]) {
      assert.equal(matchesGlob(pattern, text), false);
      assert.equal(matchesWords(pattern, text), false);
    }
  });

  it('of too many characters matches nothing; stars do not count', () => {
    const long = 'a'.repeat(maxPatternLength);
    assert.equal(matchesGlob(long, long), true);
    assert.equal(matchesGlob(`${long}a`, `${long}a`), false);
    assert.equal(matchesGlob(`*${long}*`.replaceAll('*', '*'.repeat(1_000)), `x${long}x`), true);
  });
});

describe('A glob among words', () => {
  const table: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    [
      'cake',
      ['cake', 'Cake!', 'a cake.', 'x-cake-y', 'pan(cake)', 'pancake cake', 'écakeé'],
      ['cakes', 'pancake', 'cake_', '1cake', ''],
    ],
    [
      'cake*lie',
      ['cake lie', 'the cake is a lie', 'cakelie', 'cake lies lie'],
      ['cake lies', 'pancake lie', 'lie cake'],
    ],
    // The examples of the specification.
    ['ex*ple', ['An example event.', 'exple', 'An exciting triple-whammy'], ['hex example2', 'exampled']],
    ['c?ke', ['a cake', 'coke?', 'c\u{1f600}ke'], ['ccake', 'cke', 'cakes']],
    ['*', ['', 'anything'], []],
    ['@room', ['@room', 'hello @room!', 'foo@room'], ['@rooms', '@ room', 'room']],
    ['!', ['!', 'a!', 'a!b'], ['', 'a']],
    ['', ['', 'a'], []],
    ['a b', ['a b', 'x a b.'], ['aa b', 'a  b', 'a bb']],
    ['aba', ['ababa aba'], ['ababa']],
  ];
  for (const [pattern, matching, others] of table) {
    it(`${JSON.stringify(pattern)} matches from word boundary to word boundary`, () => {
      for (const text of matching) assert.equal(matchesWords(pattern, text), true, `it matches ${text}`);
      for (const text of others)
        assert.equal(matchesWords(pattern, text), false, `it does not match ${text}`);
    });
  }

  it('agrees with a regular expression on every short pattern and text', () => {
    const chars = fc.constantFrom('a', 'b', '*', '?', ' ', '-', '_');
    fc.assert(
      fc.property(fc.array(chars, { maxLength: 6 }), fc.array(chars, { maxLength: 9 }), (pattern, text) => {
        const source = pattern.map((char) => (char === '*' ? '.*' : char === '?' ? '.' : char));
        const boundary = '(?:^|$|\\b|(?<=\\W)|(?=\\W))';
        const expected = new RegExp(`${boundary}${source.join('')}${boundary}`, 's').test(text.join(''));
        assert.equal(matchesWords(pattern.join(''), text.join('')), expected);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('Words in a text', () => {
  it('are found from word boundary to word boundary, whatever characters they have', () => {
    for (const [words, text] of [
      ['Ann', 'hello ANN!'],
      ['Ann Lee', 'ann lee: hi'],
      ['*', 'five * six'],
      ['what?', 'so what? no'],
      ['[ann]', '[Ann] is here'],
      ['\u{1f600}', 'a\u{1f600}b'],
    ] as const)
      assert.equal(containsWords(words, text), true, words);
    for (const [words, text] of [
      ['Ann', 'Anna'],
      ['Ann', 'Joann'],
      ['*', 'anything'],
      ['a?', 'ab'],
      ['Ann Lee', 'Ann'],
    ] as const)
      assert.equal(containsWords(words, text), false, words);
  });
});
