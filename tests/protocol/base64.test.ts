import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeBase64, decodeBase64Url, encodeBase64, encodeBase64Url } from '../../protocol/base64.ts';

/** Of the appendices, "Unpadded Base64". */
const vectors = [
  ['', ''],
  ['f', 'Zg'],
  ['fo', 'Zm8'],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg'],
  ['fooba', 'Zm9vYmE'],
  ['foobar', 'Zm9vYmFy'],
] as const;

/** Bytes whose digits are the two in which the alphabets differ. */
const different = Buffer.from('fbefbefff7', 'hex');

describe('Unpadded Base64', () => {
  for (const [text, encoded] of vectors) {
    it(`writes ${JSON.stringify(text)} as ${JSON.stringify(encoded)} and reads it, in both alphabets`, () => {
      const bytes = Buffer.from(text);
      assert.equal(encodeBase64(bytes), encoded);
      assert.equal(encodeBase64Url(bytes), encoded);
      assert.deepEqual(decodeBase64(encoded), bytes);
      assert.deepEqual(decodeBase64Url(encoded), bytes);
    });
  }

  it('reads padded text too', () => {
    for (const [padded, text] of [
      ['Zg==', 'f'],
      ['Zm8=', 'fo'],
      ['Zm9v', 'foo'],
    ] as const) {
      assert.equal(decodeBase64(padded)?.toString(), text);
      assert.equal(decodeBase64Url(padded)?.toString(), text);
    }
  });

  it('has an alphabet for URLs that differs in two digits, and each refuses those of the other', () => {
    assert.equal(encodeBase64(different), '++++//c');
    assert.equal(encodeBase64Url(different), '----__c');
    assert.equal(decodeBase64(encodeBase64Url(different)), undefined);
    assert.equal(decodeBase64Url(encodeBase64(different)), undefined);
  });

  it('refuses what is not Base64: other characters, impossible lengths, wrong padding', () => {
    const wrong = [
      'Z',
      'Zm9vY',
      'Zg=',
      'Zg===',
      'Zm8==',
      'Zm9v=',
      '=',
      '====',
      'Z=g=',
      'Zm 9v',
      'Zm9v\n',
      ' Zm9v',
      'Zm9v.',
      'Zm9vé',
      'Zm\u0000v',
    ];
    for (const text of wrong) {
      assert.equal(decodeBase64(text), undefined, text);
      assert.equal(decodeBase64Url(text), undefined, text);
    }
  });

  it('does not mind the bits that the last digit has to spare: a value is the bytes, not the text', () => {
    assert.equal(decodeBase64('Zh')?.toString(), 'f');
    assert.equal(decodeBase64Url('Zm9')?.toString(), 'fo');
  });

  it('reads back all bytes, also of a view into a larger buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(5), (bytes, skip) => {
        const view = bytes.subarray(Math.min(skip, bytes.length));
        assert.deepEqual(decodeBase64(encodeBase64(view)), Buffer.from(view));
        assert.deepEqual(decodeBase64Url(encodeBase64Url(view)), Buffer.from(view));
        assert.doesNotMatch(encodeBase64(view) + encodeBase64Url(view), /=/);
      }),
      { numRuns: 200 },
    );
  });
});
