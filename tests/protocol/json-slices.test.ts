import assert from 'node:assert/strict';
import fc from 'fast-check';
import { JsonError } from '../../protocol/json.ts';
import { sliceArray, sliceObject } from '../../protocol/json-slices.ts';

describe('JSON cut into its members', () => {
  it('gives the text of each member as it stands', () => {
    const text = ' { "a" : [1, {"b":"]}\\""}] , "c\\"":1.50,"d":"x\\\\", "e":{} ,"f":null } ';
    assert.deepEqual(
      [...sliceObject(Buffer.from(text))],
      [
        ['a', '[1, {"b":"]}\\""}]'],
        ['c"', '1.50'],
        ['d', '"x\\\\"'],
        ['e', '{}'],
        ['f', 'null'],
      ],
    );
    assert.deepEqual(sliceArray('[ 1e9 ,[],"," , nonsense,{"a":[2]}]'), [
      '1e9',
      '[]',
      '","',
      'nonsense',
      '{"a":[2]}',
    ]);
    assert.deepEqual([sliceArray(' [ ] '), sliceObject('{}').size], [[], 0]);
  });

  it('loses and invents nothing, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (list, object) => {
        const items = sliceArray(JSON.stringify(list, null, 1));
        assert.deepEqual(
          items.map((text) => JSON.parse(text)),
          JSON.parse(JSON.stringify(list)),
        );
        const text = JSON.stringify(object);
        const members = [...sliceObject(text)].map(([key, value]) => `${JSON.stringify(key)}:${value}`);
        assert.equal(`{${members.join(',')}}`, text);
      }),
      { numRuns: 200 },
    );
  });

  it('says that it is not JSON where the frame is broken', () => {
    const broken = [
      '',
      'null',
      '{',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,}',
      '{"a":1}x',
      '{a:1}',
      '{"a":1 "b":2}',
    ];
    for (const text of [...broken, '{"a":}', '{"a":"x', '{"a":"x\\"}', '{"a":[1}', '{,}'])
      assert.throws(() => sliceObject(text), JsonError, text);
    for (const text of ['', '{}', '[', '[1', '[1,', '[,]', '[1]]', '["x', '[1 2]', '[}'])
      assert.throws(() => sliceArray(text), JsonError, text);
    assert.throws(() => sliceObject('{"a":1,"a":2}'), { code: 'M_BAD_JSON' });
    assert.throws(() => sliceObject(Buffer.from([0x7b, 0xff])), { code: 'M_NOT_JSON' });
  });

  it('takes a text of any depth and length', () => {
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    assert.deepEqual(sliceArray(`[${deep},1]`), [deep, '1']);
    const long = JSON.stringify('\\"'.repeat(500_000));
    assert.deepEqual(sliceArray(`[${long}]`), [long]);
  });
});
